"""Masking by value: whatever way a secret takes back to people, it is not readable; everything else stays as it was."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore.invocation.masking import Mask, current_mask, use_mask
from longshore.invocation.sensitive_names import is_sensitive, is_sensitive_parameter, sensitive_values

SECRET = 'pä"ss wörd/1'


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        SECRET.upper(),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps({"deep": SECRET})),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        repr(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        'pä&quot;ss wörd/1',
        quote_plus(json.dumps({"deep": SECRET})),
        quote_plus(json.dumps({"deep": SECRET}, ensure_ascii=False)),
        quote_plus(f"<a>{html.escape(SECRET)}</a>"),
        quote_plus(f"https://x.io/?p={quote(SECRET, safe='')}"),
    ],
)  # fmt: skip
def test_a_secret_is_found_in_every_spelling(spelling: str) -> None:
    """As an error page, a query string or a log line may write it."""
    masked = Mask([SECRET]).text(f"before {spelling} after")

    assert "***" in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "ss" not in masked.replace("before", "").replace("after", "")


@pytest.mark.parametrize("before", ["", "x", "xx"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_found_in_both_alphabets_of_base64(encode: Callable[[bytes], bytes], before: str) -> None:
    """Wherever in the encoded text it begins. The two differ in what stands for `>>>`, `???` and `~`."""
    secret = "S3cr3t>>?/value~~~"
    encoded = encode(f"{before}{secret}".encode()).decode()
    assert len(Mask([secret]).text(encoded).replace("***", "")) <= len(before) + 4


def test_a_secret_is_found_as_javascript_encodes_it() -> None:
    """`encodeURIComponent` leaves more as it is."""
    secret = "it's (a) secret!"
    assert "?q=***" == Mask([secret]).text("?q=" + quote(secret, safe="!'()*"))


def test_json_stays_json() -> None:
    """Texts, keys, and numbers that are a secret as a whole; other numbers keep their spelling."""
    mask = Mask(["hunter2", "0815", "471147"])
    body = '{"a":"is hunter2","hunter2":1,"pin":471147,"x":1.10,"id":14711470,"short":"\\u0068unter2"}'

    assert '{"a":"is ***","***":1,"pin":"***","x":1.10,"id":14711470,"short":"***"}' == mask.body(body)


def test_a_body_without_secrets_stays_as_it_was() -> None:
    """To the byte: spaces, order and repeated keys."""
    body = '{ "a" : 1.0, "a": "b\\u0063" }'
    assert body == Mask(["hunter2"]).body(body)


def test_the_parts_of_a_secret_object_are_secrets() -> None:
    """It is sent as its JSON text, and a mapping may take it apart."""
    mask = Mask(['{"user":"dana-owner","pin":471147,"on":true,"n":1}'])
    assert "*** *** true 1" == mask.text("dana-owner 471147 true 1")


def test_short_values_are_masked_as_a_whole_only() -> None:
    """Inside texts they would mask half of every line."""
    mask = Mask(["7", ""])
    assert ["***", "77 and 7"] == mask.value(["7", "77 and 7"])


def test_a_secret_that_was_cut_off_is_masked_too() -> None:
    """The end of what was read of a body."""
    mask = Mask(["correct-horse-battery"])
    assert "it is ***" == mask.cut_text("it is correct-horse")
    assert "it is corr" != mask.cut_text("it is corr")
    assert "it is co" == mask.cut_text("it is co")


@pytest.mark.parametrize(
    "name",
    ["Authorization", "proxy-authorization", "X-Api-Key", "token", "private_token", "accessToken", "X-Port-Signature",
     "Cookie", "client_secret", "dbPassword", "PRIVATE-TOKEN", "Ocp-Apim-Subscription-Key", "x-functions-key",
     "secretKey", "pwd", "passphrase", "jwt", "DB_PASS", "APIKey", "clientsecret", "X-Hub-Signature-256",
     "secretValue"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    """As headers, queries and bodies have them."""
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "tokens_used",
        "author",
        "tokenizer",
        "secretary",
        "key",
        "code",
        "X-Request-Id",
        "passive",
        "Idempotency-Key",
        "partition_key",
        "secretName",
    ],
)
def test_names_of_no_secrets(name: str) -> None:
    """Masking them would hide what people need."""
    assert not is_sensitive(name)


@pytest.mark.parametrize("name", ["code", "sig", "key", "X-Key"])
def test_names_of_secrets_in_queries_and_headers(name: str) -> None:
    """As keys of a body they say nothing."""
    assert is_sensitive_parameter(name)


def test_values_under_such_names_are_found_wherever_they_stand() -> None:
    """With and without the scheme; flags are no secrets."""
    items = {"headers": [{"Authorization": "Bearer abcdefgh"}], "token": "glptt-TEST", "secret": "none", "x": 1}
    assert {"Bearer abcdefgh", "abcdefgh", "glptt-TEST"} == set(sensitive_values(items))


def test_a_cut_secret_that_begins_with_another_one_goes_whole() -> None:
    """Not only the part that is a secret of its own; also where the cut went through a character."""
    assert "***" == Mask(["correct", "correct-horse-battery"]).cut_text("correct-horse")
    assert "is ***" == Mask(["pässwörd"]).cut_text("is pässw\N{REPLACEMENT CHARACTER}")


@pytest.mark.timeout(60)
def test_the_cost_of_a_mask_grows_with_its_text_and_no_faster() -> None:
    """A target chooses what it answers, and may know the secret: cut answers, and texts that nearly hold it."""
    plain, periodic = "".join(f"{n:x}" for n in range(120_000)), "a" * 400_000 + "c"
    assert "it is ***" == Mask([plain]).cut_text(f"it is {plain[:-1]}")
    assert Mask([periodic]).cut_text("a" * 399_999 + "x").endswith("a***")
    assert Mask([periodic]).cut_text("b" + "a" * 800_000).endswith("a***")
    assert Mask(["a" * 20_000 + "b"]).text("a" * 20_000 + "b" + "a" * 1_000_000).startswith("***aaa")
    deep: list[object] = []
    for _ in range(500):
        deep = [deep, *["canary-1234"] * 100]
    assert "canary" not in Mask(["canary-1234"]).body(json.dumps(deep))


def test_a_text_that_would_cost_too_much_is_masked_as_a_whole() -> None:
    """Ten thousand secrets, such as the parts of one large object, in a long text."""
    mask = Mask([json.dumps({str(n): f"value-{n:07}" for n in range(20_000)})])

    assert "***" == mask.text("x" * 100_000)
    assert "***" == mask.value(["x" * 100_000])
    assert "is *** or so" == mask.text("is value-0000017 or so")


def test_what_is_only_guessed_is_left_out_of_the_certain_mask() -> None:
    """Also after others were added."""
    mask = Mask(["hunter22"], ["platform"]) + Mask(["signature-1"], ["payments"])

    assert "*** *** *** ***" == mask.text("hunter22 platform signature-1 payments")
    assert "*** platform *** payments" == mask.certain.text("hunter22 platform signature-1 payments")


def test_the_current_mask_is_that_of_the_delivery_at_hand() -> None:
    """And gone after it."""
    with use_mask(Mask(["hunter2"])):
        assert "***" == current_mask().text("hunter2")
    assert "hunter2" == current_mask().text("hunter2")


@example("İstanbul", "", "")
@given(st.text(min_size=4), st.text(), st.text())
def test_no_secret_survives_in_a_text(secret: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    assert "***" in Mask([secret]).text(f"{before}{secret}{after}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(json_values, st.text())
def test_masking_never_raises_and_json_stays_json(value: object, secret: str) -> None:
    """Whatever a target answers."""
    json.loads(Mask([secret]).body(json.dumps(value)))
    Mask([secret]).cut_text(json.dumps(value))


def _resolve(text: str) -> str:
    """`text` as JSON's readers see it."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize(
    "body",
    [
        '{"a":"hunter22","a":1}',
        '{"a":"\\u0068unter22","a":1}',
        '[{"b":{"a":["hunter22"],"a":1}}]',
        '{"hunter22":1,"a":{"x":"hunter22","x":"y"},"a":2}',
        '{"a":"\\u0068unter22"}\n{"a":1}',
        "[" * 600 + '"\\u0068unter22"' + "]" * 600,
    ],
)
def test_what_no_value_of_a_body_shows_is_masked_too(body: str) -> None:
    """The first of two equal keys, and what cannot be read as one value."""
    assert "hunter22" not in _resolve(Mask(["hunter22"]).body(body))


