"""Masking by value: whatever way a secret takes back to people, it is not readable; everything else stays as it was."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore.invocation.masking import Mask, current, is_sensitive, masking, sensitive_values

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
    ],
)  # fmt: skip
def test_a_secret_is_found_in_every_spelling(spelling: str) -> None:
    """As an error page, a query string or a log line may write it."""
    masked = Mask([SECRET]).text(f"before {spelling} after")

    assert "***" in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "ss" not in masked.replace("before", "").replace("after", "")


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
     "Cookie", "client_secret", "dbPassword", "PRIVATE-TOKEN"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    """As headers, queries and bodies have them."""
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["tokens_used", "author", "tokenizer", "secretary", "key", "X-Request-Id", "passive"])
def test_names_of_no_secrets(name: str) -> None:
    """Masking them would hide what people need."""
    assert not is_sensitive(name)


def test_values_under_such_names_are_found_wherever_they_stand() -> None:
    """With and without the scheme; flags are no secrets."""
    named = {"headers": [{"Authorization": "Bearer abcdefgh"}], "token": "glptt-TEST", "secret": "none", "x": 1}
    assert ["Bearer abcdefgh", "abcdefgh", "glptt-TEST"] == list(sensitive_values(named))


def test_the_current_mask_is_that_of_the_delivery_at_hand() -> None:
    """And gone after it."""
    with masking(Mask(["hunter2"])):
        assert "***" == current().text("hunter2")
    assert "hunter2" == current().text("hunter2")


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
