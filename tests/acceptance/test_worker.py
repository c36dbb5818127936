"""A worker process, from its claim to Port's run log; what it does when it is stopped, and when Redis is."""

import json
import threading
import time
from typing import Any

import pytest

from longshore.invocation.kinds import Kind
from longshore.ledger.seal import Sealer
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from tasks.celery.app import make_app
from tests.support.programs import eventually

from .conftest import Bench


def run_of(bench: Bench, id: str) -> Any:
    return bench.port.runs.get(id)


def test_a_synchronous_run_is_delivered_and_reported_in_three_calls(served: Bench) -> None:
    """Merged logs, the response, then the status."""
    id = served.new_id()
    served.accept(id, "good", synchronized=True)
    served.ends(id, "done", "delivered")
    eventually(lambda: run_of(served, id) and run_of(served, id).state == "SUCCESS", "SUCCESS at Port")

    assert ["run_log", "run_response", "run_status"] == [kind for kind, _ in run_of(served, id).changes]
    assert not served.port.violations


@pytest.mark.parametrize(
    ("target", "state", "reason", "attempts"),
    [
        ("flaky", "done", "delivered", "3"),
        ("not_found", "dead", "http_404", "1"),
        ("dead", "dead", "connect_refused", "4"),
        ("gateway", "unknown", "http_502", "1"),
        ("hanging", "unknown", "read_timeout", "1"),
    ],
)
def test_every_target_leads_to_its_end(served: Bench, target: str, state: str, reason: str, attempts: str) -> None:
    """Retried where surely nothing happened, given up where it is final, parked where it may have run."""
    id = served.new_id()
    served.accept(id, target)
    served.ends(id, state, reason)
    assert attempts == served.record(id)["attempts"]


def test_a_report_that_port_cannot_take_comes_later_and_the_delivery_does_not_repeat(bench: Bench) -> None:
    """Neither waits for the other."""
    bench.worker()
    bench.port.fail_next(3, 503)
    bench.accept("r_1", "good", synchronized=True)
    bench.ends("r_1", "done", "delivered")
    eventually(lambda: run_of(bench, "r_1") and run_of(bench, "r_1").state == "SUCCESS", "SUCCESS at Port")
    assert 1 == len(bench.targets.received("r_1"))


def test_an_idle_worker_ends_at_once(bench: Bench) -> None:
    """SIGTERM, exit 0, its slots withdrawn."""
    worker = bench.worker()
    assert 0 == worker.stop()
    ledger = open_ledger(bench.settings).ledger
    assert 0 == ledger.redis.zcard(ledger.keys.fleet)


def test_a_worker_told_to_stop_finishes_what_it_has_begun(bench: Bench) -> None:
    """The slow target still gets its answer read."""
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    bench.accept("r_1", "slow")
    eventually(lambda: bench.record("r_1")["state"] == "begun", "the attempt begins")
    assert 0 == worker.stop()
    bench.ends("r_1", "done", "delivered")


def test_what_cannot_end_within_the_grace_is_parked_on_purpose(bench: Bench) -> None:
    """Exit 0 in time, and the run says that nobody knows."""
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="60", DRAIN_S="0.5")
    bench.accept("r_1", "hanging", synchronized=True)
    bench.accept("cl.1", "hanging", kind=Kind.CHANGE_LOG, unknown_outcome="retry")
    eventually(lambda: {bench.record(id)["state"] for id in ("r_1", "cl.1")} == {"begun"}, "both begin")
    before = time.monotonic()
    assert 0 == worker.stop()
    assert time.monotonic() - before < 5.5, "grace and five seconds"

    bench.ends("r_1", "unknown", "drained")
    assert "waiting" == bench.record("cl.1")["state"]
    eventually(lambda: run_of(bench, "r_1") and run_of(bench, "r_1").state == "FAILURE", "Port is told")


