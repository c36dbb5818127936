"""The ledger writer with a source that keeps its records in memory, as polling would: nothing of Kafka is needed."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ingest import ledger_writer
from ingest.backpressure import Backpressure
from ingest.batch_preparer import BatchPreparer
from ingest.entry_builder import EntryBuilder
from ingest.ledger_writer import REFUSALS, LedgerWriter
from ingest.source import Source
from longshore.delivery.policy import DEFAULTS
from longshore.errors import StoreUnavailable
from longshore.invocation.kinds import Kind
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Accepted, Claim, Rewind
from longshore.ledger.seal import Sealer
from longshore.log import events
from tests.support.programs import eventually
from tests.unit.ingest.memory import SECRET, MemoryLedger, PolledRun, polled


class MemorySource(Source[PolledRun]):
    """Hands over what is put into `waiting`, in batches, and confirms by run id."""

    def __init__(self) -> None:
        self.waiting: deque[PolledRun] = deque()
        self.confirmed: list[str] = []
        self.finished: set[str] = set()
        self.withheld: set[str] = set()
        """Not to be stored now: `admit` puts them aside, into `set_aside`."""
        self.set_aside: list[str] = []
        self.refreshed = threading.Event()
        self._closed = threading.Event()

    def start(self) -> None:
        """Nothing to say."""

    def run(self, pause_cause: Callable[[], str]) -> None:
        """The test hands over."""

    def close(self) -> None:
        self._closed.set()

    def take(self, timeout_s: float) -> Sequence[PolledRun]:
        if not self.waiting:
            self._closed.wait(0.01)
        return [self.waiting.popleft() for _ in range(min(4, len(self.waiting)))]

    def admit(self, records: Sequence[PolledRun]) -> Sequence[PolledRun]:
        self.set_aside += [record.run_id for record in records if record.run_id in self.withheld]
        return [record for record in records if record.run_id not in self.withheld]

    def is_finished(self, record: PolledRun) -> bool:
        return record.run_id in self.finished

    def confirm(self, records: Sequence[PolledRun], accepted: Accepted) -> bool:
        if accepted.rewinds:
            self.withheld.update(record.run_id for record in records)
            return False
        self.confirmed += [record.run_id for record in records]
        return True

    def refresh(self) -> None:
        self.refreshed.set()


@dataclass
class Scene:
    source: MemorySource
    ledger: MemoryLedger
    writer: LedgerWriter[PolledRun]
    claims: list[Claim]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A writer between both, running."""
    monkeypatch.setattr(ledger_writer, "CHECK_S", 0.0)
    monkeypatch.setattr(ledger_writer, "PERIODIC_S", 0.0)
    mapping = Mapping.load(None, {})
    builder = EntryBuilder(mapping, Sealer(SECRET), DEFAULTS, fail_unmatched_nodes=False)
    preparer = BatchPreparer({"polling": Stream.RUNS}, [SECRET], mapping, builder, 1 << 20)
    source, memory, claims = MemorySource(), MemoryLedger(), list[Claim]()
    ledger: Any = memory
    writer = LedgerWriter(source, preparer, ledger, lambda batch, _: claims.extend(batch), Backpressure(10, 0.8))
    writer.start()
    yield Scene(source, memory, writer, claims)
    writer.stop(5)
    assert not writer.alive
    mapping.close()


def test_what_the_ledger_has_is_published_and_confirmed(scene: Scene) -> None:
    """Whatever it comes from: the source alone knows how."""
    scene.source.waiting.extend(polled(number) for number in range(10))

    eventually(lambda: len(scene.source.confirmed) == 10, "ten runs are confirmed")
    assert scene.source.confirmed == [f"r_{number}" for number in range(10)] == list(scene.ledger.stored)
    assert [claim.id for claim in scene.claims] == scene.source.confirmed
    first = scene.ledger.stored["r_0"]
    assert (first.kind, first.origin, first.published_ms) == (Kind.ACTION_RUN, "polling/r_0", 0)


def test_nothing_is_confirmed_before_the_ledger_has_it(scene: Scene) -> None:
    """Redis is away for two tries: the same batch again, and the source is told to wait."""
    scene.ledger.answers.extend([StoreUnavailable("away"), StoreUnavailable("away")])
    with capture_logs() as lines:
        scene.source.waiting.append(polled(1))
        eventually(lambda: scene.source.confirmed == ["r_1"], "it is confirmed")

    names = [line["event"] for line in lines]
    assert (names.count(events.REDIS_OUTAGE_STARTED.name), names.count(events.REDIS_OUTAGE_ENDED.name)) == (1, 1)
    assert scene.writer.pause_cause() == ""


def test_an_outage_ends_although_all_that_met_it_is_the_sources_again(scene: Scene) -> None:
    """As when its partitions go to others meanwhile: a source that waits for the end would read nothing ever again."""

    def lose_it() -> None:
        scene.source.withheld.add("r_1")
        raise StoreUnavailable("away")

    scene.ledger.answers.append(lose_it)
    scene.source.waiting.append(polled(1))
    eventually(lambda: scene.source.set_aside == ["r_1"], "the source has it back")

    eventually(lambda: scene.writer.pause_cause() == "", "the source may go on")
    assert not scene.ledger.stored


