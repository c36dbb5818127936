"""Expressions so plain that evaluating them here costs less than asking jq: paths, texts, `//`, `==`, `and`, `or`.

    .payload.action.invocationMethod.url // .changelogDestination.url
    .payload.action.identifier == "deploy" and .payload.status != null

Only what jq surely gives is given (jq manual, "Basic filters" and "Conditionals and Comparisons"); everything else is
left to jq: whatever jq might see otherwise in the source, a path through what is no object, and a result that is
neither a text nor true, false or null, as jq prints numbers in its own way.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<path>(?:\.[A-Za-z_][A-Za-z0-9_]*)+)(?![.\[?\w])"
    r'|(?P<text>"[^"\\\x00-\x1f\x7f\ud800-\udfff]*")'
    r"|(?P<word>true|false|null|and|or)(?!\w)"
    r"|(?P<operator>//|==|!=)(?!=))"
)
_MAX_TOKENS = 100
"""Far fewer than Python's calls may be nested, as each operator is evaluated inside the one that is looser."""
_CONSTANTS = {"true": True, "false": False, "null": None}

Evaluate = Callable[[Any], Any]
"""From a message, as `json_text.loads` gives it, to the result. Raises NeedsJq."""


class NeedsJq(Exception):
    """This message may be one that jq sees otherwise."""


def ask_for_missing(results: Sequence[T | None], ask: Callable[[list[int]], Sequence[T]]) -> list[T]:
    """`results`, and in place of each None what `ask` gives for its index; not asked where there is none."""
    missing = [at for at, result in enumerate(results) if result is None]
    answers = dict(zip(missing, ask(missing), strict=True)) if missing else {}
    return [answers[at] if result is None else result for at, result in enumerate(results)]


def compile_plain(source: str) -> Evaluate | None:
    """What evaluates the jq expression `source`; None for one that is left to jq."""
    tokens = _tokens(source)
    if tokens is None:
        return None
    parser = _Parser(tokens)
    evaluate = parser.alternatives()
    return evaluate if evaluate is not None and parser.is_at_end else None


def _tokens(source: str) -> list[str] | None:
    tokens: list[str] = []
    position, end = 0, len(source.rstrip(" \t\r\n"))
    while position < end:
        match = _TOKEN.match(source, position)
        if match is None or len(tokens) == _MAX_TOKENS:
            return None
        tokens.append(match[match.lastgroup or 0])
        position = match.end()
    return tokens


class _Parser:
    """By precedence, the loosest first: `//` (from the right), `or`, `and`, comparisons (which do not chain)."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def is_at_end(self) -> bool:
        return self._next == len(self._tokens)

    def alternatives(self) -> Evaluate | None:
        one = self._logical("or", partial(self._logical, "and", self._comparison))
        if one is None or not self._take("//"):
            return one
        other = self.alternatives()
        return None if other is None else partial(_alternative, one, other)

    def _logical(self, word: str, operand: Callable[[], Evaluate | None]) -> Evaluate | None:
        one = operand()
        while one is not None and self._take(word):
            other = operand()
            if other is None:
                return None
            one = partial(_or if word == "or" else _and, one, other)
        return one

    def _comparison(self) -> Evaluate | None:
        one = self._operand()
        for operator, expected in (("==", True), ("!=", False)):
            if one is not None and self._take(operator):
                other = self._operand()
                return None if other is None else partial(_equals, one, other, expected)
        return one

    def _operand(self) -> Evaluate | None:
        if self.is_at_end:
            return None
        token = self._tokens[self._next]
        self._next += 1
        if token.startswith("."):
            return partial(_walk, tuple(token[1:].split(".")))
        if token.startswith('"'):
            return partial(_constant, token[1:-1])
        return partial(_constant, _CONSTANTS[token]) if token in _CONSTANTS else None

    def _take(self, token: str) -> bool:
        if self.is_at_end or self._tokens[self._next] != token:
            return False
        self._next += 1
        return True


def _constant(value: Any, _: Any) -> Any:
    return value


def _walk(names: tuple[str, ...], message: Any) -> Any:
    value = message
    for name in names:
        if value is None:
            return None
        if type(value) is not dict:
            raise NeedsJq
        value = value.get(name)
    return scalar(value)


def scalar(value: Any) -> Any:
    """`value`, if it is one that jq gives as it is; raises NeedsJq."""
    if value is None or value is True or value is False:
        return value
    if type(value) is str and (value.isascii() or _is_text(value)):  # a lone surrogate is not what jq reads
        return value
    raise NeedsJq


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _alternative(one: Evaluate, other: Evaluate, message: Any) -> Any:
    value = one(message)
    return other(message) if value is None or value is False else value


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def _and(one: Evaluate, other: Evaluate, message: Any) -> bool:
    return _is_true(one(message)) and _is_true(other(message))


def _or(one: Evaluate, other: Evaluate, message: Any) -> bool:
    return _is_true(one(message)) or _is_true(other(message))


def _equals(one: Evaluate, other: Evaluate, expected: bool, message: Any) -> bool:
    return (one(message) == other(message)) is expected
