"""Keeps the fleet going: hands out what may start now.

Every worker pumps, as each script is atomic; so there is no leader to lose. A crash between claim and publish costs one
lease: the claim lapses and any pump hands it out again.
"""

from collections.abc import Callable

from longshore.ledger.entry import Claim, ExpiredLease
from longshore.ledger.ledger import Ledger
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from tasks.worker.worker_metrics import WorkerMetrics

log = EventLog(__name__)


class Pump:
    """Claims what may start and passes it to `publish`, every `interval_s` seconds."""

    def __init__(
        self,
        ledger: Ledger,
        publish: Callable[[tuple[Claim, ...], int], None],
        interval_s: float,
        limit_s: float,
        on_lapsed: Callable[[ExpiredLease], None],
        metrics: WorkerMetrics,
    ) -> None:
        """`publish` gets claims and the size of the fleet. Without a turn for `limit_s` it counts as stalled.

        `on_lapsed` gets every lease that lapsed.
        """
        self._ledger = ledger
        self._publish = publish
        self._on_lapsed = on_lapsed
        self._metrics = metrics
        self._loop = Periodic("pump", interval_s, self._step, limit_s=limit_s)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        result = self._ledger.pump()
        self._publish(result.claims, result.workers)
        for lease in result.expired:
            self._metrics.count_expired_lease(lease)
            log.event(events.LEASE_EXPIRED, run_id=lease.id, target=lease.target, now=lease.state, reason=lease.reason)
            self._on_lapsed(lease)
        return None
