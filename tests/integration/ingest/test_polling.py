"""Ingest that polls, between a fake Port and a real Redis: first stored, then acknowledged, and only then sent."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.roles import Role
from config.settings import load
from longshore.ledger.acknowledgements import Acknowledgements
from longshore.ledger.states import State
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from longshore.telemetry.health import PROCESS_HEALTH
from tests.integration.ingest.conftest import SECRET, Ingest
from tests.support.programs import eventually
from tests.unit.ingest.polling_port import action_object, node_object

Make = Callable[..., Ingest]


@pytest.fixture
def port() -> Iterator[FakePort]:
    with FakePort() as port:
        yield port
        assert [] == port.violations


@pytest.fixture
def make(port: FakePort, redis_server: EmbeddedRedis) -> Iterator[Make]:
    """An ingest that polls, with a fleet of ten slots; quick, and all stopped at the end."""
    made: list[Ingest] = []

    def make(**environ: str) -> Ingest:
        settings = {
            "PORT_ORG_ID": "org",
            "PORT_CLIENT_ID": "client",
            "PORT_CLIENT_SECRET": SECRET,
            "PORT_API_BASE_URL": port.url,
            "REDIS_URL": redis_server.url,
            "STREAMER_NAME": "POLLING",
            "POLLING_INTERVAL_SECONDS": "0",
            "POLLING_INITIAL_BACKOFF_SECONDS": "0",
            "COMMIT_DELAY_S": "0",
        }
        made.append(Ingest(load(settings | environ, Role.INGEST)))
        made[-1].ledger.heartbeat("worker-1", 10)
        return made[-1]

    yield make
    for each in made:
        each.close()


def state(ingest: Ingest, id: str) -> str:
    """Where an invocation stands; empty without a record."""
    value: Any = ingest.ledger.redis.hget(ingest.ledger.keys.invocation(id), "state")
    return value.decode() if value else ""


def acknowledgements(ingest: Ingest) -> Acknowledgements:
    return Acknowledgements(ingest.ledger.redis, ingest.ledger.keys, ingest.ledger.limits)


def test_a_run_is_held_when_port_hears_of_it_and_starts_then(make: Make, port: FakePort) -> None:
    """Nothing is acknowledged that is not stored, and each by a call of its own."""
    ingest = make()
    states: list[tuple[str, str]] = []

    def note(run_id: str, body: Any) -> bool:
        states.extend((id, state(ingest, id)) for id in body.get("runIds") or [body["nodeRunIdentifier"]])
        return False

    for name in ("ack_runs", "ack_node"):
        port.fail(name, 500, when=note)
    port.offer(action_object("r_1"), action_object("r_2"), node_object("wfnr_1"))
    ingest.start()

    eventually(lambda: state(ingest, "wfnr_1") == State.CLAIMED, "the last one is on its way to a worker")
    eventually(lambda: {state(ingest, id) for id in ("r_1", "r_2")} == {State.CLAIMED}, "the others too")
    assert sorted(states) == [("r_1", State.HELD), ("r_2", State.HELD), ("wfnr_1", State.HELD)]
    assert ["organization"] == [call.name for call in port.calls if call.name != "token"][:1]


def test_a_run_that_another_agent_has_is_dropped(make: Make, port: FakePort) -> None:
    """Port answers 0, false or 409 to the first acknowledgement."""
    ingest = make()
    port.fail("ack_runs", 409)
    port.offer(action_object("r_1"))
    ingest.start()

    ingest.eventually("not_ours", 1)
    assert "" == state(ingest, "r_1")
    assert 0 == ingest.ledger.backlog()


def test_an_acknowledgement_without_an_answer_is_taken_for_a_yes(make: Make, port: FakePort) -> None:
    """Nobody else would ever get it. When Port gives it out again, it is only acknowledged."""
    ingest = make()
    port.fail("ack_runs", 502)
    port.offer(action_object("r_1"))
    ingest.start()
    eventually(lambda: state(ingest, "r_1") == State.CLAIMED, "it is on its way to a worker")

    port.mend()
    port.claims.lapse()
    eventually(lambda: port.claims.acknowledged == ["r_1"], "it is acknowledged")
    assert (1, State.CLAIMED) == (ingest.count("accepted"), state(ingest, "r_1"))


def test_what_port_has_not_heard_waits_until_it_has(make: Make, port: FakePort) -> None:
    """Port is overloaded when it is told: the run stays held, and starts when Port has heard of it."""
    ingest = make()
    port.fail("ack_runs", 503)
    port.offer(action_object("r_1"))
    ingest.start()
    eventually(lambda: port.counts.get("ack_runs", 0) >= 1, "Port is asked")
    assert State.HELD == state(ingest, "r_1")

    port.mend()
    eventually(lambda: state(ingest, "r_1") == State.CLAIMED, "it is on its way to a worker")
    assert ["r_1"] == port.claims.acknowledged


def test_what_another_process_left_held_is_finished(make: Make, port: FakePort) -> None:
    """It died between store and acknowledgement, long ago."""
    first = make(COMMIT_DELAY_S="3600").start()
    port.offer(action_object("r_1"))
    eventually(lambda: state(first, "r_1") == State.HELD, "it is stored")
    first.stop()
    assert 0 == port.counts.get("ack_runs", 0)

    first.ledger.redis.zadd(first.ledger.keys.acks, {"r_1": -1})
    second = make().start()
    eventually(lambda: state(second, "r_1") == State.CLAIMED, "it is on its way to a worker")
    assert ["r_1"] == port.claims.acknowledged


def test_several_replicas_share_the_runs(make: Make, port: FakePort) -> None:
    """Each run is stored, acknowledged and started once."""
    replicas = [make(), make(), make()]
    ids = {f"r_{number}" for number in range(40)}
    port.offer(*map(action_object, sorted(ids)))
    replicas[0].ledger.heartbeat("worker-1", 100)
    for each in replicas:
        each.start()

    eventually(lambda: len(port.claims.acknowledged) == 40, "all are acknowledged")
    eventually(lambda: {state(replicas[0], id) for id in ids} == {State.CLAIMED}, "all are on their way")
    assert ids == set(port.claims.claimed)
    assert 40 == replicas[0].count("accepted")


def test_no_more_is_taken_than_the_fleet_has_slots(make: Make, port: FakePort) -> None:
    """What cannot start soon stays with Port, which may give it to others."""
    ingest = make(POLLING_RUNS_BATCH_SIZE="4")
    port.offer(*(action_object(f"r_{number}") for number in range(30)))
    ingest.start()

    eventually(lambda: len(port.claims.acknowledged) == 10, "as many as there are slots")
    eventually(lambda: acknowledgements(ingest).room() == 0, "all are leased")
    assert 10 == len(port.claims.claimed)
    ingest.ledger.heartbeat("worker-1", 12)
    eventually(lambda: len(port.claims.acknowledged) == 12, "two more")


def test_it_ends_with_an_error_after_failing_too_long_and_is_unready_before(make: Make, port: FakePort) -> None:
    """The original ended as if all were well."""
    ingest = make(POLLING_MAX_FAILURE_DURATION_SECONDS="0")
    port.fail("claim_runs", 500)
    ingest.start()

    eventually(lambda: ingest.exit_code is not None, "it ends")
    assert 1 == ingest.exit_code
    assert not PROCESS_HEALTH.ready().results["polling"].ok


def test_it_ends_at_once_while_port_is_silent(make: Make, port: FakePort) -> None:
    """Even with a call under way that nobody answers."""
    ingest = make()
    port.fail("claim_runs", 0)
    ingest.start()
    eventually(lambda: port.counts.get("claim_runs"), "a claim")
    ingest.stop()

    assert 0 == ingest.exit_code
