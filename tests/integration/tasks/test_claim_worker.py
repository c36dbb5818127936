"""A real Celery worker with a real Redis takes messages of many claims: receipt, acknowledgement, rows, revocation."""

import base64
import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.claim_worker import HOSTNAME, ClaimWorker
from tests.support.programs import SETTINGS, eventually

SLOTS = 30


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def start(redis_server: EmbeddedRedis, client: "redis.Redis", tmp_path: Path) -> Iterator[Callable[..., ClaimWorker]]:
    workers: list[ClaimWorker] = []

    def start(**environ: str) -> ClaimWorker:
        own = {"REDIS_URL": redis_server.url, "WORKER_SLOTS": str(SLOTS)}
        workers.append(ClaimWorker(tmp_path, client, SETTINGS | own | environ))
        return workers[-1].wait_ready()

    yield start
    for worker in workers:
        worker.close()


@contextmanager
def rows(worker: ClaimWorker) -> Iterator[list[dict[str, Any]]]:
    """The events of tasks, as Flower gets them."""
    sent: list[dict[str, Any]] = []
    with worker.app.connection() as connection:
        receiver = worker.app.events.Receiver(connection, handlers={"*": sent.append})
        listening = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
        listening.start()
        eventually(lambda: sent, "a heartbeat is heard")
        try:
            yield sent
        finally:
            receiver.should_stop = True
            listening.join()


def types(sent: list[dict[str, Any]], uuid: str) -> list[str]:
    return [event["type"] for event in sent if event.get("uuid") == uuid]


def ids(*kinds: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for kind in kinds for number in range(count)]


def is_idle(worker: ClaimWorker) -> bool:
    return worker.state().items() >= {"held": 0, "unacked": 0}.items()


def test_a_thousand_claims_in_fifty_messages(start: Callable[..., ClaimWorker]) -> None:
    """Each is received and ended once, and nothing stays unacknowledged."""
    worker = start()
    claims = ids("done-x", count=1000)
    worker.publish(*claims)
    eventually(lambda: len(worker.told("ended")) >= len(claims), "all end")
    eventually(lambda: is_idle(worker), "all messages are acknowledged")
    assert Counter(claims) == Counter(worker.told("received")) == Counter(worker.told("ended"))
    assert 0 == worker.queue_length()
    assert not [name for name in worker.client.keys("*") if b"unacked" in name]
    assert {"deliver https://t": 1000} == worker.inspect("stats")["total"]


def test_a_worker_takes_claims_of_all_formats_and_no_more_than_it_has_slots_for(
    start: Callable[..., ClaimWorker],
) -> None:
    """However many come in a message; what is beyond waits for others in the list."""
    worker = start()
    worker.publish(*ids("hold-many", count=100))
    worker.publish(*ids("hold-two", count=20), format=2)
    worker.publish(*ids("hold-one", count=20), format=1)
    eventually(lambda: worker.state().get("held", 0) >= SLOTS, "it is full")
    held = worker.state()["held"]
    assert SLOTS <= held < SLOTS + 20
    worker.client.set("go", 1)
    eventually(lambda: len(worker.told("ended")) == 140, "all end")
    eventually(lambda: is_idle(worker), "nothing is left")
    assert Counter(worker.told("received")) == Counter(worker.told("ended"))


def test_single_claims_fill_all_slots(start: Callable[..., ClaimWorker]) -> None:
    """One claim in each message, as in a fleet with little to do: messages are not what is counted."""
    worker = start()
    for id in ids("hold-x", count=SLOTS + 5):
        worker.publish(id)
    eventually(lambda: worker.state().get("held") == SLOTS, "it is full")
    eventually(lambda: worker.queue_length() in (4, 5), "the others stay in the list")  # one may be on its way
    worker.client.set("go", 1)
    eventually(lambda: len(worker.told("ended")) == SLOTS + 5, "all end")


