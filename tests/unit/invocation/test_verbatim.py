"""Where ingest says that a message is the body as it stands, the worker would make the very same body of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import json_text
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping.body import encode_body
from longshore.invocation.mapping.programs import parse_result


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"b":[1.5,-3,true,null],"c":"\\"/\\u0001"}', "{}", '{"n":1e999,"m":1234567890123456}', '{"s":"\\ud800"}'],
)  # fmt: skip
def test_plain_ascii_is_its_own_body(text: str) -> None:
    """Numbers too that no float can hold: they are sent as they came."""
    assert json_text.is_outgoing(json_text.loads(text), text)
    assert text == encode_body(parse_result(text, ""), BodyFormat.JSON, "")


@pytest.mark.parametrize(
    "text",
    ['{"a":1E2}', '{"a":-0}', '{"a":1.10}', '{"a":1e-7}', '{"a":0.00001}', '{"a":"é"}', '{"a":"\x7f"}', '{"a":"🚀"}'],
)
def test_what_is_sent_in_other_words_is_not(text: str) -> None:
    """As Python prints it: numbers in its own way, and nothing but ASCII."""
    assert text == json_text.dumps(json_text.loads(text), ascii=False)
    assert not json_text.is_outgoing(json_text.loads(text), text)


numbers = (
    st.sampled_from(
        ["1E2", "-0", "-0.0", "1.0e400", "1.10", "1e-7", "0.00001", "100000000000000000000000", "1e22", "5e-324", "1.5"]
    )
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers().map(str)
    | st.just("9" * 5000)
)
strings = (
    st.text().map(json.dumps)
    | st.text().map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.sampled_from(['"\\ud800"', '"\\uDC00x"', '"\\/"', '"\\u0041"', '"\x7f"', '"a"'])
)


def _containers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(strings, children).map(":".join)
    return st.lists(children, max_size=4).map(lambda items: f"[{', '.join(items)}]") | st.lists(pair, max_size=4).map(
        lambda pairs: "{" + ",".join(pairs) + "}"
    )


@given(st.recursive(numbers | strings | st.sampled_from(["true", "null", "NaN"]), _containers))
def test_what_is_said_to_be_the_body_is_the_body(raw: str) -> None:
    """Whatever was published: odd numbers, escapes, lone surrogates, repeated keys, and what is no JSON."""
    try:
        value = json_text.loads(raw)
    except json_text.Malformed:
        return
    text = json_text.dumps(value, ascii=False)
    outgoing = encode_body(parse_result(text, ""), BodyFormat.JSON, "") if value is not None else text

    assert (outgoing == text) == json_text.is_outgoing(value, text)
