"""The loop that claims: rounds, pauses, backoff and the end, on a clock that nobody waits for."""

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from config.settings import load
from ingest.ingest_health import IngestHealth
from ingest.polling.backoff import PollBackoff
from ingest.polling.claim_loop import ROOM_S, ClaimLoop
from ingest.polling.client import PollingClient
from ingest.polling.record import ClaimedRun
from ingest.polling.run_queue import RunQueue
from ingest.source import SourceLost
from longshore.errors import PortRefused, PortUnavailable, StoreUnavailable
from tests.unit.ingest.polling_port import MemoryPort, action_object, node_object

SETTINGS = {
    "PORT_ORG_ID": "org",
    "PORT_CLIENT_ID": "client",
    "PORT_CLIENT_SECRET": "secret",
    "STREAMER_NAME": "POLLING",
    "POLLING_BACKOFF_JITTER_FACTOR": "0",
}
AWAY = PortUnavailable("no connection")


class StoredAtOnce(RunQueue):
    """A queue whose runs are in the ledger as soon as they are put."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[ClaimedRun] = []

    def put(self, runs: Sequence[ClaimedRun]) -> None:
        self.runs += runs


class Scene:
    """A loop with its double of Port. `slept`: the pauses, in s; it stops after `rounds` of them."""

    def __init__(self, rounds: int, **environ: str) -> None:
        self.port = MemoryPort()
        port: Any = self.port
        self.queue = StoredAtOnce()
        self.room = 1000
        self.store_away = False
        self.now = 0.0
        self.slept: list[float] = []
        self.before_sleep: Callable[[int], None] = lambda number: None
        self.jitters: list[tuple[float, float]] = []
        self._rounds = rounds
        self._stop = threading.Event()
        settings = load(SETTINGS | environ)
        self.backoff = PollBackoff(settings, clock=lambda: self.now, uniform=self._uniform)
        self.loop = ClaimLoop(
            PollingClient(port),
            self.queue,
            self._find_room,
            self.backoff,
            IngestHealth(30, "runs"),
            self._stop,
            batch=settings.polling_runs_batch_size,
            sleep=self._sleep,
            interval_s=settings.polling_interval_seconds,
        )

    def run(self, pause_causes: Sequence[str] = ()) -> None:
        causes = itertools.chain(pause_causes, itertools.repeat(""))
        self.loop.run(lambda: next(causes))

    def _find_room(self) -> int:
        if self.store_away:
            raise StoreUnavailable("away")
        return self.room

    def _uniform(self, low: float, high: float) -> float:
        self.jitters.append((low, high))
        return high

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.before_sleep(len(self.slept))
        if len(self.slept) >= self._rounds:
            self._stop.set()


def test_both_kinds_are_claimed_in_each_round_and_then_it_sleeps() -> None:
    """Action runs first, as in the original."""
    scene = Scene(2)
    scene.port.claims.offer(action_object("r_1"), node_object("wfnr_1"))
    scene.run()

    assert ["r_1", "wfnr_1"] == [record.run.run_id for record in scene.queue.runs]
    assert ["claim_runs", "claim_nodes"] * 2 == [name for name, _ in scene.port.calls]
    assert [10, 10] == scene.slept


def test_a_full_batch_is_followed_by_the_next_at_once() -> None:
    """Of either kind."""
    scene = Scene(3, POLLING_RUNS_BATCH_SIZE="2")
    scene.port.claims.offer(*(action_object(f"r_{number}") for number in range(2)))
    scene.port.claims.offer(*(node_object(f"wfnr_{number}") for number in range(3)))
    scene.run()

    assert [0, 10, 10] == scene.slept
    assert 5 == len(scene.queue.runs)


def test_failed_polls_are_repeated_with_growing_pauses() -> None:
    """1, 2, 4, ... 256, 300; a good round begins again with the first."""
    scene = Scene(13)
    scene.port.faults.extend([AWAY] * 2 * 11)
    scene.run()

    assert [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 10, 10] == scene.slept
    assert 26 == len(scene.port.calls), "the other kind is tried in the same round"


def test_a_good_round_forgets_the_failures() -> None:
    """Also those of one kind alone, which count like a whole round."""
    scene = Scene(5)
    scene.port.faults.extend([AWAY, None, None, PortRefused("claim", 403), None, None, AWAY])
    scene.run()

    assert [1, 2, 10, 1, 10] == scene.slept


def test_jitter_is_added_to_the_pause() -> None:
    """Up to its share, beyond the ceiling too."""
    scene = Scene(3, POLLING_BACKOFF_JITTER_FACTOR="0.5", POLLING_MAX_BACKOFF_SECONDS="2")
    scene.port.faults.extend([AWAY] * 6)
    scene.run()

    assert [1.5, 3, 3] == scene.slept
    assert [(0, 0.5), (0, 1), (0, 1)] == scene.jitters


def test_what_port_asks_for_is_waited_for() -> None:
    """Its rate limit says when to come again."""
    scene = Scene(2)
    scene.port.faults.extend([PortUnavailable("429", 40.0, 429), None])
    scene.run()

    assert [40, 10] == scene.slept


def test_after_an_hour_of_failures_it_ends_and_has_been_unready_before() -> None:
    """Unready after a minute, so that whoever watches knows long before."""
    scene = Scene(1000)
    ready: list[tuple[float, bool]] = []
    scene.before_sleep = lambda _: ready.append((scene.now, scene.backoff.check().ok))
    scene.port.faults.extend([None, None, *[AWAY] * 2000])
    with pytest.raises(SourceLost):
        scene.run()

    assert scene.now > 3600
    assert {True} == {ok for at, ok in ready if at < 60}
    assert {False} == {ok for at, ok in ready if at > 80}
    assert "no connection" in scene.backoff.check().text


def test_an_hour_without_port_is_survived_if_it_may_last_longer() -> None:
    """The limit is a setting; what was offered meanwhile comes then."""
    scene = Scene(40, POLLING_MAX_FAILURE_DURATION_SECONDS="7200")
    scene.port.claims.offer(action_object("r_1"))

    def come_back(_: int) -> None:
        if scene.now > 3600:
            scene.port.faults.clear()

    scene.before_sleep = come_back
    scene.port.faults.extend([AWAY] * 100)
    scene.run()

    assert ["r_1"] == scene.port.claims.claimed
    assert scene.backoff.check().ok


def test_who_has_never_polled_well_is_unready_at_the_first_failure() -> None:
    """A restart does not make it look well for a minute."""
    scene = Scene(1)
    assert scene.backoff.check().ok
    scene.port.faults.append(AWAY)
    scene.run()

    assert not scene.backoff.check().ok


def test_no_more_is_claimed_than_can_start() -> None:
    """Acknowledged runs are this agent's for good, so what cannot start stays with Port."""
    scene = Scene(2)
    scene.room = 3
    scene.port.claims.offer(*(action_object(f"r_{number}") for number in range(5)))

    def fill(_: int) -> None:
        scene.room = 0

    scene.before_sleep = fill
    scene.run()

    assert [3] == [body["limit"] for body in scene.port.named("claim_runs")]
    assert [0, ROOM_S] == scene.slept


