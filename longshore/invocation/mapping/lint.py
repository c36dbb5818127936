"""Warnings about mapping files that are valid but surely not meant so; logged once, at start."""

import re
from collections.abc import Iterator
from typing import Any

from longshore.invocation.mapping.schema import MappingEntry
from longshore.invocation.mapping.template import Expression, Expressions

# At the beginning of a path only: `.payload.body` may well exist.
_WRAPPER = re.compile(r"""(?<![\w\])}"'?.])\.(body|request|response)\b""")
_OF_REPORT = re.compile(r"""(?<![\w\])}"'?.])\.(request|response|statusCode)\b""")
_UPPER_CASE_HEADER = re.compile(r"""(?<![\w\])}"'?.])\.headers(?:\[\s*"|\.\s*"?)([\w-]*[A-Z][\w-]*)""")
_SHORTCUT = re.compile(r"\.payload\.invocationMethod\b")


def expressions_of(entry: MappingEntry, index: int) -> tuple[list[Expression], list[Expression]]:
    """All expressions of an entry: those over the message, and those of its report."""
    message, report = Expressions(), Expressions()
    parts: dict[str, Any] = {
        "enabled": entry.enabled,
        "url": entry.url,
        "method": entry.method,
        "headers": entry.headers,
        "body": entry.body,
        "query": entry.query,
        "delivery, order": entry.delivery.order and entry.delivery.order.key,
    }
    for key, part in parts.items():
        message.add(part, f"mapping {index}, {key}")
    report.add(entry.report, f"mapping {index}, report")
    return message.all, report.all


def condition_of(entry: MappingEntry, index: int) -> Expression | None:
    """The expression of an entry over the answer of its target."""
    success = entry.delivery.success
    if success is None or not success.condition:
        return None
    return Expression(f"mapping {index}, delivery, success, condition", success.condition)


def warnings_of(entry: MappingEntry, index: int) -> Iterator[str]:
    """What is likely a mistake in one entry."""
    for expression in expressions_of(entry, index)[0]:
        if match := _WRAPPER.search(expression.source):
            yield (
                f"{expression.place}: there is no .{match[1]} here and it gives null; the message itself is `.`, "
                f"as in `.payload`"
            )
        if _SHORTCUT.search(expression.source):
            yield f"{expression.place}: the invocation method is at .payload.action.invocationMethod"
    credentials = entry.delivery.credentials
    headers = entry.headers if isinstance(entry.headers, dict) else {}
    if credentials is not None and credentials.header.lower() in map(str.lower, headers):
        yield (
            f"mapping {index}: sets the header {credentials.header} itself, so its delivery, credentials are never "
            f"used; leave one of them out"
        )
    if (condition := condition_of(entry, index)) is not None:
        if match := _OF_REPORT.search(condition.source):
            yield f"{condition.place}: there is no .{match[1]} here; the answer has .status, .headers and .body"
        if match := _UPPER_CASE_HEADER.search(condition.source):
            yield f"{condition.place}: names of headers are in lower case here: {match[1].lower()}"
    for path in entry.decrypt:
        if path.startswith(".") or "[" in path or "*" in path:
            yield (
                f"mapping {index}, fieldsToDecryptPaths: {path!r} leads nowhere; write it without a leading dot, "
                f"brackets or wildcards, such as payload.secrets.0.value"
            )
