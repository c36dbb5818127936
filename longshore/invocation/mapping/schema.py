"""Reads a mapping file into entries, or says everything that is wrong with it (wire contract, mapping schema)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from longshore.invocation import delivery_section, json_text
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.mapping.repeated_keys import find_repeated_keys
from longshore.invocation.section_values import InvalidValue, read_choice, type_name

MAX_DEPTH = 64
"""Deepest nesting of a file: bodies are walked by recursion, at every message."""

STRICT = "YAML, comments and commas at the end of lists are not supported"

REPORT_KEYS = ("status", "link", "summary", "externalRunId")
KEYS = (
    "enabled",
    "url",
    "method",
    "headers",
    "body",
    "bodyFormat",
    "query",
    "report",
    "fieldsToDecryptPaths",
    "delivery",
)

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
    body_format: BodyFormat = BodyFormat.JSON


@dataclass(slots=True)
class Findings:
    """What reading a file brought up: `problems` stop the start, `warnings` do not."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(content: bytes, findings: Findings) -> tuple[MappingEntry, ...]:
    """The entries of a file; what is wrong goes to `findings`, all of it and not only the first."""
    try:
        mappings = json_text.loads(content, MAX_DEPTH)
    except json_text.Malformed as error:
        descriptions = {"not_utf8": "is not UTF-8", "too_deep": f"is nested deeper than {MAX_DEPTH} levels"}
        findings.problems.append(
            descriptions.get(error.reason) or f"is not JSON ({json_text.describe_fault(content)}; {STRICT})"
        )
        return ()
    if not isinstance(mappings, list):
        findings.problems.append(f"is {type_name(mappings)}, not a list of mappings")
        return ()
    findings.warnings.extend(find_repeated_keys(content, mappings))
    return tuple(_read_entry(mapping, f"mapping {index}", findings) for index, mapping in enumerate(mappings))


def _read_entry(mapping: Any, place: str, findings: Findings) -> MappingEntry:
    if not isinstance(mapping, dict):
        findings.problems.append(f"{place} is {type_name(mapping)}, not an object")
        return MappingEntry()
    findings.warnings.extend(_unknown_keys(mapping, KEYS, place))
    if isinstance(mapping.get("report"), dict):
        findings.warnings.extend(_unknown_keys(mapping["report"], REPORT_KEYS, f"{place}, report"))
    values: dict[str, Any] = {}
    for key, read_value in _READERS.items():
        if key in mapping and (mapping[key] is not None or key in _NEVER_NULL):
            try:
                values[key] = read_value(mapping[key])
            except InvalidValue as error:
                findings.problems.append(f"{place}, {key} {error}")
    values["decrypt"] = values.pop("fieldsToDecryptPaths", ())
    if (body_format := values.pop("bodyFormat", None)) is not None:
        values["body_format"] = body_format
        if body_format in (BodyFormat.TEXT, BodyFormat.XML) and not isinstance(values.get("body"), str):
            findings.problems.append(f"{place}, bodyFormat is {body_format}: body must be a jq text that gives a text")
    values["delivery"] = delivery_section.read_section(mapping.get("delivery"), findings.problems, f"{place}, delivery")
    return MappingEntry(**values)


def _unknown_keys(section: dict[str, Any], known_keys: tuple[str, ...], place: str) -> Iterator[str]:
    for key in section:
        if key not in known_keys:
            similar_keys = get_close_matches(key, known_keys, n=1)
            hint = f"; did you mean {similar_keys[0]!r}?" if similar_keys else ""
            yield f"{place}: unknown key {key!r} is ignored{hint}"


def _read_expression(value: Any) -> str:
    """A jq expression; a number or a boolean is read as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | json_text.Literal):
        return json_text.dumps(value, ascii=False)
    raise InvalidValue(f"is {type_name(value)}, not a jq text")


def _read_enabled(value: Any) -> bool | str:
    expression = _read_expression(value) if value is not None else None
    if expression is None:
        raise InvalidValue("is null; leave it out, or give true, false or a jq text")
    # 1.0 and 0.0 are the numbers 1 and 0.
    keyword = expression.lower().removesuffix(".0") if not isinstance(value, str) else value.lower()
    return True if keyword in _TRUE else False if keyword in _FALSE else expression


def _read_expressions(value: Any) -> dict[str, str] | str:
    if not isinstance(value, dict):
        return _read_expression(value)
    return {key: _read_member(key, item) for key, item in value.items()}


def _read_member(key: str, value: Any) -> str:
    try:
        return _read_expression(value)
    except InvalidValue as error:
        raise InvalidValue(f"{key!r}: {error}") from None


def _read_body(value: Any) -> dict[str, Any] | str:
    if isinstance(value, list):
        raise InvalidValue('is a list; put it into a jq text, such as "[.action]"')
    return value if isinstance(value, dict) else _read_expression(value)


def _read_body_format(value: Any) -> BodyFormat:
    return BodyFormat(read_choice(value, tuple(map(str, BodyFormat))))


def _read_report(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidValue(f"is {type_name(value)}, not an object")
    return {key: _read_member(key, value[key]) for key in REPORT_KEYS if value.get(key) is not None}


def _read_paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidValue(f"is {type_name(value)}, not a list of paths")
    return tuple(_read_member(str(index), path) for index, path in enumerate(value))


_READERS = {
    "enabled": _read_enabled,
    "url": _read_expression,
    "method": _read_expression,
    "headers": _read_expressions,
    "body": _read_body,
    "bodyFormat": _read_body_format,
    "query": _read_expressions,
    "report": _read_report,
    "fieldsToDecryptPaths": _read_paths,
}
_NEVER_NULL = ("enabled", "fieldsToDecryptPaths")