def test_what_the_ledger_has_lost_is_the_sources_to_hand_over_again(scene: Scene) -> None:
    """The ledger takes nothing then, and what the source has withheld is not tried again."""
    scene.ledger.answers.append(Accepted((), (Rewind("any", 0, None),), (), 0))
    scene.source.waiting.append(polled(1))
    eventually(lambda: scene.source.withheld == {"r_1"}, "the source has taken it back")
    assert (scene.source.confirmed, scene.ledger.stored) == ([], {})

    scene.source.withheld.clear()
    scene.source.waiting.append(polled(1))
    eventually(lambda: scene.source.confirmed == ["r_1"], "it is confirmed when it comes again")


def test_what_was_finished_before_is_confirmed_and_not_done_again(scene: Scene) -> None:
    """By another ledger, that is no more."""
    scene.source.finished = {"r_1"}
    scene.source.waiting.extend([polled(1), polled(2)])

    eventually(lambda: scene.source.confirmed == ["r_1", "r_2"], "both are confirmed")
    assert list(scene.ledger.stored) == ["r_2"]


def test_one_record_that_the_scripts_refuse_costs_no_other(scene: Scene) -> None:
    """It is found by halving, and kept as a dead letter without what it holds."""
    scene.ledger.refused = {"r_2"}
    with capture_logs() as lines:
        scene.source.waiting.extend(polled(number) for number in range(4))
        eventually(lambda: len(scene.source.confirmed) == 4, "all are confirmed")

    assert {id: entry.dead for id, entry in scene.ledger.stored.items()} == {
        "r_0": "",
        "r_1": "",
        "bad.r_2": "unstorable",
        "r_3": "",
    }
    assert scene.source.confirmed == ["r_0", "r_1", "r_2", "r_3"]
    assert [line["event"] for line in lines].count(events.INGEST_WRITE_REFUSED.name) == 1
    assert [line["event"] for line in lines].count(events.REDIS_OUTAGE_CONTINUED.name) == REFUSALS


def test_a_batch_that_could_not_be_published_is_repeated(scene: Scene) -> None:
    """Its claims lapse; the ledger knows the records by their ids."""
    failures = iter([ConnectionError("away")])

    def publish(claims: Sequence[Claim], _workers: int) -> None:
        if claims and (failure := next(failures, None)) is not None:
            raise failure
        scene.claims.extend(claims)

    scene.writer._publish = publish
    scene.source.waiting.append(polled(1))

    eventually(lambda: scene.source.confirmed == ["r_1", "r_1"], "it went through twice")
    assert list(scene.ledger.stored) == ["r_1"]


def test_a_halved_batch_keeps_each_record_in_memory_until_it_is_stored_or_the_sources_again(scene: Scene) -> None:
    """Also where the source withholds some of both halves, and the first half is stored and then not published.

    Only the withheld records of the first half are the source's by then. Those of the second half must be given back
    in their turn: nobody else has them, and what comes behind them would be confirmed past them.
    """
    failures = iter([ConnectionError("away")])

    def publish(claims: Sequence[Claim], _workers: int) -> None:
        if claims and (failure := next(failures, None)) is not None:
            raise failure

    def refuse_and_withhold() -> None:
        scene.source.withheld = {"r_1", "r_3"}
        raise ValueError("the script fails")

    scene.writer._publish = publish
    scene.ledger.answers.append(refuse_and_withhold)
    scene.source.waiting.extend(polled(number) for number in range(4))

    eventually(lambda: scene.source.set_aside == ["r_1", "r_3"], "the source has both back")
    eventually(lambda: scene.source.confirmed == ["r_0", "r_0", "r_2"], "the others are confirmed")


def test_a_full_backlog_asks_the_source_to_pause(scene: Scene) -> None:
    """The writer goes on with what was read; only nothing more is to be fetched."""
    scene.ledger.backlog = 11
    scene.source.waiting.append(polled(1))
    eventually(lambda: scene.writer.pause_cause() == "backlog", "a pause")

    scene.ledger.backlog = 0
    eventually(lambda: scene.writer.pause_cause() == "", "the end of it")


def test_the_source_may_look_at_what_was_finished_between_batches(scene: Scene) -> None:
    """Also while no record comes."""
    eventually(scene.source.refreshed.is_set, "it was asked to")


def test_while_an_operator_has_stopped_intake_nothing_is_stored_or_confirmed(scene: Scene) -> None:
    """Nor tried again and again; the rest goes on, and what was read is stored as soon as intake goes on."""
    scene.ledger.is_stopped = True
    scene.source.waiting.append(polled(1))
    eventually(lambda: scene.writer.pause_cause() == "operator", "a pause")
    scene.source.refreshed.clear()
    eventually(scene.source.refreshed.is_set, "the source learns of what was finished meanwhile")
    assert (scene.source.confirmed, scene.ledger.stored) == ([], {})

    scene.ledger.is_stopped = False
    eventually(lambda: scene.source.confirmed == ["r_1"], "it is confirmed")
    assert scene.writer.pause_cause() == ""


def test_an_ingest_that_starts_while_intake_is_stopped_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows of the stop before it says that it is ready, which is when its source begins to read."""
    memory = MemoryLedger()
    memory.is_stopped = True
    ledger: Any = memory
    source, preparer = MemorySource(), cast(BatchPreparer, None)
    writer = LedgerWriter(source, preparer, ledger, lambda *_: None, Backpressure(10, 0.8))
    writer.start()
    try:
        assert writer.ready.wait(10)
        assert writer.pause_cause() == "operator"
    finally:
        writer.stop(5)