names = st.sampled_from(["a", "a", "a", "hunter22"])
leaves = st.sampled_from(["x", "x", "hunter22", "is hunter22 so"])
members = st.recursive(
    leaves,
    lambda children: (
        st.lists(children, max_size=2)
        | st.lists(st.tuples(names, children), min_size=2, max_size=3).map(tuple)
        | st.tuples(st.tuples(st.just("a"), children), st.tuples(st.just("a"), st.just("x")))
    ),
    max_leaves=6,
)


def _spell(value: object, draw: st.DrawFn) -> str:
    """JSON of `value`, in which a tuple has the members of an object; letters are escaped now and then."""
    if isinstance(value, tuple):
        return "{{{}}}".format(",".join(f"{_spell(name, draw)}:{_spell(item, draw)}" for name, item in value))
    if isinstance(value, list):
        return "[{}]".format(",".join(_spell(item, draw) for item in value))
    escaped = draw(st.sampled_from(["", "h", "2", "hunter2"]))
    return '"{}"'.format("".join(f"\\u{ord(letter):04x}" if letter in escaped else letter for letter in str(value)))


@given(st.data())
def test_no_secret_survives_in_a_body(data: st.DataObject) -> None:
    """Whichever keys are repeated, however it is spelled, and whether or not it is one JSON text."""
    body = data.draw(st.composite(lambda draw: _spell(draw(members), draw))())
    body += data.draw(st.sampled_from(["", "\n{}", ",", "]"]))

    assert "hunter22" not in _resolve(Mask(["hunter22"]).body(body))
