"""Sends the reports to Port. A failing Port API delays reports and nothing else.

A sender leases a run's reports, makes the calls (report_sender.py), then drops what was sent. If it dies in between,
the lease lapses and the reports are sent again: logs may come twice, a status twice the same. Senders do not wait for
each other: a run that Port is slow at, or fails at, holds up no other.
"""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from longshore.errors import LongshoreError, StoreUnavailable, place_of
from longshore.ledger.entry import LeasedReports, ReportsAck
from longshore.ledger.faults import only
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import bond
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from longshore.port.client import PortClient
from longshore.telemetry.tracing import Traces
from tasks.worker.report_opening import open_reports
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
        self._futures: set[Future[None]] = set()
        self._failures_in_a_row = 0
        self._last_delay_s = 0.0
        self._last_answer_at = 0.0
        self._ending = threading.Event()
        self._loop = Periodic("outbox", _IDLE_S, self.send_due)
        self.start = self._loop.start

    def stop(self) -> None:
        """Sends what is due now, and ends. What cannot be sent now, another process sends later."""
        self._ending.set()
        self._loop.stop()
        deadline = time.monotonic() + _STOP_S
        try:
            while self.send_due() == 0.0 and time.monotonic() < deadline:
                pass
        except Exception as error:
            log.event(events.OUTBOX_FLUSH_FAILED, error=type(error).__name__)
        wait(self._futures, max(0.0, deadline - time.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def send_due(self) -> float | None:
        """Gives reports to the senders that are free. Returns how long to pause: longer while Port is away."""
        _, self._futures = wait(self._futures, 0)
        if len(self._futures) >= SENDERS:
            _, self._futures = wait(self._futures, _SENDER_WAIT_S, FIRST_COMPLETED)
        leases = self._ledger.lease_reports(SENDERS - len(self._futures), LEASE_MS)
        leased_at = time.monotonic()
        self._futures |= {self._pool.submit(self._send, lease, leased_at) for lease in leases}
        if self._failures_in_a_row >= _AWAY_FAILURES and leased_at - self._last_answer_at > _AWAY_AFTER_S:
            return min(self._last_delay_s, _AWAY_PAUSE_S)
        return 0.0 if leases else None

    def _send(self, lease: LeasedReports, leased_at: float) -> None:
        try:
            attributes = {"longshore.id": lease.id, "longshore.kind": lease.kind.value}
            with self._traces.report(lease.trace, attributes, bond(lease.format, "trace", lease.id)):
                delay_s = self._send_run(lease, leased_at)
        except LongshoreError as error:
            log.event(events.REPORT_INTERRUPTED, run_id=lease.run, error=str(error))  # sent again after the lease
        except Exception as error:
            log.event(events.REPORT_CRASHED, run_id=lease.run, error=type(error).__name__, at=place_of(error))
        else:
            self._last_delay_s = delay_s
            self._failures_in_a_row = self._failures_in_a_row + 1 if delay_s else 0

    def _send_run(self, lease: LeasedReports, leased_at: float) -> float:
        """Sends the reports of one run. Returns 0, or after how many seconds Port should be asked again."""
        pending = open_reports(self._sealer, lease)
        sender = ReportSender(self._ledger, self._port, lease, leased_at)
        try:
            unsent = {pending[index].item_index for index in sender.send([each.report for each in pending])}
        except ReportLeaseLost:
            return 0.0  # Port was slow
        finally:
            if sender.port_answered:
                self._last_answer_at = time.monotonic()
        unsent_items = [item for index, item in enumerate(lease.items) if index in unsent]
        self._ack(sender.lease, unsent_items, sender.delay_s if unsent_items else 0.0)
        return sender.delay_s

    def _ack(self, lease: LeasedReports, unsent_items: list[bytes], delay_s: float) -> None:
        """Again and again until Redis has it: otherwise Port would get all of it once more."""
        while True:
            try:
                only(self._ledger.ack_reports([ReportsAck(lease, unsent_items, round(delay_s * 1000))]))
                return
            except StoreUnavailable:
                if self._ending.wait(_SETTLE_PAUSE_S):
                    raise
