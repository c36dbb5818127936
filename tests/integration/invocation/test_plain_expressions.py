"""What is evaluated without jq is what jq gives."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation import json_text
from longshore.invocation.mapping.defaults import PLAIN_DEFAULTS
from longshore.invocation.mapping.jq import JqEngine, JqJob
from longshore.invocation.mapping.jq_process import Status
from longshore.invocation.mapping.jq_text import guard_expression
from longshore.invocation.mapping.plain_expressions import Evaluate, NeedsJq, compile_plain
from longshore.invocation.mapping.programs import unwrap_result

NAMES = st.sampled_from(
    ["a", "b", "_c1", "and", "payload", "action", "invocationMethod", "changelogDestination", "url"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([1.0, 1e300]),
    st.sampled_from(["", "x", "ü", "\ud800", "a b"]),
)
MESSAGES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "".join(f".{name}" for name in names))
OPERANDS = st.one_of(PATHS, st.sampled_from(['""', '"x"', '"ü"', "true", "false", "null"]))
OPERATORS = st.sampled_from(["//", " // ", " == ", "!=", " and ", " or "])
PLAIN = st.builds(
    lambda first, rest: first + "".join(operator + operand for operator, operand in rest),
    OPERANDS,
    st.lists(st.tuples(OPERATORS, OPERANDS), max_size=4),
)
SYMBOLS = [
    ".a", ".b", ".", "..", "#", "//", "//=", "==", "=", '"', '"x"', '"\\u0041"', "(", ")", "[", "]", "?", "|", ",",
    "and", "or", "not", "true", "nullx", "1", "-", "$", "@base64", "if", "\\", "a", "é",
]  # fmt: skip
JUNK = st.lists(st.sampled_from([*SYMBOLS, " ", "\n"]), min_size=1, max_size=5).map("".join)


@pytest.fixture(scope="module")
def engine() -> Iterator[JqEngine]:
    engine = JqEngine({})
    yield engine
    engine.close()


def ask(engine: JqEngine, source: str, message: Any) -> Any:
    """What jq gives; an expression that fails gives something that nothing else does."""
    program = engine.program(f"{guard_expression(source)}|tojson")
    (answer,) = engine.evaluate([JqJob(program, json.dumps(message))])
    return unwrap_result(json_text.loads(answer.text)) if answer.status is Status.VALUE else answer


def check(engine: JqEngine, evaluate: Evaluate, source: str, message: Any) -> None:
    """`evaluate` leaves `source` to jq, or gives the same."""
    try:
        result = evaluate(message)
    except NeedsJq:
        return
    expected = ask(engine, source, message)
    assert (type(expected), expected) == (type(result), result), source


@given(PLAIN, MESSAGES)
def test_a_plain_expression_gives_what_jq_gives(engine: JqEngine, source: str, message: Any) -> None:
    evaluate = compile_plain(source)
    if evaluate is not None:
        check(engine, evaluate, source, message)


@given(JUNK, MESSAGES)
def test_what_is_no_plain_expression_is_left_to_jq(engine: JqEngine, source: str, message: Any) -> None:
    evaluate = compile_plain(source)
    if evaluate is not None:
        check(engine, evaluate, source, message)


@given(st.sampled_from(sorted(PLAIN_DEFAULTS)), MESSAGES)
def test_a_default_is_what_jq_gives(engine: JqEngine, source: str, message: Any) -> None:
    check(engine, PLAIN_DEFAULTS[source], source, message)


@pytest.mark.parametrize(
    "source",
    [
        ".payload.action.invocationMethod.url // .changelogDestination.url",
        '.payload.action.identifier == "deploy" and .payload.status != null',
        '.a == "x" or .b // "y"',
        "true",
    ],
)
def test_what_most_mappings_say_needs_no_jq(source: str) -> None:
    evaluate = compile_plain(source)
    assert evaluate is not None
    evaluate({"payload": {"action": {"identifier": "deploy"}}})


@pytest.mark.parametrize(
    "source",
    [
        ".",
        ".a[0]",
        ".a?",
        '."a"',
        ".a | .b",
        "1",
        ".a == 1",
        '"\\(.a)"',
        ".a and",
        "",
        "env.A",
        ".a == .b == .c",
        '"\ud800"',
        '.a == "\udfff"',
        " // ".join([".a"] * 5000),
        " and ".join([".a"] * 5000),
    ],
    ids=lambda source: ascii(source[:20]),
)
def test_everything_else_needs_it(source: str) -> None:
    assert compile_plain(source) is None