def test_rows_tell_each_invocation(start: Callable[..., ClaimWorker]) -> None:
    """The fields that Celery's own requests had, one row per invocation, none for the message."""
    worker = start(WORKER_EVENTS="true")
    claims = ["x-done-1", "x-fail-1", "x-retry-1"]
    with rows(worker) as sent:
        worker.publish(*claims)
        eventually(lambda: {"task-succeeded", "task-failed", "task-retried"} <= {e["type"] for e in sent}, "ends")
    events = [event for event in sent if event["type"].startswith("task-")]
    assert set(claims) == {event["uuid"] for event in events}
    assert ["task-received", "task-started", "task-succeeded"] == types(sent, "x-done-1")
    own = {"type", "uuid", "timestamp", "local_received", "clock", "hostname", "pid", "utcoffset"}
    by_type = {event["type"]: event for event in events if event["uuid"] in claims}
    for event in events:
        assert own <= event.keys()
        assert HOSTNAME == event["hostname"]
    assert {name: by_type["task-received"][name] for name in by_type["task-received"].keys() - own} == {
        "name": "deliver https://t", "args": f"({by_type['task-received']['uuid']!r},)", "kwargs": "{}", "retries": 2,
        "root_id": by_type["task-received"]["uuid"], "parent_id": None, "eta": None, "expires": None,
    }  # fmt: skip
    assert own == by_type["task-started"].keys()
    assert "'done in 5 ms'" == by_type["task-succeeded"]["result"]
    assert own | {"result", "runtime"} == by_type["task-succeeded"].keys()
    for type, summary in (("task-failed", "dead: fail in 5 ms"), ("task-retried", "retry in 5 ms")):
        assert own | {"exception", "traceback"} == by_type[type].keys()
        assert (summary, None) == (by_type[type]["exception"], by_type[type]["traceback"])
    clocks = [event["clock"] for event in events]
    assert sorted(set(clocks)) == sorted(clocks)


def test_events_are_switched_on_and_off_while_it_runs(start: Callable[..., ClaimWorker]) -> None:
    """As with Celery's own: Flower does so every few seconds."""
    worker = start()
    with rows(worker) as sent:
        worker.publish("x-before-1")
        eventually(lambda: worker.told("ended") == ["x-before-1"], "it ends")
        assert "task events enabled" in str(worker.app.control.enable_events([HOSTNAME], reply=True))
        worker.publish("x-while-1")
        eventually(lambda: "task-succeeded" in types(sent, "x-while-1"), "its row is told")
        assert "task events disabled" in str(worker.app.control.disable_events([HOSTNAME], reply=True))
        worker.publish("x-after-1")
        eventually(lambda: "x-after-1" in worker.told("ended"), "it ends")
        worker.app.control.enable_events([HOSTNAME], reply=True)
        worker.publish("x-last-1")
        eventually(lambda: "task-succeeded" in types(sent, "x-last-1"), "its row is told")
    assert not types(sent, "x-before-1")
    assert not types(sent, "x-after-1")


def test_a_revoked_invocation_is_refused_alone(start: Callable[..., ClaimWorker]) -> None:
    """Before receipt and after it; the others in its message are none the worse."""
    worker = start(WORKER_EVENTS="true")
    with rows(worker) as sent:
        worker.app.control.revoke("x-before-1", destination=[HOSTNAME], reply=True, timeout=5, limit=1)
        worker.publish("x-before-1", "wait-after-1", "x-good-1", "wait-good-2")
        eventually(lambda: "x-good-1" in worker.told("ended"), "the good one ends")
        worker.app.control.revoke("wait-after-1", destination=[HOSTNAME], reply=True, timeout=5, limit=1)
        worker.client.set("go", 1)
        eventually(lambda: is_idle(worker), "all end")
        row = ["task-received", "task-revoked"]
        eventually(lambda: types(sent, "x-before-1") == row == types(sent, "wait-after-1"), "the rows are told")
    assert {"x-good-1", "wait-good-2"} == set(worker.told("ended"))
    assert {"x-before-1", "wait-after-1"} == set(worker.told("revoked"))


