"""Sends what Port is to hear. A failing Port API delays reports and nothing else.

A sender leases a run's reports, makes the calls (report_sender.py), then drops what was sent. If it dies in between,
the lease lapses and the reports are sent again: logs may come twice, a status twice the same. Senders do not wait for
each other: a run that Port is slow at, or fails at, holds up no other.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from longshore.errors import LongshoreError, StoreUnavailable, place_of
from longshore.invocation.report_kinds import BY_SCRIPTS, ReportKind
from longshore.ledger.entry import LeasedReports
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import bond
from longshore.ledger.report_items import open_item
from longshore.ledger.seal import Foreign, Sealer, Unsealable
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from longshore.port import reports
from longshore.port.client import PortClient
from longshore.port.report_codec import BadReport, Report, decode_report
from longshore.telemetry.tracing import Traces
from tasks.worker.isolation.runner import POISON_CAUSE
from tasks.worker.report_sender import LEASE_MS, ReportLeaseLost, ReportSender

log = EventLog(__name__)

SENDERS = 8
"""Runs reported at once by one process: at 100 ms a call enough for Port's whole rate limit."""

_IDLE_S = 0.1
_SETTLE_PAUSE_S = 0.5
_SENDER_WAIT_S = 1.0  # for a sender; then the loop turns, to show that it lives
# Port is away after so many runs in a row that it failed at, and for so long no call that it took.
_AWAY_FAILURES = 2 * SENDERS
_AWAY_AFTER_S = 10.0
_AWAY_PAUSE_S = 5.0
_STOP_S = 10.0  # for what is due when the worker ends


class Outbox:
    """Empties the outbox, a few runs at a time."""

    def __init__(self, ledger: Ledger, sealer: Sealer, port: PortClient, traces: Traces | None = None) -> None:
        self._ledger = ledger
        self._sealer = sealer
        self._port = port
        self._traces = traces or Traces(sealer)
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="report")
        self._under_way: set[Future[None]] = set()
        self._failed_in_a_row = 0
        self._last_delay_s = 0.0
        self._answered_at = 0.0
        self._ending = threading.Event()
        self._loop = Periodic("outbox", _IDLE_S, self.send_due)
        self.start = self._loop.start

    def stop(self) -> None:
        """Sends what is due now, and ends. What cannot be sent now, another process sends later."""
        self._ending.set()
        self._loop.stop()
        until = time.monotonic() + _STOP_S
        try:
            while self.send_due() == 0.0 and time.monotonic() < until:
                pass
        except Exception as error:
            log.event(events.OUTBOX_FLUSH_FAILED, error=type(error).__name__)
        wait(self._under_way, max(0.0, until - time.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def send_due(self) -> float | None:
        """Gives reports to the senders that are free. Returns how long to pause: longer while Port is away."""
        _, self._under_way = wait(self._under_way, 0)
        if len(self._under_way) >= SENDERS:
            _, self._under_way = wait(self._under_way, _SENDER_WAIT_S, FIRST_COMPLETED)
        due = self._ledger.lease_reports(SENDERS - len(self._under_way), LEASE_MS)
        taken_at = time.monotonic()
        self._under_way |= {self._pool.submit(self._send, taken, taken_at) for taken in due}
        if self._failed_in_a_row >= _AWAY_FAILURES and taken_at - self._answered_at > _AWAY_AFTER_S:
            return min(self._last_delay_s, _AWAY_PAUSE_S)
        return 0.0 if due else None

    def _send(self, taken: LeasedReports, taken_at: float) -> None:
        try:
            facts = {"longshore.id": taken.id, "longshore.kind": taken.kind.value}
            with self._traces.report(taken.trace, facts, bond(taken.format, "trace", taken.id)):
                delay_s = self._send_run(taken, taken_at)
        except LongshoreError as error:
            log.event(events.REPORT_INTERRUPTED, run_id=taken.run, error=str(error))  # sent again after the lease
        except Exception as error:
            log.event(events.REPORT_CRASHED, run_id=taken.run, error=type(error).__name__, at=place_of(error))
        else:
            self._last_delay_s = delay_s
            self._failed_in_a_row = self._failed_in_a_row + 1 if delay_s else 0

    def _send_run(self, taken: LeasedReports, taken_at: float) -> float:
        """Sends the reports of one run. Returns 0, or after how many seconds Port should be asked again."""
        pending, places = self._open(taken)
        sender = ReportSender(self._ledger, self._port, taken, taken_at)
        try:
            unsent = {places[at] for at in sender.send(pending)}
        except ReportLeaseLost:
            return 0.0  # Port was slow
        finally:
            if sender.port_answered:
                self._answered_at = time.monotonic()
        left = [item for at, item in enumerate(taken.items) if at in unsent]
        self._settle(sender.taken, left, sender.delay_s if left else 0.0)
        return sender.delay_s

    def _settle(self, taken: LeasedReports, left: list[bytes], delay_s: float) -> None:
        """Again and again until Redis has it: otherwise Port would get all of it once more."""
        while True:
            try:
                self._ledger.ack_reports(taken, left, round(delay_s * 1000))
                return
            except StoreUnavailable:
                if self._ending.wait(_SETTLE_PAUSE_S):
                    raise

    def _open(self, taken: LeasedReports) -> tuple[list[Report], list[int]]:
        """The reports, and for each the place of the item it came from."""
        pending: list[Report] = []
        places: list[int] = []
        for place, item in enumerate(taken.items):
            for report in self._report(taken, item):
                pending.append(report)
                places.append(place)
        return pending, places

    def _report(self, taken: LeasedReports, item: bytes) -> Sequence[Report]:
        try:
            if (kind := item[:1].decode("latin-1")) in BY_SCRIPTS:
                return reports.by_script(
                    ReportKind(kind), item[1:].decode(), taken.kind, taken.synchronized, POISON_CAUSE
                )
            body = open_item(
                self._sealer, item, format=taken.format, id=taken.id, generation=taken.generation, run=taken.run
            )
            return [decode_report(body)]
        except Foreign as error:
            log.event(events.REPORT_BINDING_MISMATCHED, run_id=taken.run, id=taken.id, problem=str(error))
            return reports.foreign(taken.kind)
        except (Unsealable, BadReport) as error:
            log.event(events.REPORT_DECODING_FAILED, run_id=taken.run, error=str(error))
            return []
