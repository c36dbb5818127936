"""Polling as a `Source`: claim runs, hand them over, acknowledge what the ledger has. Nothing in it counts offsets.

A double of what is to come, in the words of Port's API: a claim lapses, and the run is given out again until somebody
acknowledges it. After that it is the agent's for good, so an acknowledgement must never come before the ledger has it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ingest import ledger_writer
from ingest.backpressure import Backpressure
from ingest.batch_preparer import BatchPreparer
from ingest.entry_builder import EntryBuilder
from ingest.ledger_writer import LedgerWriter
from ingest.source import Source
from longshore.delivery.policy import DEFAULTS
from longshore.errors import StoreUnavailable
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Accepted, Claim
from longshore.ledger.seal import Sealer
from tests.support.programs import eventually
from tests.unit.ingest.memory import SECRET, MemoryLedger, PolledRun, polled

BATCH = 4


class RunsApi:
    """Port's side: the runs that wait for an agent, and what is claimed of them."""

    def __init__(self, count: int) -> None:
        self.unacknowledged = {f"r_{number}": polled(number) for number in range(count)}
        self.acknowledged: list[str] = []
        self.claims: list[str] = []
        self._claimed: set[str] = set()

    def claim(self, limit: int) -> list[PolledRun]:
        """Up to `limit` runs that nobody has claimed."""
        free = [run for id, run in self.unacknowledged.items() if id not in self._claimed][:limit]
        self._claimed.update(run.run_id for run in free)
        self.claims += [run.run_id for run in free]
        return free

    def acknowledge(self, run_id: str) -> None:
        """The run is the agent's for good."""
        self.acknowledged.append(run_id)
        self.unacknowledged.pop(run_id, None)

    def let_claims_lapse(self) -> None:
        """What `claimedUntil` says has passed."""
        self._claimed.clear()


class PollingSource(Source[PolledRun]):
    """Claims when all that it had claimed is confirmed. `run`'s thread alone asks the API."""

    def __init__(self, api: RunsApi, stop: threading.Event) -> None:
        self._api = api
        self._stop = stop
        self._claimed: deque[PolledRun] = deque()
        self._unconfirmed = 0
        self.rounds = 0
        self._stored: deque[str] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def start(self) -> None:
        """Nothing to say."""

    def run(self, pause_cause: Callable[[], str]) -> None:
        while not self._stop.is_set():
            self.rounds += 1
            while self._stored:
                self._api.acknowledge(self._stored.popleft())
            if not pause_cause() and not self._unconfirmed:
                runs = self._api.claim(BATCH)
                with self._changed:
                    self._unconfirmed += len(runs)
                    self._claimed.extend(runs)
                    self._changed.notify_all()
            self._stop.wait(0.01)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Sequence[PolledRun]:
        with self._changed:
            self._changed.wait_for(lambda: self._claimed or self._closed, timeout_s)
            runs = [] if self._closed else list(self._claimed)
            self._claimed.clear()
            return runs

    def confirm(self, records: Sequence[PolledRun], accepted: Accepted) -> bool:
        self._stored += [record.run_id for record in records]
        with self._changed:
            self._unconfirmed -= len(records)
        return True


@contextmanager
def agent(
    api: RunsApi, memory: MemoryLedger, claims: list[Claim]
) -> Iterator[tuple[LedgerWriter[PolledRun], PollingSource]]:
    """An ingest that polls `api`: both of its threads."""
    mapping = Mapping.load(None, {})
    builder = EntryBuilder(mapping, Sealer(SECRET), DEFAULTS, fail_unmatched_nodes=False)
    preparer = BatchPreparer({"polling": Stream.RUNS}, [SECRET], mapping, builder, 1 << 20)
    stop = threading.Event()
    source = PollingSource(api, stop)
    ledger: Any = memory
    writer = LedgerWriter(source, preparer, ledger, claims.extend, Backpressure(10, 0.8))
    reading = threading.Thread(target=source.run, args=(writer.pause_cause,))
    writer.start()
    reading.start()
    try:
        yield writer, source
    finally:
        stop.set()
        writer.stop(5)
        reading.join(5)
        mapping.close()
    assert not writer.alive
    assert not reading.is_alive()


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_writer, "CHECK_S", 0.01)


def test_runs_are_acknowledged_in_order_once_the_ledger_has_them() -> None:
    """And each may start: its claim of the ledger is published."""
    api, ledger, claims = RunsApi(10), MemoryLedger(), list[Claim]()
    with agent(api, ledger, claims):
        eventually(lambda: len(api.acknowledged) == 10, "all are acknowledged")

    assert api.acknowledged == list(ledger.stored) == [claim.id for claim in claims] == [f"r_{n}" for n in range(10)]


def test_nothing_is_acknowledged_or_claimed_while_the_ledger_is_away() -> None:
    """Claims that lapse meanwhile are nobody's loss: whoever claims the runs again knows them by their ids."""
    api, ledger = RunsApi(5), MemoryLedger()
    away = threading.Event()

    def fail() -> None:
        if not away.is_set():
            ledger.answers.append(fail)
            raise StoreUnavailable("away")

    ledger.answers.append(fail)
    with agent(api, ledger, []) as (writer, _):
        eventually(lambda: writer.pause_cause() == "redis", "it is noticed")
        api.let_claims_lapse()
        assert (api.acknowledged, len(api.claims)) == ([], BATCH)
        away.set()
        eventually(lambda: not api.unacknowledged, "all are acknowledged")

    assert list(ledger.stored) == [f"r_{number}" for number in range(5)]


def test_an_agent_that_ends_before_it_acknowledges_leaves_its_runs_to_the_next() -> None:
    """The crash between ledger and acknowledgement: claimed again, not started again."""
    api, ledger, claims = RunsApi(1), MemoryLedger(), list[Claim]()
    acknowledge, api.acknowledge = api.acknowledge, lambda run_id: None  # type: ignore[method-assign]
    with agent(api, ledger, claims):
        eventually(lambda: "r_0" in ledger.stored, "it is stored")
    assert api.unacknowledged

    api.acknowledge = acknowledge  # type: ignore[method-assign]
    api.let_claims_lapse()
    with agent(api, ledger, claims):
        eventually(lambda: api.acknowledged == ["r_0"], "it is acknowledged")
    assert api.claims == ["r_0", "r_0"]
    assert ledger.results == ["accepted", "repeated"]


def test_a_full_backlog_ends_claiming() -> None:
    """An acknowledged run is this agent's for good, so what cannot start soon is left to others."""
    api, ledger = RunsApi(2), MemoryLedger()
    with agent(api, ledger, []) as (writer, source):
        eventually(lambda: len(api.acknowledged) == 2, "both are acknowledged")
        ledger.backlog = 11
        eventually(lambda: writer.pause_cause() == "backlog", "a pause")
        rounds = source.rounds
        eventually(lambda: source.rounds > rounds + 1, "the source has seen it")
        api.unacknowledged["r_2"] = polled(2)
        rounds = source.rounds
        eventually(lambda: source.rounds > rounds + 1, "the source has passed it by")
        assert "r_2" not in api.claims
        ledger.backlog = 0
        eventually(lambda: "r_2" in api.acknowledged, "the end of the pause")
