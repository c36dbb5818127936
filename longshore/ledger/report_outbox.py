"""Reports on invocations that Port has not received: leased to one sender at a time, dropped once they were sent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from longshore.invocation.kinds import Kind
from longshore.ledger.entry import LeasedReports, ReportsAck
from longshore.ledger.faults import LedgerFault
from longshore.ledger.ledger import Ledger
from longshore.ledger.text import decode, encode, number


class ReportOutbox:
    """The reports to send. Thread safe; raises `StoreUnavailable` when Redis is away.

    Then nobody knows whether the script ran. Any may be called again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def lease(self, max_invocations: int, lease_ms: int) -> list[LeasedReports]:
        """Leases the due reports of up to `max_invocations` invocations to the caller."""
        return [_parse(*row) for row in self._ledger.run_script("lease_reports", max_invocations, lease_ms)]

    def renew(self, reports: LeasedReports, lease_ms: int) -> LeasedReports | None:
        """Renews the lease of `reports`, to `lease_ms` from now. None if it had lapsed: somebody else may have them."""
        token = self._ledger.run_script("renew_reports", encode(reports.id), reports.token, lease_ms)
        return replace(reports, token=token) if token else None

    def ack(self, acks: Sequence[ReportsAck]) -> list[bool | LedgerFault]:
        """Drops leased reports except those unsent, which are due again after their delay.

        False if the lease had lapsed: nothing has changed, somebody else may have them.
        """
        values: list[Any] = []
        for reports, unsent, delay_ms in acks:
            values += [encode(reports.id), reports.token, len(reports.items), delay_ms, len(unsent), *unsent]
        answers = self._ledger.run_for_each("ack_reports", *values)
        return [answer if isinstance(answer, LedgerFault) else bool(answer) for answer in answers]

    def add_waits(self, max_reports: int, interval_ms: int) -> int:
        """Reports on up to `max_reports` runs that wait long; looks at each lane at most every `interval_ms`.

        Returns how many reports it wrote.
        """
        return int(self._ledger.run_script("report_waits", max_reports, interval_ms))


def _parse(
    id: bytes,
    token: bytes,
    kind: bytes,
    run: bytes,
    synchronized: bytes,
    tries: bytes,
    trace: bytes,
    format: int,
    generation: bytes,
    *items: bytes,
) -> LeasedReports:
    """The values of one invocation in the answer of lease_reports.lua."""
    return LeasedReports(
        id=decode(id),
        token=token,
        kind=Kind(decode(kind)),
        run=decode(run),
        synchronized=synchronized == b"1",
        tries=number(tries),
        items=items,
        trace=trace,
        format=format,
        generation=number(generation, 1),
    )
