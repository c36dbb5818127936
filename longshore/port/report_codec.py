"""One report as a value, and as the bytes that the outbox keeps of it."""

import json
from dataclasses import dataclass
from typing import Any

from longshore.errors import LongshoreError
from longshore.invocation.report_kinds import ReportKind

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class BadReport(LongshoreError):
    """Bytes that are not a report: written by a newer version, or damaged."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing to tell Port. `body` is the JSON object of its call, except that log lines are kept one by one."""

    kind: ReportKind
    body: dict[str, Any]


def encode_report(report: Report) -> bytes:
    """A report as bytes for the outbox (JSON); not sealed."""
    return _ENCODER.encode([report.kind, report.body]).encode()


def decode_report(data: bytes) -> Report:
    """The report that `encode_report` wrote. Raises BadReport."""
    try:
        kind, body = json.loads(data)
        report = Report(ReportKind(kind), body)
    except (ValueError, TypeError, RecursionError):
        raise BadReport("not a report of this version") from None
    if not isinstance(body, dict):
        raise BadReport("a report without an object")
    return report