def test_the_kind_that_found_no_room_comes_first_when_there_is_some() -> None:
    """So neither kind keeps the other waiting for ever."""
    scene = Scene(4)
    rooms = iter([1, 1, 0, 0, 1, 1, 0, 0])
    scene.loop._room = lambda: next(rooms)
    scene.port.claims.offer(action_object("r_1"), action_object("r_2"), node_object("wfnr_1"))
    scene.run()

    assert ["r_1", "wfnr_1"] == scene.port.claims.claimed


@pytest.mark.parametrize("cause", ["backlog", "memory", "redis"])
def test_nothing_is_claimed_in_a_pause(cause: str) -> None:
    """Port keeps it, and may give it to others."""
    scene = Scene(2)
    scene.run([cause, cause])

    assert [] == scene.port.calls
    assert [ROOM_S, ROOM_S] == scene.slept


def test_nothing_is_claimed_while_the_ledger_is_away() -> None:
    """It could not be stored, and the claim would lapse."""
    scene = Scene(2)
    scene.store_away = True
    scene.run()

    assert [] == scene.port.calls


def test_a_run_without_an_id_is_skipped() -> None:
    """It cannot be acknowledged; those beside it are taken."""
    scene = Scene(1)
    nameless = action_object("r_1")
    del nameless["id"]
    others = ["text", None, {"id": 7}, {"id": ""}, {"id": "\ud800"}]
    scene.port.answers.append({"runs": [nameless, *others, action_object("r_2")]})
    scene.run()

    assert ["r_2"] == [record.run.run_id for record in scene.queue.runs]


def test_a_claim_that_fails_asks_for_less_until_it_works() -> None:
    """An answer may be too large or too slow to be read; with the whole batch it would be so for ever."""
    scene = Scene(5)
    scene.port.faults.extend([AWAY, None, AWAY, None, None, None, None, None])
    scene.run()

    assert [100, 50, 25, 50, 100] == [body["limit"] for body in scene.port.named("claim_runs")]
    assert {100} == {body["limit"] for body in scene.port.named("claim_nodes")}
