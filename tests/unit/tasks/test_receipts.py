"""Which claims a worker holds, when their message is acknowledged, and what Celery knows of them meanwhile."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from longshore.ledger.entry import Claim
from longshore.ledger.states import State
from tasks.celery.claim_request import ClaimRequest
from tasks.celery.names import DELIVER
from tasks.celery.receipts import Receipt, Receipts
from tasks.worker.attempt_result import StoredResult

SLOTS = 3


class Message:
    """kombu's, of a connection that may be gone."""

    def __init__(self) -> None:
        self.acknowledged = False
        self.acks: list[str] = []
        self.channel = SimpleNamespace(closed=False)
        self.delivery_info = {"routing_key": "deliver.3"}

    def ack(self) -> None:
        assert not self.acknowledged
        self.acknowledged = True
        self.acks.append("ack")


class Consumer:
    """Celery's, with a loop that turns when it is told to."""

    def __init__(self) -> None:
        self.pool = SimpleNamespace(num_processes=SLOTS)
        self.hub = SimpleNamespace(on_tick=set())
        self.qos = SimpleNamespace(can_consume=lambda: True)
        self.connection = SimpleNamespace(default_channel=SimpleNamespace(qos=self.qos))
        self.soon: list[Callable[[], None]] = []
        self.call_soon = self.soon.append

    def turn(self) -> None:
        soon, self.soon[:] = list(self.soon), []
        for callback in [*soon, *self.hub.on_tick]:
            callback()


class Events:
    """Collects what rows would be made of."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def add(self, type: str, uuid: str, **fields: Any) -> None:
        self.types.append(type)


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    state.reset_state()
    yield Consumer()
    state.reset_state()


@pytest.fixture
def receipts(consumer: Consumer) -> Receipts:
    receipts = Receipts()
    receipts.use(consumer)
    return receipts


def receive(receipts: Receipts, message: Any, *ids: str, events: Any = None) -> list[ClaimRequest]:
    receipt, events = Receipt(message, receipts), events or Events()
    requests = [ClaimRequest(Claim(id, 1, 0, "t", 0, 1, 3), receipt, events, "w@h") for id in ids]
    for request in requests:
        request.receive()
    return requests


def test_a_message_is_acknowledged_when_its_last_claim_has_ended(receipts: Receipts, consumer: Consumer) -> None:
    message = Message()
    requests = receive(receipts, message, "a", "b", "c")
    for request in requests[:2]:
        request.started()
        request.ended(StoredResult(State.DONE, "HTTP 200"))
        consumer.turn()
        assert not message.acks
    requests[2].ended(None)
    assert not message.acks  # in Celery's thread, and not in this
    consumer.turn()
    assert ["ack"] == message.acks


def test_a_claim_ends_once(receipts: Receipts, consumer: Consumer) -> None:
    """Whatever comes later neither acknowledges its message nor changes its row."""
    message, events = Message(), Events()
    first, _second = receive(receipts, message, "a", "b", events=events)
    first.ended(StoredResult(State.DEAD, "HTTP 404"))
    first.ended(None)
    first.ended(StoredResult(State.DONE, "HTTP 200"))
    consumer.turn()
    assert not message.acks
    assert ["task-received", "task-received", "task-failed"] == events.types


def test_claims_that_end_in_many_threads_acknowledge_once(receipts: Receipts, consumer: Consumer) -> None:
    message = Message()
    requests = receive(receipts, message, *map(str, range(20)))
    threads = [threading.Thread(target=request.ended, args=(None,)) for request in requests * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    consumer.turn()
    assert ["ack"] == message.acks
    assert 0 == len(receipts)
    assert not state.requests


def test_a_worker_reads_on_while_it_holds_fewer_claims_than_slots(receipts: Receipts, consumer: Consumer) -> None:
    """However many messages brought them."""
    requests = [receive(receipts, Message(), id)[0] for id in "ab"]
    assert consumer.qos.can_consume()
    requests += receive(receipts, Message(), *"cdefg")
    assert not consumer.qos.can_consume()
    for request in requests[:4]:
        request.ended(None)
        assert not consumer.qos.can_consume()
    requests[4].ended(None)
    assert consumer.qos.can_consume()


def test_the_end_that_makes_room_wakes_celerys_loop(receipts: Receipts, consumer: Consumer) -> None:
    """It would wait for its next timer otherwise."""
    requests = receive(receipts, Message(), *"abcd")
    consumer.turn()
    requests[0].ended(None)
    assert not consumer.soon
    requests[1].ended(None)
    assert 1 == len(consumer.soon)


def test_kombus_own_limit_still_holds(consumer: Consumer) -> None:
    consumer.qos.can_consume = lambda: False
    receipts = Receipts()
    receipts.use(consumer)
    assert not consumer.qos.can_consume()


def test_claims_that_are_held_over_a_reconnect_take_their_slots(receipts: Receipts) -> None:
    """The new connection knows nothing of the messages of the old one, and acknowledges none of them."""
    message = Message()
    requests = receive(receipts, message, *"abc")
    requests[0].started()
    after = Consumer()
    message.channel.closed = True
    state.requests.clear()
    state.reserved_requests.clear()
    receipts.use(after)
    assert not after.qos.can_consume()
    assert {"a"} == {request.id for request in state.active_requests}
    assert {"b", "c"} <= {request.id for request in state.reserved_requests}
    for request in requests:
        request.ended(None)
    after.turn()
    assert after.qos.can_consume()
    assert not message.acks


def test_celery_knows_what_is_reserved_and_active_and_how_much_there_was(
    receipts: Receipts, consumer: Consumer
) -> None:
    """What `inspect` and the heartbeat's counters read."""
    first, second = receive(receipts, Message(), "a", "b")
    first.started()
    consumer.turn()
    assert [first] == list(state.active_requests)
    assert {first, second} == set(state.reserved_requests)
    assert state.requests["b"] is second
    assert [1] == state.all_total_count
    assert {"deliver t": 1} == state.total_count
    first.ended(StoredResult(State.WAITING, "HTTP 503"))
    second.ended(None)
    consumer.turn()
    assert not {*state.active_requests, *state.reserved_requests, *state.requests}
    assert [1] == state.all_total_count


def test_what_inspect_shows_of_a_claim(receipts: Receipts) -> None:
    (request,) = receive(receipts, Message(), "a")
    before = request.info()
    request.started()
    info = request.info(safe=True)
    assert (None, DELIVER, "deliver t", ["a"], False) == (
        before["time_start"],
        info["type"],
        info["name"],
        info["args"],
        info["acknowledged"],
    )
    assert info["time_start"] > 1e9
    with pytest.raises(NotImplementedError, match="not interrupted"):
        request.terminate(None)
