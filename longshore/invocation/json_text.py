"""JSON text that survives a round trip to the byte, as signatures over it must.

Owns reading and printing of messages. Python's own `json` changes numbers on the way (`1e-7` becomes `1e-07`, `1.10`
becomes `1.1`) and leaves lone surrogates that cannot be encoded; both break a valid signature. Everything else is left
to the standard library's C code, which is why this is fast.
"""

import json
import math
import secrets
from dataclasses import dataclass
from typing import Any

from longshore.errors import LongshoreError

MAX_DEPTH = 512
"""Deepest nesting that is read. Python's own limit depends on version and caller; this one is always the same."""

_MARK = f"number-{secrets.token_hex(16)}:"
"""Stands on both sides of a number's source text while the C encoder prints it as a text; nobody can forge it."""


class Malformed(LongshoreError):
    """A text is not JSON that can be worked with; `reason` is `not_utf8`, `not_json` or `too_deep`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Literal:
    """A number that Python would print differently from how it was received; prints its source text."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return float(self.text) != 0

    def plain(self) -> int | float | None:
        """The number as Python reads it, None where that is no finite number or one of thousands of digits."""
        if self.text == "-0":
            return 0
        number = float(self.text)
        return number if math.isfinite(number) and not _is_whole(self.text) else None


def loads(text: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text, with numbers that print as they were written.

    Bytes are UTF-8, with or without a byte order mark. Of a repeated key the last value counts, as in JavaScript.

    Raises:
        Malformed: not UTF-8, not JSON (`NaN` and `Infinity` are not), or nested deeper than `max_depth`.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Malformed("not_utf8") from None
    try:
        value = _decoder_for(text).decode(text)
    except RecursionError:
        raise Malformed("too_deep") from None
    except ValueError as problem:
        if isinstance(problem, json.JSONDecodeError):
            raise Malformed("not_json") from None
        value = _decode_exactly(text)
    if is_deep(value, text, max_depth):
        raise Malformed("too_deep")
    return value


def is_deep(value: Any, text: str, max_depth: int = MAX_DEPTH) -> bool:
    """Whether `value`, which was read from `text`, is nested deeper than `max_depth`."""
    return text.count("{") + text.count("[") > max_depth and _deeper_than(max_depth, value)


def dumps(value: Any, *, ascii: bool) -> str:
    r"""Compact JSON text of a value that `loads` gave.

    With `ascii` false this is what JavaScript's `JSON.stringify` prints (wire contract, incoming signature): non-ASCII
    raw, a lone surrogate as `\udxxx`, numbers as received. With `ascii` true it is the outgoing rule: non-ASCII escaped
    and numbers as Python prints them, because receivers that read and print the body again expect that.

    Raises:
        Malformed: the value is nested too deeply to be printed.
    """
    try:
        text = (_OUTGOING if ascii else _CANONICAL).encode(value)
    except RecursionError:
        raise Malformed("too_deep") from None
    if _MARK in text:
        text = text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")
    if not ascii and not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def fault_in(content: bytes) -> str:
    """Where and why a text that a person wrote is no strict JSON, such as `line 3, column 5: Expecting value`."""
    text = content.decode("utf-8-sig", "replace")
    try:
        json.loads(text, parse_int=len, parse_constant=lambda word: _refuse_at(text.find(word), word, text))
    except json.JSONDecodeError as problem:
        return f"line {problem.lineno}, column {problem.colno}: {problem.msg}"
    return "unreadable"


def holds_more_values_than(most: int, raw: bytes) -> bool:
    """Whether this JSON text has more than so many values; costs far less than to read it.

    Keys do not count, empty lists and objects count twice. Of a text that is no JSON, counts at least what stands
    before its fault: so it bounds what reading costs in any case.
    """
    if len(raw) <= most:
        return False
    quotes = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    if quotes.count(b'"') > 4 * most:  # two for a value, two for its key
        return True
    outside = b"".join(quotes.split(b'"')[::2])
    return sum(map(outside.count, (b",", b"[", b"{"))) >= most


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _float(text: str) -> float | Literal:
    number = float(text)
    return number if repr(number) == text else Literal(text)


def _integer(text: str) -> int | Literal:
    # Beyond 4,300 digits Python refuses, far below that it still prints what it read.
    return Literal(text) if text == "-0" or len(text) > 1000 else int(text)


def _refuse(text: str) -> Any:
    return _refuse_at(0, text, text)


def _refuse_at(place: int, word: str, text: str) -> Any:
    raise json.JSONDecodeError(f"{word} is not JSON", text, place)


_LONG = 1 << 20

_FAST = json.JSONDecoder(parse_float=_float, parse_constant=_refuse)
_EXACT = json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_refuse)


def _decoder_for(text: str) -> json.JSONDecoder:
    # `-0` is the one whole number that prints differently; looking for it is cheaper than a Python call per number.
    # Thousands of digits take Python long to read and to print, and where they pay, the text is long.
    return _EXACT if len(text) > _LONG or "-0" in text else _FAST


def _decode_exactly(text: str) -> Any:
    """For a number of more digits than Python's `int` takes, which the fast decoder answers with a bare ValueError."""
    try:
        return _EXACT.decode(text)
    except RecursionError:
        raise Malformed("too_deep") from None
    except ValueError:
        raise Malformed("not_json") from None


def _source_text(value: Any) -> str:
    if isinstance(value, Literal):
        return f"{_MARK}{value.text}{_MARK}"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _python_number(value: Any) -> Any:
    if isinstance(value, Literal):
        plain = value.plain()
        return _source_text(value) if plain is None else plain
    return _source_text(value)


_CANONICAL = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=_source_text
)
_OUTGOING = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, allow_nan=False, separators=(",", ":"), default=_python_number
)


def _deeper_than(limit: int, value: Any) -> bool:
    # Level by level and not by recursion: what is to be found out is whether recursion would be safe.
    level = _containers_in([value])
    for _ in range(limit):
        level = [child for parent in level for child in _containers_in(parent)]
        if not level:
            return False
    return True


def _containers_in(parent: Any) -> list[Any]:
    members = parent.values() if isinstance(parent, dict) else parent
    return [member for member in members if isinstance(member, dict | list)]
