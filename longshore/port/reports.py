"""What Port hears of a run: which logs, response and status belong to each thing that can happen to it.

Owns the sequences of the wire contract ("Delivery and reporting"): the response before the status, the terminal status
last, FAILURE only after the last attempt, nothing at all about change log events. Leaves to others: keeping reports
(the outbox), turning them into calls (`calls.py`) and making those (`client.py`).
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from longshore.errors import LongshoreError
from longshore.invocation.kinds import Kind
from longshore.invocation.report_kinds import ReportKind
from longshore.port.response_body import reportable
from longshore.port.size_limits import QUOTE_MAX, TEXT_MAX, fit, fit_response
from longshore.port.status_patch import TERMINAL, merge_status


class BadReport(LongshoreError):
    """Bytes that are not a report: written by a newer version, or damaged."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing to tell Port. `body` is the JSON object of its call, except that log lines are kept one by one."""

    kind: ReportKind
    body: dict[str, Any]


class ResponseFacts(Protocol):
    """What is used of a target's response."""

    @property
    def text(self) -> str:
        """The body as text, possibly cut."""

    @property
    def truncated(self) -> bool:
        """Whether `text` is less than the whole."""


class OutcomeFacts(Protocol):
    """What is used of the outcome of an attempt."""

    @property
    def status(self) -> int | None:
        """The HTTP status, if the target answered."""

    @property
    def cause(self) -> str:
        """What happened, in plain language and without secrets."""

    @property
    def redirected(self) -> str:
        """Where a redirect led that changed the request, and to what; empty for none."""

    @property
    def response(self) -> ResponseFacts | None:
        """The response, if there was one."""


