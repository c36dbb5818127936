"""Sends the reports of one run: the calls to Port in order, and what follows when Port does not take one.

In order, so that nothing overtakes a report that waits. But the status of a run waits only so long for what Port fails
at again and again while it takes everything else.
"""

import random
import time
from collections.abc import Sequence
from http import HTTPStatus

from longshore.errors import PortRefused, PortUnavailable
from longshore.invocation.report_kinds import LOGS, ReportKind
from longshore.ledger.entry import LeasedReports
from longshore.ledger.report_outbox import ReportOutbox
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.port import reports
from longshore.port.api_calls import Call, build_calls
from longshore.port.client import PortClient
from longshore.port.report_codec import Report

log = EventLog(__name__)

LEASE_MS = 25_000
"""Above one call at its longest (20 s): what a killed sender had taken is sent as soon as this."""

ORDERED_TRIES = 4
"""So many tries, 8 to 15 s in all, a report is waited for by those behind it, and a run that Port does not know yet."""

_RESPONSE = (ReportKind.RESPONSE,)
_RENEW_AFTER_S = 2.0  # a lease is renewed before a call if it is older; younger ones cost no command
_MAX_DELAY_S = 300.0


class ReportLeaseLost(Exception):
    """The lease on the reports has lapsed, and another sender may have them by now."""


class ReportSender:
    """The reports of one run, leased by this sender at `leased_at` (monotonic)."""

    def __init__(self, outbox: ReportOutbox, port: PortClient, lease: LeasedReports, leased_at: float) -> None:
        self.lease = lease
        self.delay_s = 0.0
        """After how many seconds Port should be asked again; 0 if it took all."""
        self.port_answered = False
        """Whether Port took any call."""
        self._outbox = outbox
        self._port = port
        self._leased_at = leased_at
        self._waits_in_order = lease.tries < ORDERED_TRIES

    def send(self, pending: Sequence[Report]) -> set[int]:
        """Makes the calls for `pending`; returns the indexes of the reports that are still to be sent.

        Raises `ReportLeaseLost`.
        """
        unsent: list[Call] = []
        for call in build_calls(self.lease.kind, self.lease.run, pending):
            if unsent and self._waits_in_order:
                unsent.append(call)
                continue
            self._keep_lease()
            try:
                self._send_call(call)
            except PortUnavailable as error:
                if not (self._give_up_response(call, error) or self._give_up_details(call, error)):
                    unsent.append(call)
                    self._wait(error)
            else:
                if call.ends_run:  # Port takes no response any more, and lines still
                    unsent = [other for other in unsent if other.kinds != _RESPONSE]
        return {index for call in unsent for index in call.report_indexes}

    def _send_call(self, call: Call) -> None:
        """Makes `call`. What Port refuses for good is told in the run's log; its end is then told with nothing else.

        Raises PortUnavailable, also for a run that Port does not know yet: the message about it may have been quicker.
        """
        try:
            self._call(call)
        except PortRefused as error:
            if error.status == 404 and self._waits_in_order:
                raise PortUnavailable(f"{error}; a new run may not be known yet") from None
            log.event(events.REPORT_REFUSED, run_id=self.lease.run, error=str(error))
            if subject := _subject_of(call):
                self._log_in_run(subject, _reason_of(error))
            if status_call := call.status_only():
                self._send_status_alone(status_call)

    def _send_status_alone(self, call: Call) -> None:
        try:
            self._call(call)
        except PortRefused as error:
            log.event(events.REPORT_REFUSED, run_id=self.lease.run, error=str(error))

    def _call(self, call: Call) -> None:
        self._port.call(call.method, call.path, call.json)
        self.port_answered = True

    def _give_up_response(self, call: Call, error: PortUnavailable) -> bool:
        """Whether `call` is a response that Port fails at for long, and takes other calls: it is given up then.

        A line in the run's log finds that out. The response is sent once more after it, as Port may just be back.
        """
        if self._waits_in_order or call.kinds != _RESPONSE or not self._log_in_run("response", error.reason):
            return False
        try:
            self._call(call)
        except (PortUnavailable, PortRefused) as retry_error:
            log.event(events.REPORT_GIVEN_UP, run_id=self.lease.run, tries=self.lease.tries + 1, error=str(retry_error))
        return True

    def _give_up_details(self, call: Call, error: PortUnavailable) -> bool:
        """Whether Port took the end of a run with nothing else, at which it has failed for long with all of it.

        Only after a 500, which is what a link or an id can cause; a Port that is away answers otherwise or not at all.
        """
        status_call = call.status_only()
        if self._waits_in_order or status_call is None or error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        self._keep_lease()
        try:
            self._send_status_alone(status_call)
        except PortUnavailable:
            return False
        log.event(events.REPORT_GIVEN_UP, run_id=self.lease.run, tries=self.lease.tries + 1, error=error.reason)
        self._log_in_run(_subject_of(call), error.reason)
        return True

    def _log_in_run(self, what: str, why: str) -> bool:
        """A line in the run's log for what Port does not take, so that its reader does not look for it in vain.

        Asked for once and not kept. Returns whether it was taken.
        """
        for line in build_calls(self.lease.kind, self.lease.run, reports.not_taken(self.lease.kind, what, why)):
            try:
                self._call(line)
            except (PortUnavailable, PortRefused) as error:
                log.event(events.REPORT_NOTE_FAILED, run_id=self.lease.run, error=str(error))
                return False
        return True

    def _keep_lease(self) -> None:
        if time.monotonic() - self._leased_at > _RENEW_AFTER_S:
            self._leased_at = time.monotonic()
            lease = self._outbox.renew(self.lease, LEASE_MS)
            if lease is None:
                raise ReportLeaseLost
            self.lease = lease

    def _wait(self, error: PortUnavailable) -> None:
        if not self.delay_s:
            self.delay_s = _delay_s(self.lease.tries, error.retry_after_s)
            tries, delay_s = self.lease.tries + 1, round(self.delay_s, 1)
            log.event(events.REPORT_DELAYED, run_id=self.lease.run, tries=tries, again_in_s=delay_s, error=error.reason)


def _subject_of(call: Call) -> str:
    """What people are told that a call was about; empty for log lines."""
    return "response" if call.kinds == _RESPONSE else "" if LOGS.issuperset(call.kinds) else ", ".join(call.json)


def _reason_of(error: PortRefused) -> str:
    return (
        f"HTTP {error.status}"
        + (f" {error.code}" if error.code else "")
        + (f": {error.detail}" if error.detail else "")
    )


def _delay_s(tries: int, retry_after_s: float | None) -> float:
    """Port's advice: from one second, doubling, with jitter; or what Port asked for."""
    return max(retry_after_s or 0.0, min(2.0 ** min(tries, 10), _MAX_DELAY_S) * (0.5 + random.random() / 2))
