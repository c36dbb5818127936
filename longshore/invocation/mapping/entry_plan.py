"""The jq programs of one mapping entry, and what they give over a message."""

from typing import Any

from longshore.invocation.mapping.defaults import DEFAULT_METHOD, DEFAULT_URL
from longshore.invocation.mapping.jq import JqEngine
from longshore.invocation.mapping.lint import condition_of
from longshore.invocation.mapping.plain_expressions import compile_plain
from longshore.invocation.mapping.programs import FAILED, Compiler, Group
from longshore.invocation.mapping.schema import MappingEntry
from longshore.invocation.mapping.template import Expression, Expressions
from longshore.invocation.variables import variables_of
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


class EntryPlan:
    """The templates and programs of one entry, by what they are evaluated for: enabled, target, request, report."""

    def __init__(self, compiler: Compiler, reports: JqEngine, entry: MappingEntry, index: int) -> None:
        place = f"mapping {index}"
        self.maps_body = entry.body is not None
        target, parts, report = Expressions(), Expressions(), Expressions()
        pointers = {
            "url": DEFAULT_URL if entry.url is None else entry.url,
            "method": DEFAULT_METHOD if entry.method is None else entry.method,
        }
        for key, source in pointers.items():
            target.add(source, f"{place}, {key}")
        if entry.delivery.order:
            target.add(entry.delivery.order.key, f"{place}, delivery, order")
        self.request = {key: parts.add(source, f"{place}, {key}") for key, source in pointers.items()}
        for key, part in (("headers", entry.headers), ("query", entry.query), ("body", entry.body)):
            self.request[key] = parts.add(part, f"{place}, {key}")
        self.report = report.add(entry.report, f"{place}, report")
        self.reads = variables_of(*(expression.source for expression in (*parts.all, *report.all)))
        enabled = entry.enabled if isinstance(entry.enabled, str) else "true"
        self.enabled_group = compiler.group([Expression(f"{place}, enabled", enabled)])
        self.target_group = compiler.group(target.all)
        self.request_group = compiler.group(parts.all)
        self.report_group = compiler.group(report.all, reports)
        self.success_group: Group | None = None
        if (condition := condition_of(entry, index)) is not None:
            self.success_group = compiler.group([_over_all_outputs(condition, compiler)], reports)


def _over_all_outputs(condition: Expression, compiler: Compiler) -> Expression:
    """The condition, true only if each of its outputs is: of `.body.items[].ok` the first alone says too little."""
    if condition.source in compiler.errors or compile_plain(condition.source) is not None:
        return condition
    return Expression(condition.place, f"[{condition.source}\n] | . != [] and all(. == true)")


def evaluate_group(group: Group, text: str) -> list[Any]:
    """The results, with null for each that failed; its log line omits jq's error text, which quotes the message."""
    return replace_failed(group, group.evaluate(text))


def replace_failed(group: Group, results: list[Any]) -> list[Any]:
    """The `results` of a group, with null and a log line for each that failed."""
    for expression, result in zip(group.expressions, results, strict=True):
        if result is FAILED:
            log.event(events.MAPPING_EXPRESSION_FAILED, place=expression.place)
    return [null_if_failed(result) for result in results]


def null_if_failed(result: Any) -> Any:
    """`result`, or None for an expression that failed."""
    return None if result is FAILED else result
