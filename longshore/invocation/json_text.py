"""JSON text that survives a round trip to the byte, as signatures over it must.

Owns parsing and printing of messages. Python's own `json` changes numbers on the way (`1e-7` becomes `1e-07`, `1.10`
becomes `1.1`) and leaves lone surrogates that cannot be encoded; both break a valid signature. Everything else is done
by the standard library's C code, which is why this is fast.
"""

import json
import math
import secrets
from dataclasses import dataclass
from typing import Any

from longshore.errors import LongshoreError
from longshore.invocation.json_limits import MAX_DEPTH, is_deep

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
        return number if math.isfinite(number) and not _is_integer(self.text) else None


def loads(text: str | bytes, max_depth: int = MAX_DEPTH, *, keep_repeated: bool = False) -> Any:
    """The value of a JSON text, with numbers that print as they were written.

    Bytes are UTF-8, with or without a byte order mark. Of a repeated key the last value counts, as in JavaScript; with
    `keep_repeated` an object that has one becomes the list of its members, so that nothing of the text is missing.

    Raises:
        Malformed: not UTF-8, not JSON (`NaN` and `Infinity` are not), or nested deeper than `max_depth`.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Malformed("not_utf8") from None
    try:
        value = _decoder_for(text, keep_repeated).decode(text)
    except RecursionError:
        raise Malformed("too_deep") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise Malformed("not_json") from None
        value = _decode_exactly(text, keep_repeated)
    if is_deep(value, text, max_depth):
        raise Malformed("too_deep")
    return value


def dumps(value: Any, *, ascii: bool, is_sorted: bool = False) -> str:
    r"""Compact JSON text of a value that `loads` gave.

    With `ascii` false this is what JavaScript's `JSON.stringify` prints (wire contract, incoming signature): non-ASCII
    raw, a lone surrogate as `\udxxx`, numbers as received. With `ascii` true it is the outgoing rule: non-ASCII escaped
    and numbers as Python prints them, because receivers that read and print the body again expect that.
    `is_sorted`, with `ascii` false: the members of objects in the order of their names.

    Raises:
        Malformed: the value is nested too deeply to be printed.
    """
    try:
        text = (_OUTGOING if ascii else _SORTED if is_sorted else _CANONICAL).encode(value)
    except RecursionError:
        raise Malformed("too_deep") from None
    if _MARK in text:
        text = text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")
    if not ascii and not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def is_outgoing(value: Any, text: str) -> bool:
    """Whether `text`, the canonical text of `value`, is its outgoing text too, to the byte."""
    try:
        return text.isascii() and dumps(value, ascii=True) == text
    except Malformed:
        return False


def describe_fault(content: bytes) -> str:
    """Where and why a text that a person wrote is not strict JSON, such as `line 3, column 5: Expecting value`."""
    text = content.decode("utf-8-sig", "replace")
    try:
        json.loads(text, parse_int=len, parse_constant=lambda word: _refuse_at(text.find(word), word, text))
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    return "unreadable"


def _is_integer(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _float(text: str) -> float | Literal:
    number = float(text)
    return number if repr(number) == text else Literal(text)


def _integer(text: str) -> int | Literal:
    # Beyond 4,300 digits Python refuses, far below that it still prints what it read.
    return Literal(text) if text == "-0" or len(text) > 1000 else int(text)


def _refuse(text: str) -> Any:
    return _refuse_at(0, text, text)


def _refuse_at(position: int, word: str, text: str) -> Any:
    raise json.JSONDecodeError(f"{word} is not JSON", text, position)


_LONG_CHARS = 1 << 20


def _list_repeated(members: list[tuple[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
    value = dict(members)
    return value if len(value) == len(members) else [{name: item} for name, item in members]


_FAST, _FAST_KEEPING = (
    json.JSONDecoder(parse_float=_float, parse_constant=_refuse, object_pairs_hook=hook)
    for hook in (None, _list_repeated)
)
_EXACT, _EXACT_KEEPING = (
    json.JSONDecoder(parse_float=_float, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=hook)
    for hook in (None, _list_repeated)
)


def _decoder_for(text: str, keep_repeated: bool) -> json.JSONDecoder:
    # `-0` is the one whole number that prints differently; looking for it is cheaper than a Python call per number.
    # Thousands of digits take Python long to read and to print, and where they pay, the text is long.
    if len(text) > _LONG_CHARS or "-0" in text:
        return _EXACT_KEEPING if keep_repeated else _EXACT
    return _FAST_KEEPING if keep_repeated else _FAST


def _decode_exactly(text: str, keep_repeated: bool) -> Any:
    """For a number of more digits than Python's `int` takes, which the fast decoder answers with a bare ValueError."""
    try:
        return (_EXACT_KEEPING if keep_repeated else _EXACT).decode(text)
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


_CANONICAL, _SORTED = (
    json.JSONEncoder(
        ensure_ascii=False,
        check_circular=False,
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=is_sorted,
        default=_source_text,
    )
    for is_sorted in (False, True)
)
_OUTGOING = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, allow_nan=False, separators=(",", ":"), default=_python_number
)