def encode(report: Report) -> bytes:
    """A report as bytes for the outbox (JSON); not sealed."""
    return json.dumps([report.kind, report.body], separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> Report:
    """The report that `encode` wrote. Raises BadReport."""
    try:
        kind, body = json.loads(data)
        report = Report(ReportKind(kind), body)
    except (ValueError, TypeError, RecursionError):
        raise BadReport("not a report of this version") from None
    if not isinstance(body, dict):
        raise BadReport("a report without an object")
    return report


def received(kind: Kind) -> list[Report]:
    """The invocation was accepted: whatever happens now, it is not lost."""
    return _log(kind, "Received; the delivery to its target is queued.")


def retrying(kind: Kind, outcome: OutcomeFacts, attempt: int, delay_s: float) -> list[Report]:
    """Attempt `attempt` failed and another follows in about `delay_s` seconds. Never a status: it goes on."""
    return _log(kind, f"Attempt {attempt} failed: {_said(outcome)} Next attempt in {_span(delay_s)}.", "WARN")


def delivered(
    kind: Kind,
    synchronized: bool,
    outcome: OutcomeFacts,
    report: Mapping[str, Any] | None,
    detailed: bool,
    note: str = "",
) -> list[Report]:
    """The target took the invocation (status below 400).

    `report` is what the mapping's report section gave, null values kept, or None; it is never used for a node run.
    `detailed` changes nothing here: it is taken so that every ending is called alike. `note` is a sentence on what
    could not be told, for the log.
    """
    logs = _log(kind, f"Delivered: {_said(outcome)}") + _noted(kind, note)
    if kind is Kind.NODE_RUN:
        return logs + (_node_output(outcome) if synchronized else [])
    defaults = {"status": "SUCCESS"} if synchronized else {}
    return _action(kind, logs, synchronized, outcome, defaults, report)


def failed(
    kind: Kind,
    synchronized: bool,
    outcome: OutcomeFacts,
    report: Mapping[str, Any] | None,
    detailed: bool,
    attempts: int = 1,
    note: str = "",
) -> list[Report]:
    """The last attempt failed, or one failed for good: FAILURE or FAILED, for asynchronous runs too.

    `report` and `note` as in `delivered`. With `detailed` the target's response is quoted in log and summary.
    """
    said = _said(outcome, detailed)
    count = f" after {attempts} attempts" if attempts > 1 else ""
    logs = _log(kind, f"Delivery failed{count}: {said}", "ERROR") + _noted(kind, note)
    if kind is Kind.NODE_RUN:
        return logs + _completed("FAILED")
    defaults = {"status": "FAILURE", "summary": fit(said[:1].upper() + said[1:], TEXT_MAX)}
    return _action(kind, logs, synchronized, outcome, defaults, report)


def unknown(kind: Kind, synchronized: bool, outcome: OutcomeFacts | None, reason: str) -> list[Report]:
    """The request was sent and nobody knows what came of it, and it will not be sent again by itself.

    A synchronous run ends, as nothing else would ever end it. An asynchronous one only gets a log line: its backend may
    be at work and reports the status itself. `outcome` is None when a worker was lost; then `reason` is all there is.
    """
    cause = _said(outcome) if outcome is not None else _LOST.get(reason, f"{reason}.")
    text = f"Outcome unknown, it may have run: {cause}"
    logs = _log(kind, f"{text} It is not sent again unless somebody requeues it.", "ERROR")
    if not synchronized:
        return logs
    if kind is Kind.NODE_RUN:
        return logs + _completed("FAILED")
    return _action(kind, logs, True, outcome, {"status": "FAILURE", "summary": fit(text, TEXT_MAX)}, None)


def refused(kind: Kind, reason: str, cause: str = "") -> list[Report]:
    """The invocation was refused before any request: `reason` is the code, `cause` the same in plain language.

    What is not proven to come from Port must not change its runs: a bad signature fails only node runs, as the original
    agent does, and without a log; something malformed is not reported at all. Everything else ends the run.
    """
    if reason == "malformed" or (reason == "bad_signature" and kind is not Kind.NODE_RUN):
        return []
    if reason == "bad_signature":
        return _completed("FAILED")
    text = f"Not delivered: {_sentence(cause or reason)}"
    logs = _log(kind, text, "ERROR")
    if kind is Kind.NODE_RUN:
        return logs + _completed("FAILED")
    return _action(kind, logs, False, None, {"status": "FAILURE", "summary": fit(text, TEXT_MAX)}, None)


def waiting(kind: Kind, why: str, ahead: int, per_s: float, at: float) -> list[Report]:
    """The invocation has waited long, and `ahead` others go first.

    `why`: the target is `paused`, its breaker is `open` until `at`, it is reached at the `pace` of `per_s` starts a
    second, or nothing is known (`full`). `at` is when its turn comes about (seconds since 1970), 0 for nobody knows.
    """
    first = f"{ahead} ahead" if ahead else "none ahead"
    if why == "pace":
        text = f"{first} at {per_s:.3g}/s, about {_time_of_day(at)}."
    elif why == "paused":
        text = f"its target was paused by an operator; {first}."
    elif why == "open":
        text = f"its target keeps failing and is tried again at {_time_of_day(at, '%H:%M:%S')}; {first}."
    else:
        text = f"its target takes no more at the moment; {first}."
    return _log(kind, f"Waiting: {text}")


def by_script(report: ReportKind, text: str, kind: Kind, synchronized: bool, poison: str) -> list[Report]:
    """What a script left in the outbox in clear (`BY_SCRIPTS`), in words. Raises ValueError for other kinds.

    `text` is the reason code, or for `WAITING` the numbers of report_waits.lua. `poison` is why a script gives up, in
    plain language: it does so where each worker that tried an invocation died.
    """
    match report:
        case ReportKind.WAITING:
            why, ahead, per_s, at_ms = text.split(" ")
            return waiting(kind, why, int(ahead), float(per_s), float(at_ms) / 1000)
        case ReportKind.DEAD_LETTER:
            return refused(kind, text, poison)
        case ReportKind.LOST | ReportKind.LOST_ENDED:
            return unknown(kind, synchronized, None, text)
        case _:
            raise ValueError(f"no script writes a {report.name}")


def not_taken(kind: Kind, what: str, why: str) -> list[Report]:
    """Port does not take the `what` of a run, and `why`."""
    return _log(kind, _sentence(f"Port did not take the {what} of this run: {why}"), "ERROR")


def foreign(kind: Kind) -> list[Report]:
    """In place of a report that does not belong to this run."""
    says = "A report of this run was not sent: what Redis had in its place does not belong to this record."
    return _log(kind, says, "ERROR")


_LOST = {
    "worker_lost": "the worker was lost while the request was under way.",
    "drained": "the worker had to stop while the request was under way.",
    "unexpected": "a fault of the agent broke it off while the request was under way.",
}


def _action(
    kind: Kind,
    logs: list[Report],
    synchronized: bool,
    outcome: OutcomeFacts | None,
    defaults: Mapping[str, Any],
    report: Mapping[str, Any] | None,
) -> list[Report]:
    """The ending of an action run, in the order its readers rely on: logs, response, status."""
    if kind is not Kind.ACTION_RUN:
        return []
    reports = list(logs)
    if outcome is not None and outcome.response is not None and (synchronized or report is not None):
        response = _response(outcome.response.text) if synchronized else None
        shown = fit_response(response)
        reports += _noted(kind, _lost(outcome.response, report is not None, shown is not response))
        if shown:
            reports.append(Report(ReportKind.RESPONSE, {"response": shown}))
    status = merge_status(defaults, report or {})
    if status:
        ends = status.get("status") in TERMINAL
        reports.append(Report(ReportKind.STATUS if ends else ReportKind.PATCH, status))
    return reports


def _completed(result: str, output: dict[str, Any] | None = None) -> list[Report]:
    """The end of a node run; `output` is left out when there is none (wire contract, node status)."""
    body: dict[str, Any] = {"status": "COMPLETED", "result": result}
    return [Report(ReportKind.NODE_COMPLETED, body if output is None else {**body, "output": output})]


def _node_output(outcome: OutcomeFacts) -> list[Report]:
    """The end of a synchronous node run, with status and data; an empty object where the body is falsy."""
    data = reportable(outcome.response.text) if outcome.response is not None else None
    shown = fit_response(data)
    notes = _noted(Kind.NODE_RUN, _lost(outcome.response, False, shown is not data)) if outcome.response else []
    return notes + _completed("SUCCESS", {"response": {"status": outcome.status, "data": shown or {}}})


def _log(kind: Kind, text: str, level: str = "INFO") -> list[Report]:
    """One log line in the form of the kind of run; none for change log events."""
    message = fit(text, TEXT_MAX)
    if kind is Kind.ACTION_RUN:
        return [Report(ReportKind.LOG, {"message": message})]
    if kind is Kind.NODE_RUN:
        return [Report(ReportKind.NODE_LOG, {"level": level, "message": message})]
    return []


def _noted(kind: Kind, *notes: str) -> list[Report]:
    return [line for note in notes if note for line in _log(kind, note, "WARN")]


def _lost(response: ResponseFacts, reported: bool, cut: bool) -> str:
    """What of an answer Port does not get to see, though it should; `reported`: the mapping has a report section."""
    if response.truncated:
        fields = "; what the report section takes from its JSON stays empty" if reported else ""
        why = "it was longer than RESPONSE_MAX_BYTES, ended early, or could not be unpacked"
        return f"Only the first {len(response.text):,} characters of the answer were read: {why}{fields}."
    return "The response was cut: Port takes no more than 1 MiB." if cut else ""


def _response(text: str) -> Any:
    """The response as Port's schema has it: an object, a list or a text; a bare number or `true` as the text it was."""
    value = reportable(text)
    return value if isinstance(value, dict | list | str) or not value else text.strip()


def _said(outcome: OutcomeFacts, detailed: bool = False) -> str:
    """What came of an attempt, as a sentence that always names the HTTP status when there is one."""
    if outcome.status is None:
        return _sentence(outcome.cause)
    text = outcome.response.text if detailed and outcome.response is not None else ""
    answered = f"the target answered HTTP {outcome.status}"
    if outcome.redirected:
        answered += f" ({outcome.redirected})"
    return f"{answered}: {fit(text, QUOTE_MAX)}" if text.strip() else f"{answered}."


def _sentence(text: str) -> str:
    """`text` with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _time_of_day(at: float, form: str = "%H:%M") -> str:
    """A time in UTC, with its date where it is far away."""
    far = abs(at - time.time()) > 43_200
    return datetime.fromtimestamp(min(at, 253_402_300_799), UTC).strftime(
        f"%Y-%m-%d {form} UTC" if far else f"{form} UTC"
    )


def _span(seconds: float) -> str:
    """A wait as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
