"""JSON text survives a round trip to the byte, as JavaScript prints it; Node is the judge where it is installed."""

import json
import math
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from longshore.invocation.json_limits import MAX_DEPTH
from longshore.invocation.json_text import Literal, Malformed, dumps, loads

texts = st.text(st.characters(codec=None), max_size=20)
"""Any text, lone surrogates included."""

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(texts, children, max_size=5),
    max_leaves=30,
)


def canonical(text: str | bytes) -> str:
    return dumps(loads(text), ascii=False)


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-0",
        "-0.0",
        "1e-7",
        "0.00001",
        "1.10",
        "1E5",
        "1e+5",
        "1e400",
        "-1e-400",
        "12345678901234567890",
        "1.0",
        "0.1",
        "1e21",
        "123456789.123456789123456789",
        "9" * 5000,
        "-" + "9" * 1500,
    ],
)
def test_numbers_print_as_they_were_written(number: str) -> None:
    """The signature was made over these very digits."""
    text = f'{{"n":[{number},1,{number}],"m":{number}}}'

    assert text == canonical(text)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        ("1e-7", "1e-07"),
        ("0.00001", "1e-05"),
        ("1.10", "1.1"),
        ("-0", "0"),
        ("1E5", "100000.0"),
        ("1e400", "1e400"),
        ("9" * 5000, "9" * 5000),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_outgoing_numbers_print_as_python_does(number: str, printed: str) -> None:
    """Receivers that read and print the body again expect that; what Python cannot print stays as written."""
    assert f"[{printed}]" == dumps(loads(f"[{number}]"), ascii=True)


def test_the_mark_of_a_number_cannot_be_forged() -> None:
    """A text that looks like a marked number stays a text, because nobody knows the mark."""
    text = '["number-00000000000000000000000000000000:1",1e-7]'

    assert text == canonical(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x1", "1e", "١"])
def test_what_is_no_json_number_is_refused(number: str) -> None:
    """JSON has no NaN and no leading zeros, although Python takes some of it."""
    with pytest.raises(Malformed, match="not_json"):
        loads(f"[{number}]")


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", '{"a":1,}', "{'a':1}", '"\t"', '"\\x"', "nul", "1 2", "\0"])
def test_what_is_not_json_is_refused(text: str) -> None:
    """Strictly: raw control characters and trailing commas as well."""
    with pytest.raises(Malformed, match="not_json"):
        loads(text)


def test_bytes_are_utf8_with_or_without_a_mark() -> None:
    """A byte order mark is passed over; other encodings are not guessed."""
    assert {"é": "🚀"} == loads('\ufeff{"é":"🚀"}'.encode())
    for encoding in ("utf-16", "utf-32", "latin-1"):
        with pytest.raises(Malformed):
            loads('{"é":1}'.encode(encoding))


@pytest.mark.parametrize("depth", [200, MAX_DEPTH])
def test_deep_nesting_is_read_and_printed(depth: int) -> None:
    """Up to the limit, whatever the version of Python allows."""
    text = "[" * depth + '{"a":[]}'[: 0 if depth == MAX_DEPTH else None] + "]" * depth

    assert text == canonical(text)
    assert text == dumps(loads(text), ascii=True)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 100_000])
def test_nesting_beyond_the_limit_is_refused(opening: str, depth: int) -> None:
    """Without a crash, however deep."""
    closing = "]" if opening == "[" else "}"
    with pytest.raises(Malformed, match="too_deep"):
        loads(opening * depth + "1" + closing * depth)


def test_printing_what_is_too_deep_is_refused() -> None:
    """Also where a value was built and not read."""
    value: Any = 1
    for _ in range(200_000):
        value = [value]
    with pytest.raises(Malformed, match="too_deep"):
        dumps(value, ascii=False)


def test_many_brackets_are_not_depth() -> None:
    """Width, and brackets in texts, do not count."""
    text = json.dumps(["[[{" * 1000, [[[]]] * 1000], separators=(",", ":"))

    assert text == canonical(text)


def test_the_last_of_repeated_keys_counts() -> None:
    """At the place of the first, as in JavaScript."""
    assert '{"a":3,"b":2}' == canonical('{"a":1,"b":2,"a":3}')


def test_escapes_are_those_of_javascript() -> None:
    """Short escapes, lower-case hex below U+0020, lone surrogates escaped, all else raw."""
    text = r'"\b\t\n\f\r\"\\\u0000\u001f\ud800 \udfff\ud83d"'.replace(" ", "\x7f/\u2028é🚀")

    assert text == canonical(text)
    assert r'"\u007f"' == dumps("\x7f", ascii=True), "as Python escapes it"
    assert r'"\ud83d\ude80\ud800"' == dumps("🚀\ud800", ascii=True)


def test_a_literal_is_a_number_without_value_loss() -> None:
    """It prints itself and knows whether it is zero."""
    assert "1e-7" == str(Literal("1e-7"))
    assert [False, True] == [bool(Literal("-0.00")), bool(Literal("1e-7"))]
    assert Literal("1.10") == pickle.loads(pickle.dumps(Literal("1.10")))
    with pytest.raises(TypeError):
        dumps(object(), ascii=False)


@given(values)
def test_what_is_printed_is_read_again(value: Any) -> None:
    """Both forms give the same value back, and printing it again the same text."""
    text = dumps(value, ascii=False)

    assert text == canonical(text)
    assert text.encode() is not None
    assert dumps(value, ascii=True).isascii()
    assert same(loads(dumps(value, ascii=True)), loads(text))


@given(values)
def test_canonical_text_is_that_of_the_standard_library_otherwise(value: Any) -> None:
    """Numbers and lone surrogates apart, nothing is invented."""
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assume(plain.encode("utf-8", "ignore").decode() == plain and "-0" not in plain)

    assert plain == dumps(value, ascii=False)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    """Nothing else is raised."""
    with suppress(Malformed):
        loads(raw)


NODE = """
const lines = require('readline').createInterface({ input: process.stdin, terminal: false })
lines.on('line', line => console.log(JSON.stringify(JSON.stringify(JSON.parse(line)))))
"""


@pytest.fixture(scope="module")
def node() -> Iterator[subprocess.Popen[bytes]]:
    """A Node process that answers each line of JSON with its own print of it, as a JSON text in turn."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    with subprocess.Popen(["node", "-e", NODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@given(value=values)
def test_canonical_text_is_what_node_prints(node: subprocess.Popen[bytes], value: Any) -> None:
    """A text made by `JSON.stringify` is printed here as it was: that is what Port signs."""
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(dumps(value, ascii=True).encode() + b"\n")
    node.stdin.flush()
    node_text = json.loads(node.stdout.readline())

    assert node_text == canonical(node_text)


def same(one: Any, other: Any) -> bool:
    """Equality up to the way a number is kept."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float | Literal) and isinstance(other, int | float | Literal):
        return math.isclose(float(str(one)), float(str(other)), rel_tol=sys.float_info.epsilon)
    return bool(one == other)
