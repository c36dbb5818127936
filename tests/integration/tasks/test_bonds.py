"""Who can write to Redis can swap sealed values; what does not belong to its record is noticed, and never sent."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from longshore.ledger.invocations import InvocationReader
from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.seal import Unsealable
from longshore.operations.ledger_access import LedgerAccess
from longshore.port.client import PortClient
from longshore.sandbox.fake_port import FakePort
from tasks.worker.outbox import SENDERS, Outbox
from tasks.worker.thread_pool import ThreadPool
from tests.support.hostile import HostileTarget, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually

OK = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
REFUSED = answering(b"HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\nno")
ORDER = RequeueRequest("ann", "the target is back", rate=0)


@pytest.fixture
def stage(redis_client: "redis.Redis") -> Iterator[AttemptHarness]:
    with attempt_harness(redis_client, REPORT_DELAY_S="0", PORT_API_RATE="0") as stage:
        yield stage


@pytest.fixture
def letters(stage: AttemptHarness) -> InvocationReader:
    return LedgerAccess.build(stage.ledger, stage.sealer).invocations


def swap(stage: AttemptHarness, first: str, second: str) -> None:
    client = stage.ledger.redis
    for old, new in ((first, "tmp"), (second, first), ("tmp", second)):
        client.rename(old, new)


def run_all(stage: AttemptHarness) -> None:
    for claim in stage.receive():
        claim.wait()


def test_swapped_messages_are_dead_letters_and_nothing_is_sent(
    stage: AttemptHarness, letters: InvocationReader
) -> None:
    """Neither run is told another one's result."""
    with HostileTarget(OK) as target:
        ids = [stage.accept(target.url(), format=2) for _ in range(2)]
        swap(stage, *map(stage.ledger.keys.payload, ids))
        run_all(stage)
        assert not target.received

    for id in ids:
        assert ("dead", "foreign") == (stage.record(id, "state"), stage.record(id, "reason"))
        assert "does not belong to this record" in letters.history(id)[0]["cause"]
        with pytest.raises(Unsealable, match="does not belong to this record"):
            letters.payload(id)


def test_a_message_under_the_name_of_another_run_is_not_sent(stage: AttemptHarness) -> None:
    """The record says in clear which run of Port's it is; its message knows better."""
    with HostileTarget(OK) as target:
        id = stage.accept(target.url(), format=2)
        stage.ledger.redis.hset(stage.ledger.keys.invocation(id), "run", "r_other")
        run_all(stage)
        assert not target.received

    assert "foreign" == stage.record(id, "reason")


@pytest.mark.parametrize("how", ["swapped", "other type", "other run"])
def test_reports_that_belong_elsewhere_are_never_sent(stage: AttemptHarness, how: str) -> None:
    """The run's log says that one is missing."""
    keys, client = stage.ledger.keys, stage.ledger.redis
    with HostileTarget(OK) as well, HostileTarget(REFUSED) as ill:
        ids = [stage.accept(each.url(), format=2) for each in (well, ill)]
        run_all(stage)
    if how == "swapped":
        swap(stage, *map(keys.reports, ids))
    for id in ids:
        if how == "other type":
            items: Any = client.lrange(keys.reports(id), 0, -1)
            for place, item in enumerate(items):
                client.lset(keys.reports(id), place, (b"L" if item[:1] != b"L" else b"R") + item[1:])
        elif how == "other run":
            client.hset(keys.invocation(id), "run", f"{id}_other")

    with FakePort() as port:
        sender = PortClient(port.url, "id", "secret")
        outbox = Outbox(stage.ledger, stage.sealer, sender, ThreadPool(SENDERS))
        outbox.start()
        run_ids = [f"{id}_other" if how == "other run" else id for id in ids]
        eventually(lambda: all(id in port.runs and port.runs[id].logs for id in run_ids), "what Port is told")
        eventually(lambda: not client.exists(*map(keys.reports, ids)), "all is dealt with")
        outbox.stop()
        sender.close()
        for id in run_ids:
            assert not port.runs[id].ended
            assert {True} == {"does not belong to this record" in line.text for line in port.runs[id].logs}


def test_a_history_that_was_swapped_says_so(stage: AttemptHarness, letters: InvocationReader) -> None:
    """To people, in place of another one's answers; also one that is of no generation yet."""
    with HostileTarget(REFUSED) as target:
        ids = [stage.accept(target.url(), format=2) for _ in range(2)]
        run_all(stage)
    assert "unreadable" not in letters.history(ids[0])[0]
    swap(stage, *map(stage.ledger.keys.attempts, ids))

    assert all("does not belong to this record" in letters.history(id)[0]["unreadable"] for id in ids)


@pytest.mark.parametrize("format", [1, 2])
@pytest.mark.parametrize("together", [False, True])
def test_what_is_sent_again_belongs_to_its_record_as_before(
    stage: AttemptHarness, letters: InvocationReader, format: int, together: bool
) -> None:
    """Message, history and reports of a new generation, and who asked for it, one by one or as a job."""
    requeue = LedgerAccess.build(stage.ledger, stage.sealer).requeue
    with HostileTarget(REFUSED) as target:
        id = stage.accept(target.url(), format=format)
        run_all(stage)
        letter = letters.get(id)
        assert letter is not None
        if together:
            requeue.start_job([letter], ORDER)
            requeue.run_due()
        else:
            requeue.requeue_one(letter, ORDER)
        run_all(stage)

    assert ("dead", "http_422") == (stage.record(id, "state"), stage.record(id, "reason"))
    first, note, second = letters.history(id)
    assert (1, "ann", 2) == (first["generation"], note["requeued_by"], second["generation"])


def test_a_record_from_before_bonds_is_delivered_and_told_as_before(
    stage: AttemptHarness, letters: InvocationReader
) -> None:
    """All of it is written as its format says, so that workers of both versions read it."""
    with HostileTarget(OK) as target:
        id = stage.accept(target.url(), format=1)
        run_all(stage)

    assert ("done", "SUCCESS") == (stage.record(id, "state"), stage.pending_reports(id)[-1].body["status"])
    assert "unreadable" not in letters.history(id)[0]
