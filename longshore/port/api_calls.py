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
from longshore.port.reports import Report
from longshore.port.size_limits import LOGS_MAX, json_size
from longshore.port.status_patch import merge_status

_RUN_ID_MAX = 1_000
"""Port's ids have about 20 characters. A longer one cannot be Port's, and might not fit into a request line."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the Port API.

    `covers` are the positions of the reports it carries, so that the outbox can forget those once it was taken;
    `kinds` are theirs, without repeats.
    """

    method: str
    path: str
    json: dict[str, Any]
    kinds: tuple[ReportKind, ...]
    covers: tuple[int, ...]

    @property
    def ends(self) -> bool:
        """Whether it ends the run: Port takes no change after it."""
        return not CLOSING.isdisjoint(self.kinds)

    def bare(self) -> "Call | None":
        """The end of a run without what goes with it, which Port may refuse; None for all other calls."""
        end: dict[str, Any] = {key: self.json[key] for key in ("status", "result") if key in self.json}
        return replace(self, json=end) if self.ends and len(end) < len(self.json) else None


def calls(kind: Kind, run_id: str, reports: Sequence[Report]) -> list[Call]:
    """The calls for `reports` in the order they came: logs first, then the response, the status last.

    Nothing is said about change log events, whatever is passed; nor to ids that no path can name.
    """
    if kind is Kind.CHANGE_LOG or not _addressable(run_id):
        return []
    quoted = quote(run_id, safe="", errors="surrogatepass")
    if kind is Kind.NODE_RUN:
        return _node_calls(f"/v1/workflows/nodes/runs/{quoted}", reports)
    return _run_calls(f"/v1/actions/runs/{quoted}", reports)


def _addressable(run_id: str) -> bool:
    """Whether a path can name this id: `.` and `..` are path steps, even escaped, and would name something else."""
    return 0 < len(run_id) <= _RUN_ID_MAX and run_id not in (".", "..")


def _run_calls(base: str, reports: Sequence[Report]) -> list[Call]:
    """Logs, joined line by line; the last response; one PATCH with the status and all that is patched."""
    found = [
        Call(
            "POST",
            f"{base}/logs",
            {"message": "\n".join(reports[at].body["message"] for at in group)},
            (ReportKind.LOG,),
            group,
        )
        for group in _groups(reports, ReportKind.LOG)
    ]
    responses = _places(reports, ReportKind.RESPONSE)
    if responses:
        found.append(Call("PATCH", f"{base}/response", reports[responses[-1]].body, (ReportKind.RESPONSE,), responses))
    patches = _places(reports, ReportKind.PATCH, ReportKind.STATUS)
    if patches:
        kinds = tuple(dict.fromkeys(reports[at].kind for at in patches))
        found.append(Call("PATCH", base, _patched([reports[at] for at in patches]), kinds, patches))
    return found


def _patched(reports: Sequence[Report]) -> dict[str, Any]:
    """One PATCH for several: later keys win, as they would at Port.

    A terminal status replaces an earlier one with all that came with it (the summary of a failure says nothing about
    the success that followed a requeue), and no later patch takes it away.
    """
    merged: dict[str, Any] = {}
    ended = False
    for report in reports:
        ends = report.kind is ReportKind.STATUS
        if ends and ended:
            merged = {}
        body = report.body if ends or not ended else {**report.body, "status": merged["status"]}
        merged = merge_status(merged, body)
        ended = ended or ends
    return merged


def _node_calls(base: str, reports: Sequence[Report]) -> list[Call]:
    """Logs as one list; the last completion."""
    found = [
        Call("POST", f"{base}/logs", {"logs": [reports[at].body for at in group]}, (ReportKind.NODE_LOG,), group)
        for group in _groups(reports, ReportKind.NODE_LOG)
    ]
    ends = _places(reports, ReportKind.NODE_COMPLETED)
    if ends:
        found.append(Call("PATCH", base, reports[ends[-1]].body, (ReportKind.NODE_COMPLETED,), ends))
    return found


def _places(reports: Sequence[Report], *kinds: ReportKind) -> tuple[int, ...]:
    """Where reports of these kinds stand."""
    return tuple(at for at, report in enumerate(reports) if report.kind in kinds)


def _groups(reports: Sequence[Report], kind: ReportKind) -> list[tuple[int, ...]]:
    """The places of all logs, split so that each group fits into one call."""
    groups: list[tuple[int, ...]] = []
    room = 0
    for at in _places(reports, kind):
        size = json_size(reports[at].body)
        if not groups or size > room:
            groups.append(())
            room = LOGS_MAX
        groups[-1] += (at,)
        room -= size
    return groups
