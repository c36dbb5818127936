"""Looking at a text before all spellings of a secret are made never lets through what a full search would find."""

import base64
import json
from typing import Any
from unittest import mock
from urllib.parse import quote_plus

from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import json_text
from longshore.invocation.masking import Mask
from longshore.invocation.sensitive_names import sensitive_text_values, sensitive_values
from longshore.invocation.spellings import Spellings

secrets = st.text(min_size=4, max_size=60) | st.text("abcXYZ019+/=-_ \\\"'<&é", min_size=4, max_size=90)
around = st.text(max_size=20) | st.text('aAzZ09+/=\\u "', max_size=90)


@st.composite
def texts(draw: st.DrawFn, secret: str) -> str:
    """A text with spellings of the secret, or of something longer that holds it, whole, cut, in other case."""
    parts = [draw(around)]
    for _ in range(draw(st.integers(0, 3))):
        held = draw(around) + secret + draw(around)
        data = held.encode("utf-8", "surrogatepass")
        encoded = base64.b64encode(data).decode()
        spelling = draw(
            st.sampled_from(
                [secret, held, json.dumps(held), json.dumps(json.dumps(held)), repr(held), quote_plus(data), encoded,
                 base64.urlsafe_b64encode(data).decode(), *Spellings(secret).forms]
            )
        )  # fmt: skip
        start, end = draw(st.sampled_from([(0, None), (0, None), (1, None), (0, -1), (3, -3)]))
        cut = spelling[start:end]
        parts += [draw(st.sampled_from([cut, cut.upper(), cut.lower(), cut.swapcase()])), draw(around)]
    return "".join(parts)


def full_search() -> Any:
    """While it lasts, every spelling is looked for in every text."""
    return mock.patch.object(Spellings, "may_be_in", return_value=True)


@given(st.data(), secrets, secrets)
def test_a_text_is_masked_as_a_full_search_would(data: st.DataObject, secret: str, other: str) -> None:
    """Whole and cut."""
    text = data.draw(texts(secret))
    quick = Mask([secret, other]).text(text), Mask([secret, other]).cut_text(text)
    with full_search():
        full = Mask([secret, other]).text(text), Mask([secret, other]).cut_text(text)

    assert full == quick


@given(st.data(), secrets | st.text(min_size=1, max_size=3), st.booleans())
def test_a_body_is_masked_as_a_full_search_would(data: st.DataObject, secret: str, ascii: bool) -> None:
    """In texts and keys, escaped in any way."""
    held = data.draw(texts(secret))
    value = data.draw(st.sampled_from([held, secret, {held: 1}, {"k": [held, {"n": secret}]}]))
    body = json.dumps(value, ensure_ascii=ascii)
    body = data.draw(st.sampled_from([body, body.replace("/", "\\/"), body.replace("a", "\\u0061"), held]))
    quick = Mask([secret]).body(body)
    with full_search(), mock.patch.object(Mask, "may_change", return_value=True):
        full = Mask([secret]).body(body)

    assert full == quick


@given(secrets)
def test_no_spelling_is_shorter_than_its_secret(secret: str) -> None:
    """So what is longer than a text cannot be in it."""
    assert all(len(form) >= len(secret) for form in Spellings(secret).forms)


@given(secrets)
def test_every_spelling_passes_the_first_look(secret: str) -> None:
    """Alone, with nothing around it."""
    assert all(Spellings(secret).may_be_in(form, len(form)) for form in Spellings(secret).forms)


names = st.text('tokenTOKEN_-é \\"/:', max_size=9) | st.sampled_from(
    ["name", "key", "value", "token", "pass_word", "toke_n", "DB_PASSWORD", 'a"secret', "apiKey", "k" * 120 + "Token"]
)
bodies = st.recursive(
    st.none() | st.integers() | names | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(names, children, max_size=4),
)


@given(bodies, st.booleans())
def test_no_value_under_a_sensitive_name_is_missed_in_a_body(body: object, ascii: bool) -> None:
    """As names are spelled in a text, escapes included."""
    text = json_text.dumps(body, ascii=ascii)

    assert list(sensitive_values(json_text.loads(text))) == list(sensitive_text_values(text))


@given(st.data(), secrets | st.text(min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=3))
def test_many_texts_are_looked_at_as_each_alone_would_be(data: st.DataObject, secret: str, at: list[int]) -> None:
    """None is passed over that has something to mask, as a text or as a body."""
    many = [data.draw(texts(secret) if place in at else around) for place in range(4)]
    mask = Mask([secret])
    changed = [text for text in many if mask.text(text) != text or mask.body(text) != text]

    assert mask.may_change("\n".join(many), max(map(len, many))) or not changed