def test_a_worker_survives_the_death_of_redis_and_stores_what_it_learned_meanwhile(bench: Bench) -> None:
    """Nobody restarts anything; an answer that came while Redis was away still counts."""
    worker = bench.worker(WEBHOOK_INVOKER_TIMEOUT="20")
    bench.accept("r_1", "slow")
    eventually(lambda: bench.record("r_1")["state"] == "begun", "the attempt begins")
    bench.redis.kill()
    eventually(lambda: events.DELIVERY_RESULT_STORE_RETRIED.name in worker.log(), "the answer waits for Redis")
    bench.redis.start()
    bench.redis.wait_ready()
    bench.ends("r_1", "done", "delivered")
    bench.accept("r_2", "good")
    bench.ends("r_2", "done", "delivered")
    assert 1 == len(bench.targets.received("r_1"))
    assert worker.process.poll() is None


def test_flower_can_show_an_invocation_as_one_row(bench: Bench) -> None:
    """All attempts carry the run id; the events tell retries and reason, and nothing of the payload."""
    bench.worker(WORKER_EVENTS="true")
    app = make_app(bench.settings)
    sent: list[dict[str, Any]] = []
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": sent.append})

        listening = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
        listening.start()
        eventually(lambda: any(event["type"] == "worker-heartbeat" for event in sent), "events arrive")
        bench.accept("r_flaky", "flaky")
        bench.accept("r_404", "not_found")
        bench.ends("r_flaky", "done", "delivered")
        eventually(lambda: "task-succeeded" in types(sent, "r_flaky"), "the success is told")
        eventually(lambda: "task-failed" in types(sent, "r_404"), "the failure is told")
        receiver.should_stop = True
        listening.join()

    assert 2 == types(sent, "r_flaky").count("task-retried")
    (failed,) = [event for event in sent if event["type"] == "task-failed"]
    assert failed["exception"].startswith("dead: HTTP 404 in ")
    assert failed["traceback"] is None
    received = [event for event in sent if event["type"] == "task-received" and event["uuid"] == "r_flaky"]
    assert [0, 1, 2] == [event["retries"] for event in received]
    assert "invocationMethod" not in json.dumps(sent)


def types(events: list[dict[str, Any]], uuid: str) -> list[str]:
    return [event["type"] for event in events if event.get("uuid") == uuid]


def test_a_revoked_invocation_becomes_a_dead_letter(served: Bench) -> None:
    """Celery throws away every later message of that id; without this it would be handed out for ever."""
    before, revoked = served.new_id(), served.new_id()
    make_app(served.settings).control.revoke(revoked)
    served.accept(before, "good")
    served.ends(before, "done", "delivered")
    served.accept(revoked, "good")
    served.ends(revoked, "dead", "revoked")
    assert not served.targets.received(revoked)


def test_what_the_client_secret_cannot_open_is_a_dead_letter_that_says_so(served: Bench) -> None:
    """The secret was replaced without naming the previous one."""
    id = served.new_id()
    served.accept(id, "good", payload=Sealer("another secret").seal(b"{}"))
    served.ends(id, "dead", "unsealable")


def test_a_run_in_the_wrong_lane_moves_to_its_own_without_using_an_attempt(served: Bench) -> None:
    """Ingest and worker had different mapping files for a moment."""
    id = served.new_id()
    served.accept(id, "good", target="http://127.0.0.1:1", lane="http://127.0.0.1:1 deploy")
    served.ends(id, "done", "delivered")
    assert "1" == served.record(id)["attempts"]


@pytest.mark.parametrize("attempts", [0, 1])
def test_what_has_waited_longer_than_its_attempts_may_take_is_delivered(bench: Bench, attempts: int) -> None:
    """For a target that was paused or limited: waiting is no attempt, before the first one and between two."""
    bench.accept("r_1", "good")
    ledger, long_ago = open_ledger(bench.settings).ledger, round(time.time() * 1000) - 7_200_000
    for name, value in {"attempts": attempts, "accepted": long_ago, "first": long_ago}.items():
        ledger.redis.hset(ledger.keys.invocation("r_1"), name, value)
    bench.worker(RETRY_MAX_AGE_S="3600")
    bench.ends("r_1", "done", "delivered")
