"""Which entry of a mapping file a message selects, and the URL and method that the entry gives it."""

from collections.abc import Sequence
from typing import Any

from longshore.invocation.mapping import request
from longshore.invocation.mapping.entry_plan import EntryPlan, null_if_failed
from longshore.invocation.mapping.jq import JqEngine, JqJob
from longshore.invocation.mapping.jq_process import JqAnswer, Status
from longshore.invocation.mapping.order_key import parse_order_key
from longshore.invocation.mapping.plain_expressions import NeedsJq, ask_for_missing
from longshore.invocation.mapping.programs import Compiler, parse_result, unwrap_result
from longshore.invocation.mapping.results import MappingFault, Route, RouteResult, Unmatched
from longshore.invocation.mapping.schema import MappingEntry


class Router:
    """Routes messages by the entries of one file, in order."""

    def __init__(
        self, engine: JqEngine, compiler: Compiler, entries: Sequence[MappingEntry], plans: Sequence[EntryPlan]
    ) -> None:
        self._engine = engine
        self._program = compiler.router(entries)
        self._entries = [(entry.enabled, plan) for entry, plan in zip(entries, plans, strict=True)]

    def routes(self, texts: Sequence[str], messages: Sequence[Any]) -> list[RouteResult]:
        """The route of each message, given as its canonical text and as its value.

        jq is asked once for all that are not plain. Raises JqUnavailable.
        """
        routes = [self._route_plainly(message) for message in messages]
        return ask_for_missing(routes, lambda missing: self._ask([texts[at] for at in missing]))

    def _ask(self, texts: Sequence[str]) -> list[RouteResult]:
        answers = self._engine.evaluate([JqJob(self._program, text) for text in texts])
        return [self._route(answer, text) for answer, text in zip(answers, texts, strict=True)]

    def _route_plainly(self, message: Any) -> RouteResult | None:
        try:
            for index, (enabled, plan) in enumerate(self._entries):
                if not isinstance(enabled, bool):
                    enabled = plan.enabled_group.evaluate_plainly(message)[0]
                if enabled is True:  # not 1, which Python takes for equal
                    results = plan.target_group.evaluate_plainly(message)
                    return _build_route(index, *([result] for result in results))
        except NeedsJq:
            return None
        except MappingFault as fault:
            return fault
        return Unmatched()

    def _route(self, answer: JqAnswer, text: str) -> RouteResult:
        try:
            if answer.status is not Status.VALUE:
                return self._route_slowly(text)
            selection = parse_result(answer.text, "mapping")
            return _build_route(*selection) if selection is not None else Unmatched()
        except MappingFault as fault:
            return fault

    def _route_slowly(self, text: str) -> RouteResult:
        """One expression after the other, which finds out which one was cut off, or halts jq."""
        for index, (enabled, plan) in enumerate(self._entries):
            if not isinstance(enabled, bool):
                enabled = plan.enabled_group.evaluate(text)[0]
            if enabled is True:
                results = (null_if_failed(result) for result in plan.target_group.evaluate(text))
                return _build_route(index, *([result] for result in results))
        return Unmatched()


def _build_route(index: int, url: Any, method: Any, *order: Any) -> Route:
    place = f"mapping {index}"
    return Route(
        index,
        request.method(null_if_failed(unwrap_result(method)), f"{place}, method"),
        request.url(null_if_failed(unwrap_result(url)), f"{place}, url"),
        parse_order_key(unwrap_result(order[0]), f"{place}, delivery, order") if order else "",
    )