def test_inspect_and_heartbeat_tell_what_the_worker_holds(start: Callable[..., ClaimWorker]) -> None:
    """What `celery inspect` and Flower's page of a worker read."""
    worker = start(WORKER_EVENTS="true")
    worker.publish("hold-done-1", "hold-fail-1", "wait-done-1")
    eventually(lambda: len(worker.inspect("active") or ()) == 2, "two are active")
    active = {task["id"]: task for task in worker.inspect("active")}
    assert {"hold-done-1", "hold-fail-1"} == active.keys()
    task = active["hold-done-1"]
    assert ("deliver https://t", "deliver", ["hold-done-1"], {}, HOSTNAME, worker.process.pid, False) == (
        task["name"], task["type"], task["args"], task["kwargs"], task["hostname"], task["worker_pid"],
        task["acknowledged"],
    )  # fmt: skip
    assert task["time_start"] > 1e9
    assert ["wait-done-1"] == [task["id"] for task in worker.inspect("reserved")]
    known = worker.inspect("query_task", "hold-done-1", "wait-done-1")
    assert {"hold-done-1": "active", "wait-done-1": "reserved"} == {id: state for id, (state, _) in known.items()}
    stats = worker.inspect("stats")
    assert {"deliver https://t": 2} == stats["total"]
    assert (SLOTS, "tasks.celery.pool:RequeuePool") == (
        stats["pool"]["max-concurrency"],
        stats["pool"]["implementation"],
    )
    assert stats["pool"]["threads"] <= 2
    with rows(worker) as sent:
        eventually(lambda: "worker-heartbeat" in [event["type"] for event in sent], "a heartbeat")
        beats = [event for event in sent if event["type"] == "worker-heartbeat"]
        assert {"active": 2, "processed": 2}.items() <= beats[0].items()
        answer = worker.app.control.terminate("hold-done-1", destination=[HOSTNAME], reply=True, timeout=5)
        assert "not interrupted" in str(answer)
        worker.client.set("go", 1)
        eventually(
            lambda: {"active": 0, "processed": 3}.items() <= [e for e in sent if "active" in e][-1].items(),
            "the heartbeat says that all has ended",
        )
    assert [] == worker.inspect("active") == worker.inspect("reserved")


def test_garbage_costs_neither_its_neighbours_nor_the_worker(start: Callable[..., ClaimWorker]) -> None:
    """Elements of a message, whole messages, and what is no message at all."""
    worker = start()
    good = ["x-good-1", 1, 0, "https://t", 0, 1]
    worker.publish("x-first-1")
    eventually(lambda: worker.told("ended"), "it works")

    def push(arguments: Any, queue: str = "deliver.3", **headers: Any) -> None:
        body = base64.b64encode(json.dumps([arguments, {}, {}]).encode()).decode()
        properties = {
            "correlation_id": "m", "reply_to": "", "delivery_mode": 2, "body_encoding": "base64", "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": queue}, "delivery_tag": f"t{len(json.dumps(arguments))}",
        }  # fmt: skip
        headers = {"task": "deliver", "id": "m", "lang": "py", **headers}
        element = {"body": body, "content-encoding": "utf-8", "content-type": "application/json"}
        worker.push(queue, {**element, "headers": headers, "properties": properties})

    push([[None, good, {}, ["r"], ["x-newer-1", 8], [1] * 6, ["x-newer-2", 9, 0, "t", 0, 1, "more"]]])
    push(["x-newer-3", 7, 0, "more"], "deliver")
    push(["x-old-1", 7, 0], "deliver", retries="many", shadow=3)
    garbage: list[Any] = [None, {}, [], [[]], [[[]]], "text", [{"a": 1}], [None, [good]]]
    for arguments in garbage:
        push(arguments)
    worker.push("deliver.3", b"no JSON")
    worker.push("deliver.3", [1, 2])
    worker.push("deliver.3", {"body": "x", "headers": {"task": "deliver"}})
    worker.publish("x-last-1")
    eventually(lambda: "x-last-1" in worker.told("ended"), "it still works")
    eventually(lambda: is_idle(worker), "nothing is kept")
    assert {"x-first-1", "x-good-1", "x-old-1", "x-last-1"} == set(worker.told("ended"))
    assert {"x-newer-1/8", "x-newer-2/9", "x-newer-3/7"} == set(worker.told("declined"))
    assert worker.process.poll() is None


