"""What goes to Port of a run: which logs, response and status belong to each thing that can happen to it.

Owns the sequences of the wire contract ("Delivery and reporting"): the response before the status, the terminal status
last, FAILURE only after the last attempt, nothing at all about change log events. Leaves to others: keeping reports
(the outbox), turning them into calls (`api_calls.py`) and making those (`client.py`).
"""

from collections.abc import Mapping
from typing import Any

from longshore.invocation.kinds import Kind
from longshore.invocation.report_kinds import ReportKind
from longshore.port.outcome_facts import OutcomeFacts
from longshore.port.report_codec import Report
from longshore.port.report_wording import (
    LOST_CAUSES,
    as_sentence,
    describe_missing,
    describe_outcome,
    describe_wait,
    format_span,
)
from longshore.port.response_body import parse_body
from longshore.port.size_limits import MAX_TEXT_BYTES, truncate, truncate_response
from longshore.port.status_patch import TERMINAL, merge_status


def received(kind: Kind) -> list[Report]:
    """The invocation was accepted: whatever happens now, it is not lost."""
    return _log(kind, "Received; the delivery to its target is queued.")


def retrying(kind: Kind, outcome: OutcomeFacts, attempt: int, delay_s: float) -> list[Report]:
    """Attempt `attempt` failed and another follows in about `delay_s` seconds. Never a status: it goes on."""
    return _log(
        kind, f"Attempt {attempt} failed: {describe_outcome(outcome)} Next attempt in {format_span(delay_s)}.", "WARN"
    )


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
    logs = _log(kind, f"Delivered: {describe_outcome(outcome)}") + _log_notes(kind, note)
    if kind is Kind.NODE_RUN:
        return logs + (_complete_synchronous_node(outcome) if synchronized else [])
    defaults = {"status": "SUCCESS"} if synchronized else {}
    return _end_action(kind, logs, synchronized, outcome, defaults, report)


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
    sentence = describe_outcome(outcome, detailed)
    count = f" after {attempts} attempts" if attempts > 1 else ""
    logs = _log(kind, f"Delivery failed{count}: {sentence}", "ERROR") + _log_notes(kind, note)
    if kind is Kind.NODE_RUN:
        return logs + _complete_node("FAILED")
    defaults = {"status": "FAILURE", "summary": truncate(sentence[:1].upper() + sentence[1:], MAX_TEXT_BYTES)}
    return _end_action(kind, logs, synchronized, outcome, defaults, report)


def unknown(kind: Kind, synchronized: bool, outcome: OutcomeFacts | None, reason: str) -> list[Report]:
    """The request was sent and nobody knows what came of it, and it will not be sent again by itself.

    A synchronous run ends, as nothing else would ever end it. An asynchronous one only gets a log line: its backend may
    be at work and reports the status itself. `outcome` is None when a worker was lost; then `reason` is all there is.
    """
    cause = describe_outcome(outcome) if outcome is not None else LOST_CAUSES.get(reason, f"{reason}.")
    text = f"Outcome unknown, it may have run: {cause}"
    logs = _log(kind, f"{text} It is not sent again unless somebody requeues it.", "ERROR")
    if not synchronized:
        return logs
    if kind is Kind.NODE_RUN:
        return logs + _complete_node("FAILED")
    return _end_action(
        kind, logs, True, outcome, {"status": "FAILURE", "summary": truncate(text, MAX_TEXT_BYTES)}, None
    )


def refused(kind: Kind, reason: str, cause: str = "") -> list[Report]:
    """The invocation was refused before any request: `reason` is the code, `cause` the same in plain language.

    What is not proven to come from Port must not change its runs: a bad signature fails only node runs, as the original
    agent does, and without a log; something malformed is not reported at all. Everything else ends the run.
    """
    if reason == "malformed" or (reason == "bad_signature" and kind is not Kind.NODE_RUN):
        return []
    if reason == "bad_signature":
        return _complete_node("FAILED")
    text = f"Not delivered: {as_sentence(cause or reason)}"
    logs = _log(kind, text, "ERROR")
    if kind is Kind.NODE_RUN:
        return logs + _complete_node("FAILED")
    return _end_action(kind, logs, False, None, {"status": "FAILURE", "summary": truncate(text, MAX_TEXT_BYTES)}, None)


def waiting(kind: Kind, why: str, ahead: int, per_s: float, at: float) -> list[Report]:
    """The invocation has waited long; the arguments are those of `describe_wait`."""
    return _log(kind, f"Waiting: {describe_wait(why, ahead, per_s, at)}")


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
    return _log(kind, as_sentence(f"Port did not take the {what} of this run: {why}"), "ERROR")


def foreign(kind: Kind) -> list[Report]:
    """In place of a report that does not belong to this run."""
    text = "A report of this run was not sent: what Redis had in its place does not belong to this record."
    return _log(kind, text, "ERROR")


def _end_action(
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
        response = _shape_response(outcome.response.text) if synchronized else None
        reported = truncate_response(response)
        reports += _log_notes(kind, describe_missing(outcome.response, report is not None, reported is not response))
        if reported:
            reports.append(Report(ReportKind.RESPONSE, {"response": reported}))
    status = merge_status(defaults, report or {})
    if status:
        ends_run = status.get("status") in TERMINAL
        reports.append(Report(ReportKind.STATUS if ends_run else ReportKind.PATCH, status))
    return reports


def _complete_node(result: str, output: dict[str, Any] | None = None) -> list[Report]:
    """The end of a node run; `output` is left out when there is none (wire contract, node status)."""
    body: dict[str, Any] = {"status": "COMPLETED", "result": result}
    return [Report(ReportKind.NODE_COMPLETED, body if output is None else {**body, "output": output})]


def _complete_synchronous_node(outcome: OutcomeFacts) -> list[Report]:
    """The end of a synchronous node run, with status and data; an empty object where the body is falsy."""
    notes: list[Report] = []
    reported = None
    if outcome.response is not None:
        data = parse_body(outcome.response.text)
        reported = truncate_response(data)
        notes = _log_notes(Kind.NODE_RUN, describe_missing(outcome.response, False, reported is not data))
    return notes + _complete_node("SUCCESS", {"response": {"status": outcome.status, "data": reported or {}}})


def _log(kind: Kind, text: str, level: str = "INFO") -> list[Report]:
    """One log line in the form of the kind of run; none for change log events."""
    message = truncate(text, MAX_TEXT_BYTES)
    if kind is Kind.ACTION_RUN:
        return [Report(ReportKind.LOG, {"message": message})]
    if kind is Kind.NODE_RUN:
        return [Report(ReportKind.NODE_LOG, {"level": level, "message": message})]
    return []


def _log_notes(kind: Kind, *notes: str) -> list[Report]:
    return [line for note in notes if note for line in _log(kind, note, "WARN")]


def _shape_response(text: str) -> Any:
    """The response as Port's schema has it: an object, a list or a text; a bare number or `true` as the text it was."""
    value = parse_body(text)
    return value if isinstance(value, dict | list | str) or not value else text.strip()
