"""From the reports of one run to as few calls as can carry them, in the order Port needs.

An asynchronous success takes one call, a failure two, a synchronous run three; the original agent made five to nine,
each with a token request beside it. Port's rate limit is per organization, so calls are what is scarce.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from longshore.invocation.kinds import Kind
from longshore.invocation.report_kinds import CLOSING, ReportKind
from longshore.port.report_codec import Report
from longshore.port.size_limits import MAX_LOGS_BYTES, json_size
from longshore.port.status_patch import merge_status

_MAX_RUN_ID_CHARS = 1_000
"""Port's ids have about 20 characters. A longer one cannot be Port's, and might not fit into a request line."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the Port API.

    `report_indexes` says which reports it carries, so that the outbox can drop those once Port took it; `kinds` are
    theirs, without repeats.
    """

    method: str
    path: str
    json: dict[str, Any]
    kinds: tuple[ReportKind, ...]
    report_indexes: tuple[int, ...]

    @property
    def ends_run(self) -> bool:
        """Whether it ends the run: Port takes no change after it."""
        return not CLOSING.isdisjoint(self.kinds)

    def status_only(self) -> "Call | None":
        """The call that ends a run, without what Port may refuse beside the status; None for all other calls."""
        body: dict[str, Any] = {key: self.json[key] for key in ("status", "result") if key in self.json}
        return replace(self, json=body) if self.ends_run and len(body) < len(self.json) else None


def build_calls(kind: Kind, run_id: str, reports: Sequence[Report]) -> list[Call]:
    """The calls for `reports` in the order they came: logs first, then the response, the status last.

    None for change log events, whatever is passed, nor for ids that no path can name.
    """
    if kind is Kind.CHANGE_LOG or not _is_addressable(run_id):
        return []
    quoted = quote(run_id, safe="", errors="surrogatepass")
    if kind is Kind.NODE_RUN:
        return _node_calls(f"/v1/workflows/nodes/runs/{quoted}", reports)
    return _run_calls(f"/v1/actions/runs/{quoted}", reports)


def _is_addressable(run_id: str) -> bool:
    """Whether a path can name this id: `.` and `..` are path steps, even escaped, and would name something else."""
    return 0 < len(run_id) <= _MAX_RUN_ID_CHARS and run_id not in (".", "..")


def _run_calls(base: str, reports: Sequence[Report]) -> list[Call]:
    """Logs, joined line by line; the last response; one PATCH with the status and all that is patched."""
    calls = [
        Call(
            "POST",
            f"{base}/logs",
            {"message": "\n".join(reports[index].body["message"] for index in group)},
            (ReportKind.LOG,),
            group,
        )
        for group in _group_logs(reports, ReportKind.LOG)
    ]
    responses = _find_indexes(reports, ReportKind.RESPONSE)
    if responses:
        calls.append(Call("PATCH", f"{base}/response", reports[responses[-1]].body, (ReportKind.RESPONSE,), responses))
    patches = _find_indexes(reports, ReportKind.PATCH, ReportKind.STATUS)
    if patches:
        kinds = tuple(dict.fromkeys(reports[index].kind for index in patches))
        calls.append(Call("PATCH", base, _merge_patches([reports[index] for index in patches]), kinds, patches))
    return calls


def _merge_patches(reports: Sequence[Report]) -> dict[str, Any]:
    """One PATCH for several: later keys win, as they would at Port.

    A terminal status replaces an earlier one with all that came with it (the summary of a failure says nothing about
    the success that followed a requeue), and no later patch takes it away.
    """
    merged: dict[str, Any] = {}
    has_ended = False
    for report in reports:
        ends_run = report.kind is ReportKind.STATUS
        if ends_run and has_ended:
            merged = {}
        body = report.body if ends_run or not has_ended else {**report.body, "status": merged["status"]}
        merged = merge_status(merged, body)
        has_ended = has_ended or ends_run
    return merged


def _node_calls(base: str, reports: Sequence[Report]) -> list[Call]:
    """Logs as one list; the last completion."""
    calls = [
        Call("POST", f"{base}/logs", {"logs": [reports[index].body for index in group]}, (ReportKind.NODE_LOG,), group)
        for group in _group_logs(reports, ReportKind.NODE_LOG)
    ]
    completions = _find_indexes(reports, ReportKind.NODE_COMPLETED)
    if completions:
        calls.append(Call("PATCH", base, reports[completions[-1]].body, (ReportKind.NODE_COMPLETED,), completions))
    return calls


def _find_indexes(reports: Sequence[Report], *kinds: ReportKind) -> tuple[int, ...]:
    """The indexes of the reports of these kinds."""
    return tuple(index for index, report in enumerate(reports) if report.kind in kinds)


def _group_logs(reports: Sequence[Report], kind: ReportKind) -> list[tuple[int, ...]]:
    """The indexes of all logs, split so that each group fits into one call."""
    groups: list[tuple[int, ...]] = []
    free_bytes = 0
    for index in _find_indexes(reports, kind):
        size = json_size(reports[index].body)
        if not groups or size > free_bytes:
            groups.append(())
            free_bytes = MAX_LOGS_BYTES
        groups[-1] += (index,)
        free_bytes -= size
    return groups
