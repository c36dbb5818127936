"""Sends the reports to Port. A failing Port API delays reports and nothing else.

A sender makes the calls for a leased run (report_sender.py); then what was sent is dropped, for many runs at once. If
the process dies in between, the lease lapses and the reports are sent again: logs may come twice, a status twice the
same. Senders do not wait for each other: a run that Port is slow at, or fails at, holds up no other.
"""

import threading
import time
from functools import partial

from longshore.errors import LongshoreError, StoreUnavailable, place_of
from longshore.ledger.entry import LeasedReports, ReportsAck
from longshore.ledger.ledger import Ledger
from longshore.ledger.record import bond
from longshore.ledger.report_outbox import ReportOutbox
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from longshore.port.client import PortClient
from longshore.telemetry.tracing import Traces
from tasks.worker.gate import Gate
from tasks.worker.report_opening import open_reports
from tasks.worker.report_sender import LEASE_MS, ReportLeaseLost, ReportSender
from tasks.worker.stage import Stage
from tasks.worker.thread_pool import ThreadPool

log = EventLog(__name__)

SENDERS = 8
"""Runs reported at once by one process: at 100 ms a call enough for Port's whole rate limit."""

MAX_LEASED = 4 * SENDERS
"""Runs whose reports wait for a sender or have one: a killed process strands so many for LEASE_MS."""

MAX_ACKS = 100
"""Runs whose reports one call drops."""

_IDLE_S = 0.1
_GATHER_S = 0.02  # between two calls of the ledger: what ends meanwhile shares the next one
_ACK_PAUSE_S = 0.5
_ROOM_WAIT_S = 1.0  # for a sender; then the loop turns, to show that it lives
# Port is away after so many runs in a row that it failed at, and for so long no call that it took.
_AWAY_FAILURES = 2 * SENDERS
_AWAY_AFTER_S = 10.0
_AWAY_PAUSE_S = 5.0
_STOP_S = 10.0  # for what is due when the worker ends


class Outbox:
    """Empties the outbox, a few runs at a time."""

    def __init__(
        self, ledger: Ledger, sealer: Sealer, port: PortClient, pool: ThreadPool, traces: Traces | None = None
    ) -> None:
        """`pool` has `SENDERS` threads at the most."""
        self._reports = ReportOutbox(ledger)
        self._sealer = sealer
        self._port = port
        self._traces = traces or Traces(sealer)
        self._pool = pool
        self._room = Gate(MAX_LEASED)
        self._failures_in_a_row = 0
        self._last_delay_s = 0.0
        self._last_answer_at = 0.0
        self._pause_s = 0.0
        self._due = threading.Event()
        self._ending = threading.Event()
        self._acks = Stage("report-acks", self._ack, MAX_ACKS, lambda: _GATHER_S)
        self._loop = Periodic("outbox", 0, self._step)

    def start(self) -> None:
        """Starts its threads."""
        self._acks.start()
        self._pool.start()
        self._loop.start()

    def wake(self) -> None:
        """Reports were stored just now: they are not left to the next look."""
        self._due.set()

    def stop(self) -> None:
        """Sends what is due now, and ends. What cannot be sent now, another process sends later."""
        self._loop.stop(0)
        self._due.set()
        self._loop.stop()
        self._ending.set()
        deadline = time.monotonic() + _STOP_S
        try:
            while self.send_due() == 0.0 and time.monotonic() < deadline:
                pass
        except Exception as error:
            log.event(events.OUTBOX_FLUSH_FAILED, error=type(error).__name__)
        self._room.wait_until_empty(max(0.0, deadline - time.monotonic()))
        self._pool.stop()
        self._acks.stop()

    def _step(self) -> float | None:
        self._due.wait(self._pause_s)
        self._due.clear()
        self._pause_s = self.send_due()
        return _GATHER_S if self._pause_s else 0.0

    def send_due(self) -> float:
        """Gives reports to the senders. Returns how long to pause, in seconds: longer while Port is away."""
        places = self._room.enter(MAX_LEASED, _ROOM_WAIT_S, min_count=MAX_LEASED // 2)
        if not places:
            return 0.0
        leases: list[LeasedReports] = []
        try:
            leases = self._reports.lease(places, LEASE_MS)
        finally:
            self._room.leave(places - len(leases))
        leased_at = time.monotonic()
        for lease in leases:
            self._pool.submit(partial(self._send, lease, leased_at))
        if self._failures_in_a_row >= _AWAY_FAILURES and leased_at - self._last_answer_at > _AWAY_AFTER_S:
            return min(self._last_delay_s, _AWAY_PAUSE_S)
        return 0.0 if len(leases) == places else _IDLE_S

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
        finally:
            self._room.leave()

    def _send_run(self, lease: LeasedReports, leased_at: float) -> float:
        """Sends the reports of one run. Returns 0, or after how many seconds Port should be asked again."""
        pending = open_reports(self._sealer, lease)
        sender = ReportSender(self._reports, self._port, lease, leased_at)
        try:
            unsent = {pending[index].item_index for index in sender.send([each.report for each in pending])}
        except ReportLeaseLost:
            return 0.0  # Port was slow
        finally:
            if sender.port_answered:
                self._last_answer_at = time.monotonic()
        unsent_items = [item for index, item in enumerate(lease.items) if index in unsent]
        delay_ms = round(sender.delay_s * 1000) if unsent_items else 0
        self._acks.put(ReportsAck(sender.lease, unsent_items, delay_ms))
        return sender.delay_s

    def _ack(self, acks: list[ReportsAck]) -> None:
        """Again and again until Redis has it: otherwise Port would get all of it once more."""
        while True:
            try:
                self._reports.ack(acks)
                return
            except StoreUnavailable as error:
                if self._ending.wait(_ACK_PAUSE_S):
                    log.event(events.REPORT_INTERRUPTED, ids=[ack.reports.id for ack in acks], error=str(error))
                    return
