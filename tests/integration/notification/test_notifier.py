"""Who is told what, how often, and by which process: with a real Redis and a real receiver."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from longshore.invocation.kinds import Kind as InvocationKind
from longshore.ledger.entry import AttemptEnd, Entry, OffsetRange
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import Ledger
from longshore.ledger.limits import Limits
from longshore.ledger.states import State
from longshore.notification.kinds import Kind
from longshore.notification.notifier import Notifier, Plan
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.http_server import HttpAnswer
from tests.support.one_claim import begin_one, finish_one
from tests.support.programs import eventually
from tests.support.receiver import Receiver, receivers

KEYS = Keys.of("org/org.agent")


@pytest.fixture
def ledger(redis_client: "redis.Redis") -> Ledger:
    """With a worker, so that nobody is silent."""
    ledger = Ledger(redis_client, KEYS, Limits(breaker_failures=1))
    ledger.heartbeat("worker", 100)
    return ledger


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers(1) as (receiver,):
        yield receiver


def plan(*receivers: Receiver, **values: Any) -> Plan:
    defaults: dict[str, Any] = {
        "kinds": frozenset(Kind),
        "interval_s": 3600,
        "silence_s": 3600,
        "breaker_s": 0,
        "agent": "org/org.agent",
    }
    return Plan([receiver.url for receiver in receivers], **(defaults | values))


def notifier(ledger: Ledger, plan: Plan, process: str = "p1", reads: bool = True) -> Notifier:
    """One that has looked around once, so that all that comes is news."""
    result = Notifier(ledger, plan, lambda: reads, process)
    result.step()
    return result


def accept(ledger: Ledger, count: int, target: str = "http://a:80", **more: Any) -> list[str]:
    """Invocations; with `dead` they are dead letters at once."""
    accepted: Any = ledger.redis.hget(KEYS.counts, "accepted")
    first = int(accepted or 0)
    entries = [
        Entry(
            id=f"r_{first + n}",
            kind=InvocationKind.ACTION_RUN,
            run=f"r_{first + n}",
            target=target,
            lane=f"{target} deploy",
            synchronized=False,
            origin=f"t/0/{first + n}",
            published_ms=1,
            mapping="m",
            payload=b"sealed",
            unknown_outcome="park",
            max_attempts=3,
            **more,
        )
        for n in range(count)
    ]
    ledger.accept([OffsetRange("t", 0, first, first + count)], entries, count)
    pass_on(ledger)
    return [entry.id for entry in entries]


def end(ledger: Ledger, id: str, state: State, reason: str, **more: Any) -> None:
    begin_one(ledger, id, 1)
    finish_one(ledger, id, 1, AttemptEnd(state, reason, **more), 0)
    pass_on(ledger)


def pass_on(ledger: Ledger) -> None:
    """The millisecond in which something ended is over: in that one more could end."""
    now_ms = ledger.clock_ms()
    eventually(lambda: ledger.clock_ms() > now_ms, "another millisecond", every_s=0.001)


def end_pauses(ledger: Ledger) -> None:
    """The time has come for the next message to each destination."""
    for field, value in _notes(ledger).items():
        if field.startswith("progress:"):
            ledger.redis.hset(KEYS.notify, field, json.dumps(json.loads(value) | {"next_ms": 0}))


def lapse(ledger: Ledger) -> None:
    """The lease ended long ago."""
    ledger.redis.hset(KEYS.notify, "lapses", "0")


def _notes(ledger: Ledger) -> dict[str, str]:
    notes: Any = ledger.redis.hgetall(KEYS.notify)
    return {name.decode(): value.decode() for name, value in notes.items()}


def test_failures_are_told_once_and_together(ledger: Ledger, receiver: Receiver) -> None:
    """By target and reason, with ids and links, and without what failed before somebody was to be told."""
    accept(ledger, 1, dead="before")
    one = notifier(ledger, plan(receiver, flower_url="https://flower.example/x"))
    accept(ledger, 7, dead="bad_signature")
    accept(ledger, 2, "http://b:80", dead="mapping")
    (unknown,) = accept(ledger, 1, "http://c:80")
    end(ledger, unknown, State.UNKNOWN, "read_timeout")
    for _ in range(3):
        one.step()

    (text,) = receiver.texts
    assert text.startswith("Longshore org/org.agent: 9 dead letters, 1 unknown outcome\n9 dead letters:\n")
    assert "- 7 × http://a:80: bad_signature\n- 2 × http://b:80: mapping\n" in text
    assert "- 1 × http://c:80: read_timeout\nNewest: https://flower.example/x/invocation/r_10\n" in text
    assert "All: https://flower.example/x/dead-letters?state=dead" in text
    assert "sealed" not in text
    assert "before" not in text


def test_what_fails_in_the_interval_comes_in_one_message_after_it(ledger: Ledger, receiver: Receiver) -> None:
    one = notifier(ledger, plan(receiver))
    for _ in range(3):
        accept(ledger, 1, dead="mapping")
        one.step()
    assert ["1 dead letter:"] == [text.split("\n")[1] for text in receiver.texts]

    end_pauses(ledger)
    one.step()
    assert ["1 dead letter:", "2 dead letters:"] == [text.split("\n")[1] for text in receiver.texts]


def test_one_process_notifies_and_another_goes_on_where_it_died(ledger: Ledger, receiver: Receiver) -> None:
    first, second = (notifier(ledger, plan(receiver), name) for name in ("p1", "p2"))
    accept(ledger, 1, dead="mapping")
    for _ in range(2):
        second.step()
    assert not receiver.texts
    first.step()
    assert 1 == len(receiver.texts)

    lapse(ledger)
    end_pauses(ledger)
    second.step()
    accept(ledger, 3, dead="mapping")
    first.step()
    assert 1 == len(receiver.texts)
    second.step()
    assert "3 dead letters:" in receiver.texts[1]


def test_a_message_that_is_not_taken_is_sent_again_with_what_came_meanwhile(ledger: Ledger) -> None:
    """And to nobody else who took it."""
    with receivers(2) as (broken, good):
        broken.answer = HttpAnswer(500)
        one = notifier(ledger, plan(broken, good))
        accept(ledger, 1, dead="mapping")
        one.step()
        one.step()
        assert [1, 1] == [len(broken.texts), len(good.texts)]

        broken.answer = HttpAnswer()
        accept(ledger, 1, dead="mapping")
        notes = _notes(ledger)
        assert 1 == json.loads(notes["progress:0"])["failures"]
        ledger.redis.hset(KEYS.notify, "progress:0", json.dumps(json.loads(notes["progress:0"]) | {"next_ms": 0}))
        one.step()
        one.step()
        assert ["2 dead letters:"] == [text.split("\n")[1] for text in broken.texts[1:]]
        assert 1 == len(good.texts)


def test_a_kill_between_sending_and_noting_repeats_one_message(
    ledger: Ledger, receiver: Receiver, shared_redis: EmbeddedRedis
) -> None:
    """The receiver has it and does not answer; so nobody knows, and it comes once more."""
    receiver.answer = None
    two = notifier(ledger, plan(receiver), "p2")
    accept(ledger, 2, dead="mapping")
    lapse(ledger)
    words = (
        "import sys, time; from longshore.ledger.connection import connect; from longshore.ledger.keys import Keys;"
        "from longshore.ledger.ledger import Ledger; from longshore.ledger.limits import Limits;"
        "from longshore.notification.kinds import Kind; from longshore.notification.notifier import Notifier, Plan;"
        "ledger = Ledger(connect(sys.argv[1]), Keys.of('org/org.agent'), Limits());"
        "Notifier(ledger, Plan([sys.argv[2]], frozenset(Kind), 3600, 3600, 0, 'a'), lambda: True).step()"
    )
    process = subprocess.Popen([sys.executable, "-c", words, shared_redis.url, receiver.url])
    eventually(lambda: receiver.requests, "a request")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    receiver.answer = HttpAnswer()
    two.step()
    assert 1 == len(receiver.texts)  # the lease of the dead
    lapse(ledger)
    two.step()
    assert 1 == len(receiver.texts)  # not at once: a message that kills its sender would go out without end
    end_pauses(ledger)
    for _ in range(2):
        end_pauses(ledger)
        two.step()
    assert ["2 dead letters:", "2 dead letters:"] == [text.split("\n")[1] for text in receiver.texts]


def test_an_open_breaker_is_told_and_that_it_closed(ledger: Ledger, receiver: Receiver) -> None:
    (id,) = accept(ledger, 1)
    end(ledger, id, State.WAITING, "connection_refused", delay_ms=60_000, about_target="fault")
    one = notifier(ledger, plan(receiver))
    one.step()
    one.step()
    assert ["Breakers open, so that little is sent there:\n- http://a:80"] == [
        body["message"] for body in receiver.bodies
    ]

    ledger.redis.delete(KEYS.gates)
    end_pauses(ledger)
    one.step()
    one.step()
    assert "Resolved:\n- The breaker of http://a:80 is closed" == receiver.bodies[1]["message"]
    assert "success" == receiver.bodies[1]["type"]
    assert 2 == len(receiver.texts)


def test_silence_is_told_and_its_end(redis_client: "redis.Redis", receiver: Receiver) -> None:
    """No worker, and no ingest that can read."""
    ledger = Ledger(redis_client, KEYS, Limits())
    one = notifier(ledger, plan(receiver, silence_s=0), reads=False)
    one.step()
    (body,) = receiver.bodies
    assert "No worker runs." in body["message"]
    assert "No ingest can read invocations." in body["message"]

    ledger.heartbeat("worker", 1)
    end_pauses(ledger)
    Notifier(ledger, plan(receiver), lambda: True, "ingest").step()
    notifier(ledger, plan(receiver))
    assert ["Resolved:", "- Invocations are read again", "- Workers run again"] == receiver.bodies[1]["message"].split(
        "\n"
    )


@pytest.mark.parametrize("field", ["progress:0", "since", "read", "lapses"])
@pytest.mark.parametrize("text", ["", "{", "[1]", '{"told_ms": "x"}', "1e400"])
def test_notes_that_nobody_of_ours_wrote_stop_nothing(
    ledger: Ledger, receiver: Receiver, field: str, text: str
) -> None:
    """A process that fell over them would be restarted, and again."""
    one = notifier(ledger, plan(receiver))
    ledger.redis.hset(KEYS.notify, field, text)
    one.step()
    notifier(ledger, plan(receiver), "p2")
    accept(ledger, 1, dead="mapping")
    one.step()
    assert 1 == len(receiver.texts)


def test_only_what_was_asked_for_is_told(ledger: Ledger, receiver: Receiver) -> None:
    one = notifier(ledger, plan(receiver, kinds=frozenset({Kind.UNKNOWN_OUTCOMES})))
    accept(ledger, 1, dead="mapping")
    one.step()
    assert not receiver.texts
