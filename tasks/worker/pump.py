"""Keeps the fleet going: hands out what may start now, and says that this process lives.

Every worker pumps, as each script is atomic; so there is no leader to lose. A crash between claim and publish costs one
lease: the claim lapses and any pump hands it out again.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable

import structlog

from longshore.periodic import LIMIT_S, Periodic
from longshore.store.entry import Claim, Lapsed
from longshore.store.ledger import Ledger
from longshore.store.retention import Retention
from longshore.store.sweep import Sweep
from tasks.worker.in_flight import InFlight
from tasks.worker.worker_health import count_lapsed

log = structlog.get_logger(__name__)

_PRUNE_EVERY = 12  # beats: about once a minute


def worker_name() -> str:
    """A name no other process of the fleet has, that tells people which one it is."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:6]}"


class Pump:
    """Claims what may start and passes it to `publish`, every `interval_s` seconds."""

    def __init__(
        self,
        ledger: Ledger,
        publish: Callable[[tuple[Claim, ...]], None],
        interval_s: float,
        limit_s: float = LIMIT_S,
        lapsed: Callable[[Lapsed], None] = lambda _: None,
    ) -> None:
        """Without a turn for `limit_s` it counts as stalled. `lapsed` hears of every lease that lapsed."""
        self._ledger = ledger
        self._publish = publish
        self._lapsed = lapsed
        self._loop = Periodic("pump", interval_s, self._step, limit_s=limit_s)
        self.start, self.stop = self._loop.start, self._loop.stop

    def _step(self) -> float | None:
        claims, lapsed = self._ledger.pump()
        self._publish(claims)
        for one in lapsed:
            count_lapsed(one)
            log.warning("lease.lapsed", run_id=one.id, target=one.target, now=one.state, reason=one.reason)
            self._lapsed(one)
        return None


class Beat:
    """Registers this process's slots and renews the leases of what it works on, every third of a lease.

    In a thread of its own, as a busy pool must not cost a lease.
    """

    def __init__(
        self,
        ledger: Ledger,
        in_flight: InFlight,
        slots: int,
        lease_s: float,
        hung_limit: int,
        too_many_hang: Callable[[], None],
    ) -> None:
        self.worker = worker_name()
        self.clock_offset_ms = 0.0
        self._ledger = ledger
        self._in_flight = in_flight
        self._slots = slots
        # So that no beat that was under way comes after the withdrawal.
        self._beating = threading.Lock()
        self._beats = 0
        self._hung = 0
        self._hung_limit = hung_limit
        self._too_many_hang = too_many_hang
        self._retention = Retention(ledger)
        self._sweep = Sweep(ledger)
        self._loop = Periodic("beat", lease_s / 3, self.step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def withdraw(self) -> None:
        """Offers no slots any more; leases of what is under way are still renewed."""
        with self._beating:
            self._slots = 0
            self._ledger.beat(self.worker, 0, self._in_flight.renewable())

    def step(self) -> float | None:
        """One beat."""
        self._count_hung()
        with self._beating:
            # At least one: with none this process would be withdrawn, and with all threads hung it is about to restart.
            offered = max(1, self._slots - self._hung) if self._slots else 0
            self._ledger.beat(self.worker, offered, self._in_flight.renewable())
        before = time.time()
        theirs_ms = self._ledger.clock_ms()
        self.clock_offset_ms = theirs_ms - (before + time.time()) * 500
        self._sweep.step()
        self._beats += 1
        if self._beats % _PRUNE_EVERY == 0:
            self._prune()
        return None

    def _count_hung(self) -> None:
        """A thread that hangs beyond its attempt's deadline is a slot lost, until the process starts anew."""
        hung = self._in_flight.hung()
        if len(hung) > self._hung:
            log.error(
                "worker.threads_hang", hung=len(hung), limit=self._hung_limit, run_ids=[one.id for one in hung][:10]
            )
        self._hung = len(hung)
        if self._hung > self._hung_limit:
            self._too_many_hang()

    def _prune(self) -> None:
        for one in self._retention.leaving():
            log.warning(
                "letters.leaving",
                state=one.state,
                kept=one.kept,
                within_a_day=one.by_age,
                now=one.beyond,
                remedy="requeue or export them (longshore dlq), or raise KEEP_DEAD_S and KEEP_DEAD_COUNT",
            )
        if waiting := self._ledger.unreadable():
            log.warning(
                "records.unreadable",
                waiting=waiting,
                means="no worker that is there reads what another version wrote",
                remedy="start a worker of that version; see docs/how-to/upgrade.md",
            )
        if dropped := self._retention.prune():
            log.warning("letters.dropped", count=dropped)
