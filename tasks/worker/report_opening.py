"""From the items that the outbox keeps of a run to its reports: sealed ones opened, those of scripts put into words."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.invocation.report_kinds import BY_SCRIPTS, ReportKind
from longshore.ledger.entry import LeasedReports
from longshore.ledger.report_items import open_item
from longshore.ledger.seal import Foreign, Sealer, Unsealable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.port import reports
from longshore.port.report_codec import BadReport, Report, decode_report
from tasks.worker.isolation.runner import POISON_CAUSE

log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class PendingReport:
    """A report that Port has not taken yet, and the index of the item it came from."""

    report: Report
    item_index: int


def open_reports(sealer: Sealer, lease: LeasedReports) -> list[PendingReport]:
    """The reports of a run, in order. What cannot be read is logged and left out, so that it holds up no other."""
    return [
        PendingReport(report, index) for index, item in enumerate(lease.items) for report in _open(sealer, lease, item)
    ]


def _open(sealer: Sealer, lease: LeasedReports, item: bytes) -> Sequence[Report]:
    """The reports in one item: one of a script may be a line and a status."""
    try:
        if (kind := item[:1].decode("latin-1")) in BY_SCRIPTS:
            return reports.by_script(ReportKind(kind), item[1:].decode(), lease.kind, lease.synchronized, POISON_CAUSE)
        body = open_item(sealer, item, format=lease.format, id=lease.id, generation=lease.generation, run=lease.run)
        return [decode_report(body)]
    except Foreign as error:
        log.event(events.REPORT_BINDING_MISMATCHED, run_id=lease.run, id=lease.id, problem=str(error))
        return reports.foreign(lease.kind)
    except (Unsealable, BadReport) as error:
        log.event(events.REPORT_DECODING_FAILED, run_id=lease.run, error=str(error))
        return []
