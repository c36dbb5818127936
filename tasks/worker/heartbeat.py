"""Says that this process lives: offers its slots, renews its leases, and does what is due once a minute.

A process that is killed stops saying so: its slots and leases lapse, and the rest of the fleet goes on without it.
"""

import os
import socket
import threading
import uuid
from contextlib import suppress

from longshore.errors import LongshoreError
from longshore.ledger.ledger import Ledger
from longshore.ledger.retention import Retention
from longshore.ledger.sweep import Sweep
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from tasks.worker.activity_sums import ActivitySums
from tasks.worker.in_flight import InFlight
from tasks.worker.redis_clock import RedisClock
from tasks.worker.shutdown import Shutdown

log = EventLog(__name__)

_PRUNE_EVERY = 12  # heartbeats: about once a minute


def worker_name() -> str:
    """A name no other process of the fleet has, that tells people which one it is."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:6]}"


class Heartbeat:
    """Registers this process's slots, renews the leases of what it works on, and hands over what it has counted.

    Every third of a lease, in a thread of its own, as a busy pool must not cost a lease.
    """

    def __init__(
        self,
        ledger: Ledger,
        in_flight: InFlight,
        slots: int,
        lease_s: float,
        hung_limit: int,
        clock: RedisClock,
        shutdown: Shutdown,
        activity: ActivitySums,
    ) -> None:
        self.worker = worker_name()
        self._ledger = ledger
        self._in_flight = in_flight
        self._slots = slots
        # So that no heartbeat that was under way comes after the withdrawal.
        self._sending = threading.Lock()
        self._count = 0
        self._hung = 0
        self._hung_limit = hung_limit
        self._clock = clock
        self._shutdown = shutdown
        self._activity = activity
        self._retention = Retention(ledger)
        self._sweep = Sweep(ledger)
        self._loop = Periodic("heartbeat", lease_s / 3, self.step)
        self.start = self._loop.start

    def stop(self) -> None:
        """Ends the heartbeats; a last one takes to the ledger what ended since, if Redis is there."""
        self._loop.stop()
        if not self._activity.is_empty:
            with suppress(LongshoreError):
                self.withdraw()

    def withdraw(self) -> None:
        """Offers no slots any more; leases of what is under way are still renewed."""
        with self._sending:
            self._slots = 0
            self._beat(0)

    def step(self) -> float | None:
        """One heartbeat."""
        self._count_hung()
        with self._sending:
            # At least one: with none this process would be withdrawn, and with all threads hung it is about to restart.
            free_slots = max(1, self._slots - self._hung) if self._slots else 0
            self._beat(free_slots)
        self._clock.measure(self._ledger)
        self._sweep.step()
        self._count += 1
        if self._count % _PRUNE_EVERY == 0:
            self._prune()
        return None

    def _beat(self, slots: int) -> None:
        with self._activity.handing_over() as sums:
            self._ledger.heartbeat(self.worker, slots, self._in_flight.renewable(), sums)

    def _count_hung(self) -> None:
        """A thread that hangs beyond its attempt's deadline is a slot lost, until the process is restarted."""
        hung = self._in_flight.hung()
        if len(hung) > self._hung:
            run_ids = [attempt.id for attempt in hung][:10]
            log.event(events.WORKER_THREADS_HUNG, hung=len(hung), limit=self._hung_limit, run_ids=run_ids)
        self._hung = len(hung)
        if self._hung > self._hung_limit:
            self._shutdown.restart("too many threads hang", self._hung_limit)

    def _prune(self) -> None:
        for expiring in self._retention.expiring_soon():
            log.event(
                events.DEAD_LETTERS_EXPIRING,
                state=expiring.state,
                kept=expiring.count,
                within_a_day=expiring.by_age,
                now=expiring.excess,
            )
        if waiting := self._ledger.unreadable():
            log.event(
                events.INVOCATION_FORMAT_UNSUPPORTED,
                waiting=waiting,
            )
        if dropped := self._retention.prune():
            log.event(events.DEAD_LETTERS_DROPPED, count=dropped)
