"""What Flower remembers of tasks must be what it would remember by itself, and bounded."""

import copy
import pickle
import time
from types import SimpleNamespace
from typing import Any

import pytest
from celery.events.state import State
from flower.events import EventsState
from flower.utils.tasks import search_tasks

from longshore.dashboard.event_receiver import MAX_QUEUED_EVENTS, EventQueue
from longshore.dashboard.task_memory import MAX_NAMES, TaskMemory

LIFE: dict[str, dict[str, Any]] = {
    "task-received": {
        "name": "deliver http://Target.internal:8080", "args": "('R_1',)", "kwargs": "{'a': 1}", "retries": 0,
        "eta": None, "expires": None,
    },
    "task-started": {},
    "task-retried": {"exception": "Timeout()", "traceback": None},
    "task-succeeded": {"result": "'200'", "runtime": 0.5},
    "task-failed": {"exception": "Refused()", "traceback": "a traceback"},
    "task-revoked": {"terminated": True, "signum": 15, "expired": False},
    "task-told": {"result": "of a type nobody knows"},
}  # fmt: skip


def event(type: str, uuid: str, clock: int, **fields: Any) -> dict[str, Any]:
    """As Celery's receiver hands it on."""
    return {"hostname": "celery@one", "utcoffset": 0, "pid": 1, "clock": clock, "timestamp": 1000.0 + clock,
            "local_received": 1000.5 + clock, "type": type, "uuid": uuid, "root_id": uuid, "parent_id": None,
            **fields}  # fmt: skip


@pytest.mark.parametrize(
    "order",
    [
        ["task-received", "task-started", "task-succeeded"],
        ["task-received", "task-started", "task-retried", "task-received", "task-started", "task-failed"],
        ["task-succeeded", "task-started", "task-received"],
        ["task-received", "task-revoked", "task-started"],
        ["task-told", "task-received"],
    ],
)
def test_a_task_is_what_celery_makes_of_its_events(order: list[str]) -> None:
    """In any order of events, to the last field."""
    celery_state, our_state = State(), TaskMemory()
    for clock, type in enumerate(order):
        for state in (celery_state, our_state):
            state.event(event(type, "R_1", clock, **LIFE[type]))
    celery_task, our_task = (dict(state.tasks["R_1"].as_dict()) for state in (celery_state, our_state))
    assert our_task.pop("worker").hostname == celery_task.pop("worker").hostname
    assert our_task == celery_task


@pytest.mark.parametrize(
    "query", ["", "r_1", "state:SUCCESS", "name:target", "kwargs:a=1", "args:r_1", "200", "worker:celery@one", "absent"]
)
def test_search_finds_what_flowers_own_finds(query: str) -> None:
    """By word, field, state and keyword argument."""
    results = []
    for state in (EventsState(max_tasks_in_memory=10), TaskMemory(max_tasks_in_memory=10)):
        for clock, (uuid, last_type) in enumerate((("R_1", "task-succeeded"), ("R_2", "task-failed"))):
            for type in ("task-received", "task-started", last_type):
                state.event(event(type, uuid, clock, **LIFE[type]))
        results.append(search_tasks(SimpleNamespace(state=state), search=query, sort_by="received"))
    assert results[0] == results[1]


def test_old_tasks_make_room_for_new_ones() -> None:
    """In the list, in the search and in every index."""
    memory = TaskMemory(max_tasks_in_memory=10)
    for number in range(100):
        memory.event(event("task-received", f"r_{number}", number, **LIFE["task-received"]))
    assert list(memory.tasks) == list(memory.search_engine.documents) == [f"r_{number}" for number in range(90, 100)]
    assert sum(len(ids) for ids in memory.search_engine.exact_postings["name"].values()) == 10
    assert not memory._taskheap
    assert not memory.tasks_by_type


def test_names_and_metrics_stay_few_whatever_the_targets() -> None:
    """A message can name any target."""
    memory = TaskMemory(max_tasks_in_memory=10)
    for number in range(MAX_NAMES + 10):
        name = f"deliver http://{number}.internal:80"
        memory.event(event("task-received", f"r_{number}", number, hostname="celery@metrics", name=name))
    assert len(memory.task_types()) == MAX_NAMES
    labels = [labels for labels in memory.metrics.events._metrics if labels[0] == "celery@metrics"]
    assert labels == [("celery@metrics", "task-received", "deliver")]


def test_what_is_remembered_survives_a_restart() -> None:
    """`FLOWER_PERSISTENT` writes it to disk; `FLOWER_FORMAT_TASK` gets a copy."""
    memory = TaskMemory(max_tasks_in_memory=10)
    memory.event(event("task-received", "r_1", 1, **LIFE["task-received"]))
    restored = pickle.loads(pickle.dumps(memory))
    assert isinstance(restored, TaskMemory)
    assert restored.tasks["r_1"].name == copy.copy(memory.tasks["r_1"]).name == LIFE["task-received"]["name"]
    assert search_tasks(SimpleNamespace(state=restored), search="target").task_ids == ["r_1"]


def test_relatives_are_found() -> None:
    """Of tasks of others on the same broker."""
    memory = TaskMemory()
    for clock, (uuid, parent) in enumerate((("r_1", None), ("r_2", "r_1"))):
        memory.event(event("task-received", uuid, clock, root_id="r_1", parent_id=parent, name="any"))
    first, second = memory.tasks["r_1"], memory.tasks["r_2"]
    assert (second.parent, second.root, list(first.children)) == (first, first, [second])


def test_events_come_in_their_order_and_others_have_their_turn_between() -> None:
    """However many wait, and even if one of them makes no sense."""
    numbers: list[int] = []
    schedule: list[Any] = []

    def handle(event: dict[str, Any]) -> None:
        time.sleep(0.001)  # so that they need several turns
        if event["number"] == 7:
            raise KeyError("hostname")
        numbers.append(event["number"])

    queue = EventQueue(handle, schedule.append)
    for number in range(50):
        queue.put({"number": number})
    turns = 0
    while schedule:
        turns += 1
        try:
            schedule.pop(0)()
        except KeyError:
            pass
    assert numbers == [number for number in range(50) if number != 7]
    assert turns > 2
    queue.put({"number": 50})
    assert schedule, "nobody takes what comes later"
    assert MAX_QUEUED_EVENTS < 10_000
