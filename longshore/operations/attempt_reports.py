"""What Port is told after an attempt: the mapping's report section evaluated, and the reports that follow.

Shared by the worker and by `longshore mapping test`, so that the command prints what the worker would report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.delivery.outcome import Outcome, Response
from longshore.delivery.policy import Dead, Done, RetryAfter, Step
from longshore.delivery.request_builder import BuiltRequest, RequestBuilder
from longshore.errors import place_of
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import JqUnavailable, MappingFault
from longshore.invocation.report_context import is_too_deep
from longshore.operations.response_masking import mask_certain, mask_report
from longshore.port import reports
from longshore.port.report_codec import Report

TOO_DEEP = "The answer's JSON is nested too deeply; what the report section of the mapping takes from it stays empty."


@dataclass(frozen=True, slots=True)
class MappedReport:
    """The result of a mapping's report section."""

    values: dict[str, Any] | None = None
    """Without secrets; None where there is no such section, or where it failed."""
    note: str = ""
    """What is missing from it, as a sentence for the run's log."""
    problem: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What decides, besides the response, what is reported to Port."""

    kind: Kind
    synchronized: bool
    attempt: int = 1
    """The number of the attempt, from 1."""


def evaluate_mapped_report(
    builder: RequestBuilder,
    built_request: BuiltRequest,
    kind: Kind,
    outcome: Outcome,
    masked_outcome: Outcome,
    step: Step,
) -> MappedReport:
    """Evaluates the report section of the mapping over `outcome`. Raises nothing: a fault in it costs only the report.

    Evaluated only for the last response to an action run, delivered or dead; otherwise the result is empty.
    `outcome.headers` are those of the request as it was sent; `masked_outcome` is `mask_outcome` of it.
    """
    response, masked_response = outcome.response, masked_outcome.response
    if kind is not Kind.ACTION_RUN or not isinstance(step, Done | Dead) or response is None or masked_response is None:
        return MappedReport()
    try:
        values = _evaluate(builder, built_request, outcome.headers, response, masked_response)
        if values is None:
            return MappedReport()
        note = TOO_DEEP if is_too_deep(response.text) else ""
        return MappedReport(mask_report(values, built_request.mask, outcome.headers), note)
    except (MappingFault, JqUnavailable) as error:
        problem = str(error)
    except Exception as error:
        problem = f"{type(error).__name__} at {place_of(error)}"
    return MappedReport(None, f"The report section of the mapping gave nothing: {problem}.", problem)


def _evaluate(
    builder: RequestBuilder,
    built_request: BuiltRequest,
    headers: Mapping[str, str],
    response: Response,
    masked_response: Response,
) -> dict[str, Any] | None:
    """The values of the report section, each over a `response` that is masked as far as that value needs.

    An expression may take a piece of the response (`.response.text[:200]`), and no mask finds a piece of a secret
    afterwards. So what is secret for sure is masked before. What is but announced by a name stays in for links, ids and
    statuses, which have to work; the summary, a text for people, is made of `masked_response`.
    """
    if masked_response == response:  # nearly always
        return builder.evaluate_report(built_request, headers, response)
    without_certain = mask_certain(response, built_request.mask, headers)
    values = builder.evaluate_report(built_request, headers, without_certain)
    if values and "summary" in values and without_certain != masked_response:
        for_people = builder.evaluate_report(built_request, headers, masked_response) or {}
        values["summary"] = for_people.get("summary")
    return values


def build_reports(step: Step, outcome: Outcome, run: RunContext, report: MappedReport, detailed: bool) -> list[Report]:
    """The reports to Port on `run` after an attempt that ended in `outcome` and is followed by `step`.

    `outcome` is masked; with `detailed` (DETAILED_LOGGING) the response is quoted.
    """
    kind, synchronized = run.kind, run.synchronized
    if isinstance(step, Done):
        return reports.delivered(kind, synchronized, outcome, report.values, detailed, report.note)
    if isinstance(step, RetryAfter):
        return reports.retrying(kind, outcome, run.attempt, step.delay_s)
    if isinstance(step, Dead):
        return reports.failed(kind, synchronized, outcome, report.values, detailed, run.attempt, report.note)
    return reports.unknown(kind, synchronized, outcome, outcome.reason)
