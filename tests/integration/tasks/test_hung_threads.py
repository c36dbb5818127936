"""Threads that hang beyond the deadline of their attempt: no slots for them, a new process when they are too many."""

import subprocess
import sys

import redis

from longshore.invocation.kinds import Kind
from longshore.ledger.entry import StartedAttempt
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from tasks.worker.activity_sums import ActivitySums
from tasks.worker.heartbeat import Heartbeat
from tasks.worker.in_flight import InFlight
from tasks.worker.redis_clock import RedisClock
from tasks.worker.shutdown import Shutdown


class RecordedShutdown(Shutdown):
    """Ends no process."""

    restarts = 0

    def restart(self, reason: str, limit: int) -> None:
        self.restarts += 1


def attempt(id: str) -> StartedAttempt:
    return StartedAttempt(
        id, 1, b"", Kind.ACTION_RUN, id, False, "t", "t x", 1, 1, 0, 0, 0, "topic/0/0", "m", "park", 8
    )


def heartbeat_of(client: "redis.Redis", in_flight: InFlight, shutdown: Shutdown) -> Heartbeat:
    ledger = Ledger(client, Keys.of("org/agent"), Limits())
    return Heartbeat(ledger, in_flight, 10, 15, 1, RedisClock(), shutdown, ActivitySums())


def test_a_hung_thread_offers_no_slot_and_too_many_ask_for_another_process(redis_client: "redis.Redis") -> None:
    """Ten slots, of which two are lost."""
    in_flight, shutdown = InFlight(), RecordedShutdown()
    heartbeat = heartbeat_of(redis_client, in_flight, shutdown)
    slots = Keys.of("org/agent").slots

    in_flight.add(attempt("r_1"), 0)
    in_flight.add(attempt("r_2"), 60)
    heartbeat.step()
    assert ([b"9"], 0) == (redis_client.hvals(slots), shutdown.restarts)
    in_flight.add(attempt("r_3"), 0)
    heartbeat.step()
    assert ([b"8"], 1) == (redis_client.hvals(slots), shutdown.restarts)
    for id in ("r_1", "r_2", "r_3"):
        in_flight.remove(attempt(id))
    heartbeat.step()
    assert [b"10"] == redis_client.hvals(slots)


def test_what_only_waits_to_be_stored_does_not_hang(redis_client: "redis.Redis") -> None:
    """After an hour without Redis all threads have their answers still to store; a restart would lose them."""
    in_flight, shutdown = InFlight(), RecordedShutdown()
    heartbeat = heartbeat_of(redis_client, in_flight, shutdown)

    for id in ("r_1", "r_2"):
        in_flight.add(attempt(id), 0)
        in_flight.set_store(attempt(id), lambda: None)
    heartbeat.step()
    assert 0 == shutdown.restarts
    assert in_flight.any_in_time()


DRAINING = """
import threading
from tests.integration.tasks.test_hung_threads import attempt
from tasks.worker.drain import Drain
from tasks.worker.in_flight import InFlight
from tasks.worker.shutdown import RESTART, Shutdown
from longshore.errors import StoreUnavailable

class Away:
    def finish(self, *_, **__): raise StoreUnavailable("away", "")

class Results:
    def build_interrupted(self, *_): return None

in_flight = InFlight()
shutdown = Shutdown()
shutdown.exit_code = RESTART
drain = Drain(shutdown, Away(), Results(), in_flight, 3600, lambda: None, lambda: print("last words", flush=True))
in_flight.add(attempt("r_1"), 0)
drain.start()
threading.Event().wait()
"""


def test_a_drain_does_not_wait_for_what_hangs_and_ends_with_the_code_that_asks_for_another() -> None:
    """The grace is an hour; the end comes at once."""
    process = subprocess.run([sys.executable, "-c", DRAINING], capture_output=True, text=True, timeout=60)

    assert (1, "last words\n") == (process.returncode, process.stdout[-11:])