def test_a_redis_that_comes_back_finds_the_worker_as_full_as_it_was(
    start: Callable[..., ClaimWorker], redis_server: EmbeddedRedis
) -> None:
    """What it held over the outage still takes its slots, is shown, ends, and acknowledges nothing twice."""
    worker = start()
    held = ids("hold-x", count=SLOTS - 10)
    worker.publish(*held, "wait-x-1")
    eventually(lambda: worker.state().get("held") == SLOTS - 9, "it holds them")
    for _ in range(2):
        redis_server.kill()
        redis_server.start()
        redis_server.wait_ready()
        eventually(lambda: len(worker.inspect("active") or ()) == SLOTS - 10, "it is back", every_s=0.2)
    assert ["wait-x-1"] == [task["id"] for task in worker.inspect("reserved")]
    more = ids("hold-y", count=40)
    worker.publish(*more)
    eventually(lambda: worker.state()["held"] >= SLOTS, "it takes more")
    assert worker.state()["held"] < SLOTS + 20
    worker.client.set("go", 1)
    eventually(lambda: len(worker.told("ended")) == len(held) + 1 + len(more), "all end")
    eventually(lambda: is_idle(worker), "nothing is kept")
    assert worker.process.poll() is None
    assert "Traceback" not in worker.log_path.read_text()


def test_what_a_killed_worker_held_is_gone_from_celery_and_the_rest_is_not(start: Callable[..., ClaimWorker]) -> None:
    """Between receipt and acknowledgement: the leases bring it back, and nothing else may."""
    first = start()
    first.publish(*ids("hold-x", count=100))
    eventually(lambda: first.state().get("held", 0) >= SLOTS, "it is full")
    eventually(lambda: len(first.told("received")) == first.state()["held"], "it has told what it holds")
    first.process.kill()
    first.process.wait()
    received = set(first.told("received"))
    left = first.queue_length() * 20
    first.client.set("go", 1)
    second = start()
    eventually(lambda: len(second.told("ended")) == left, "the rest ends")
    eventually(lambda: is_idle(second), "nothing is left")
    assert not received & set(second.told("ended"))


def test_a_worker_that_ends_tells_the_rows_of_what_ends_after_celery(start: Callable[..., ClaimWorker]) -> None:
    """Celery's part ends at once, whatever is under way; that has its rows nevertheless."""
    worker = start(WORKER_EVENTS="true")
    with rows(worker) as sent:
        worker.publish("hold-done-1", "hold-fail-1")
        eventually(lambda: "task-started" in types(sent, "hold-fail-1"), "they have started")
        worker.process.send_signal(signal.SIGTERM)
        eventually(lambda: worker.state()["over"], "Celery's worker has ended")
        assert 2 == worker.state()["held"]
        worker.client.set("go", 1)
        assert 0 == worker.process.wait(60)
        eventually(lambda: types(sent, "hold-done-1")[-1:] == ["task-succeeded"], "the success is told")
        eventually(lambda: types(sent, "hold-fail-1")[-1:] == ["task-failed"], "the failure is told")


def test_the_task_requeue_still_runs_in_celerys_pool(start: Callable[..., ClaimWorker]) -> None:
    """Beside claims that fill all slots."""
    worker = start(WORKER_EVENTS="true")
    worker.publish(*ids("hold-x", count=SLOTS - 1))
    eventually(lambda: worker.state().get("held") == SLOTS - 1, "it is nearly full")
    with rows(worker) as sent:
        result = worker.app.tasks["requeue"].apply_async(("r_1", "ann", "why"))
        eventually(lambda: types(sent, result.id)[-1:] == ["task-failed"], "it ran")
    (failed,) = [event for event in sent if event["type"] == "task-failed"]
    assert ("only a worker can requeue", None) == (failed["exception"], failed["traceback"])
