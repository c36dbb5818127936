"""Sends what Port is to hear. A failing Port API delays reports and nothing else.

A sender leases a run's reports, makes the calls, then drops what was taken. If it dies in between, the lease lapses and
the reports are sent again: logs may come twice, a status twice the same.
"""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from config.tracing import Traces
from longshore.errors import PortUnavailable, StoreUnavailable
from longshore.port import reports
from longshore.port.calls import Call, calls
from longshore.port.client import PortClient
from longshore.port.errors import PortRefused
from longshore.port.reports import BadReport, Report
from longshore.store.entry import TakenReports
from longshore.store.ledger import Ledger
from longshore.store.seal import Sealer, Unsealable
from tasks.background import Loop
from tasks.quarantine import POISON_CAUSE

log = structlog.get_logger(__name__)

SENDERS = 8
"""Runs reported at once by one process: at 100 ms a call enough for Port's whole rate limit."""

_LEASE_MS = 25_000  # above one call at its longest (20 s): what a killed sender had taken is sent as soon as this
_RENEW_AFTER_S = 2.0  # a lease is renewed before a call if it is older; younger ones cost no command
_LONGEST_DELAY_S = 300.0
_IDLE_S = 0.1
_SETTLE_PAUSE_S = 0.5


class Outbox:
    """Empties the outbox, a few runs at a time."""

    def __init__(self, ledger: Ledger, sealer: Sealer, port: PortClient, traces: Traces | None = None) -> None:
        self._ledger = ledger
        self._sealer = sealer
        self._port = port
        self._traces = traces or Traces(sealer)
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="report")
        self._ending = threading.Event()
        self._loop = Loop("outbox", _IDLE_S, self.send_due)
        self.start = self._loop.start

    def stop(self) -> None:
        """Sends what is due now, and ends. What cannot be sent now, another process sends later."""
        self._ending.set()
        self._loop.stop()
        try:
            self.send_due()
        except Exception as error:
            log.debug("outbox.left", error=type(error).__name__)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def send_due(self) -> float | None:
        """Reports some runs. Returns how long to pause: 0 while there is more, longer while Port is away."""
        due = self._ledger.take_reports(2 * SENDERS, _LEASE_MS)
        if not due:
            return None
        taken_at = time.monotonic()
        waits = list(self._pool.map(lambda taken: self._send(taken, taken_at), due))
        return max([0.0, *(min(wait, 5.0) for wait in waits)])

    def _send(self, taken: TakenReports, taken_at: float) -> float:
        with self._traces.report(taken.trace, {"longshore.id": taken.id, "longshore.kind": taken.kind.value}):
            return self._tell(taken, taken_at)

    def _tell(self, taken: TakenReports, taken_at: float) -> float:
        """Sends the reports of one run. Returns 0, or after how many seconds Port should be asked again."""
        told, places = self._opened(taken)
        unsent: set[int] = set()
        delay_s = 0.0
        for call in calls(taken.kind, taken.run, told):
            covered = {places[at] for at in call.covers}
            if delay_s:
                unsent |= covered  # in order: nothing overtakes a report that waits
                continue
            if time.monotonic() - taken_at > _RENEW_AFTER_S:
                taken_at = time.monotonic()
                renewed = self._ledger.renew_reports(taken, _LEASE_MS)
                if renewed is None:
                    return 0.0  # Port was slow, and another sender has them by now
                taken = renewed
            try:
                self._port.call(call.method, call.path, call.json)
            except PortUnavailable as error:
                delay_s = _delay_s(taken.tries, error.retry_after_s)
                unsent |= covered
                self._say_waiting(taken, error, delay_s)
            except PortRefused as error:
                log.warning("report.refused", run_id=taken.run, error=str(error))
                self._tell_of_refusal(taken, call, error)
        left = [item for at, item in enumerate(taken.items) if at in unsent]
        self._settle(taken, left, delay_s)
        return delay_s

    def _settle(self, taken: TakenReports, left: list[bytes], delay_s: float) -> None:
        """Again and again until Redis has it: else Port would be told all of it once more."""
        while True:
            try:
                self._ledger.settle_reports(taken, left, round(delay_s * 1000))
                return
            except StoreUnavailable:
                if self._ending.wait(_SETTLE_PAUSE_S):
                    raise

    def _opened(self, taken: TakenReports) -> tuple[list[Report], list[int]]:
        """The reports, and for each the place of the item it came from."""
        told: list[Report] = []
        places: list[int] = []
        for place, item in enumerate(taken.items):
            for report in self._report(taken, item):
                told.append(report)
                places.append(place)
        return told, places

    def _report(self, taken: TakenReports, item: bytes) -> Sequence[Report]:
        if item[:1] == b"#":
            # Written by the pump: a suspect whose worker died with it.
            return reports.refused(taken.kind, item[1:].decode(), POISON_CAUSE)
        if item[:1] == b"F":
            why, ahead, per_s, at_ms = item[1:].decode().split(" ")
            return reports.waiting(taken.kind, why, int(ahead), float(per_s), float(at_ms) / 1000)
        if item[:1] in b"!?":
            # Written by a script, which cannot seal: the reason alone.
            return reports.unknown(taken.kind, taken.synchronized, None, item[1:].decode())
        try:
            return [reports.decode(self._sealer.open(item[1:]))]
        except (Unsealable, BadReport) as error:
            log.error("report.unreadable", run_id=taken.run, error=str(error))
            return []

    def _tell_of_refusal(self, taken: TakenReports, call: Call, error: PortRefused) -> None:
        """A line in the run's log for what Port did not take, so that its reader does not look for it in vain.

        Asked for once and not kept: whoever refuses a response may refuse this too.
        """
        if call.types == "R":
            told = reports.not_taken(taken.kind, "response", error.status)
        elif "S" in call.types or "P" in call.types:
            told = reports.not_taken(taken.kind, "status", error.status)
        else:
            return
        for line in calls(taken.kind, taken.run, told):
            try:
                self._port.call(line.method, line.path, line.json)
            except (PortUnavailable, PortRefused) as again:
                log.debug("report.refusal_not_told", run_id=taken.run, error=str(again))

    def _say_waiting(self, taken: TakenReports, error: PortUnavailable, delay_s: float) -> None:
        log.warning(
            "report.waits", run_id=taken.run, tries=taken.tries + 1, again_in_s=round(delay_s, 1), error=error.reason
        )


def _delay_s(tries: int, asked_s: float | None) -> float:
    """Port's advice: from one second, doubling, with jitter; or what Port asked for."""
    return max(asked_s or 0.0, min(2.0 ** min(tries, 10), _LONGEST_DELAY_S) * (0.5 + random.random() / 2))
