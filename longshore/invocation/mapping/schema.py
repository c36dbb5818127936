"""Reads a mapping file into entries, or says everything that is wrong with it (wire contract, mapping schema)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from longshore.invocation import delivery_options, json_text
from longshore.invocation.delivery_options import DeliveryOptions

MAX_DEPTH = 64
"""Deepest nesting of a file: bodies are walked by recursion, at every message."""

STRICT = "YAML, comments and commas at the end of lists are not supported"

REPORT_KEYS = ("status", "link", "summary", "externalRunId")
KEYS = ("enabled", "url", "method", "headers", "body", "query", "report", "fieldsToDecryptPaths", "delivery")

_TRUE = {"true", "yes", "on", "t", "y", "1"}
_FALSE = {"false", "no", "off", "f", "n", "0"}


@dataclass(frozen=True, slots=True)
class MappingEntry:
    """One mapping. Texts are jq expressions; None is what the file leaves out, so that the default holds."""

    enabled: bool | str = True
    url: str | None = None
    method: str | None = None
    headers: dict[str, str] | str | None = None
    body: dict[str, Any] | str | None = None
    query: dict[str, str] | str | None = None
    report: dict[str, str] = field(default_factory=dict)
    decrypt: tuple[str, ...] = ()
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)


@dataclass(slots=True)
class Findings:
    """What reading a file brought up: `problems` stop the start, `warnings` do not."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Wrong(Exception):
    """A value is against the schema; caught here, where its place is known."""


def read(content: bytes, findings: Findings) -> tuple[MappingEntry, ...]:
    """The entries of a file; what is wrong goes to `findings`, all of it and not only the first."""
    try:
        mappings = json_text.loads(content, MAX_DEPTH)
    except json_text.Malformed as problem:
        words = {"not_utf8": "is not UTF-8", "too_deep": f"is nested deeper than {MAX_DEPTH} levels"}
        findings.problems.append(words.get(problem.reason) or f"is not JSON ({json_text.fault_in(content)}; {STRICT})")
        return ()
    if not isinstance(mappings, list):
        findings.problems.append(f"is {_kind(mappings)}, not a list of mappings")
        return ()
    return tuple(_entry(mapping, f"mapping {index}", findings) for index, mapping in enumerate(mappings))


def _entry(mapping: Any, place: str, findings: Findings) -> MappingEntry:
    if not isinstance(mapping, dict):
        findings.problems.append(f"{place} is {_kind(mapping)}, not an object")
        return MappingEntry()
    findings.warnings.extend(_unknown(mapping, KEYS, place))
    if isinstance(mapping.get("report"), dict):
        findings.warnings.extend(_unknown(mapping["report"], REPORT_KEYS, f"{place}, report"))
    values: dict[str, Any] = {}
    for key, read_value in _READERS.items():
        if key in mapping and (mapping[key] is not None or key in _NEVER_NULL):
            try:
                values[key] = read_value(mapping[key])
            except _Wrong as problem:
                findings.problems.append(f"{place}, {key} {problem}")
    values["decrypt"] = values.pop("fieldsToDecryptPaths", ())
    values["delivery"] = delivery_options.read(mapping.get("delivery"), findings.problems, f"{place}, delivery")
    return MappingEntry(**values)


def _unknown(given: dict[str, Any], known: tuple[str, ...], place: str) -> Iterator[str]:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"{place}: unknown key {key!r} is ignored{hint}"


def _expression(value: Any) -> str:
    """A jq expression; a number or a boolean is read as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | json_text.Literal):
        return json_text.dumps(value, ascii=False)
    raise _Wrong(f"is {_kind(value)}, not a jq text")


def _enabled(value: Any) -> bool | str:
    expression = _expression(value) if value is not None else None
    if expression is None:
        raise _Wrong("is null; leave it out, or give true, false or a jq text")
    # 1.0 and 0.0 are the numbers 1 and 0.
    word = expression.lower().removesuffix(".0") if not isinstance(value, str) else value.lower()
    return True if word in _TRUE else False if word in _FALSE else expression


def _expressions(value: Any) -> dict[str, str] | str:
    if not isinstance(value, dict):
        return _expression(value)
    return {key: _named(key, item) for key, item in value.items()}


def _named(key: str, value: Any) -> str:
    try:
        return _expression(value)
    except _Wrong as problem:
        raise _Wrong(f"{key!r}: {problem}") from None


def _body(value: Any) -> dict[str, Any] | str:
    if isinstance(value, list):
        raise _Wrong('is a list; put it into a jq text, such as "[.action]"')
    return value if isinstance(value, dict) else _expression(value)


def _report(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"is {_kind(value)}, not an object")
    return {key: _named(key, value[key]) for key in REPORT_KEYS if value.get(key) is not None}


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong(f"is {_kind(value)}, not a list of paths")
    return tuple(_named(str(index), path) for index, path in enumerate(value))


_READERS = {
    "enabled": _enabled,
    "url": _expression,
    "method": _expression,
    "headers": _expressions,
    "body": _body,
    "query": _expressions,
    "report": _report,
    "fieldsToDecryptPaths": _paths,
}
_NEVER_NULL = ("enabled", "fieldsToDecryptPaths")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "a boolean"}
    return kinds.get(type(value), "a number")
