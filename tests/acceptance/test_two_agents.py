"""Port's own agent and Longshore in one consumer group: which of them handles what, while either comes and goes.

The original is a consumer with its settings and its habits (wire contract, settings): `client.id`, the default
assignment by range, a session of 45 s, one message at a time, and a synchronous commit after each.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from tests.acceptance.test_drain import Agent, Target, offsets, start, target
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually

__all__ = ["target"]

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(400, func_only=True)]

PORTION = 30
HANDLING_S = 0.02
"""How long the original takes for a message, so that it is in the middle of its work when something changes."""


class Original:
    """One process of Port's agent, as a thread. `handled` are the runs that it has handled, in order."""

    def __init__(self, agent: Agent) -> None:
        self.handled: list[str] = []
        self.partitions: set[int] = set()
        self._topics = list(agent.topics)
        self._consumer = Consumer(
            {
                "bootstrap.servers": agent.broker.bootstrap,
                "client.id": "port-agent",
                "security.protocol": "plaintext",
                "group.id": agent.environ["KAFKA_CONSUMER_GROUP_ID"],
                "session.timeout.ms": 45_000,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> Original:
        """Join the group; returns once it has an assignment."""
        self._consumer.subscribe(self._topics, on_assign=self._assign, on_revoke=self._assign)
        self._thread.start()
        eventually(lambda: self.partitions, "partitions of the original")
        return self

    def stop(self) -> None:
        """SIGTERM: it handles what it has in hand, and leaves the group."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _assign(self, _: Consumer, partitions: list) -> None:  # type: ignore[type-arg]
        self.partitions = {each.partition for each in self._consumer.assignment() or partitions}

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            self.handled.append(json.loads(message.value() or b"")["context"]["runId"])
            time.sleep(HANDLING_S)
            try:
                self._consumer.commit(asynchronous=False)
            except KafkaException:
                continue  # a rebalance: it goes on, as the original does
        self._consumer.close()


class Stage:
    """Both agents, and what each of them has handled."""

    def __init__(self, agent: Agent, target: Target) -> None:
        self.agent, self.target = agent, target
        self.originals: list[Original] = []

    def start_original(self) -> Original:
        self.originals.append(Original(self.agent).start())
        return self.originals[-1]

    @property
    def by_original(self) -> list[str]:
        return [run for original in self.originals for run in original.handled]

    def handlings(self) -> Counter[str]:
        """How often each run was handled, by whomever."""
        return Counter([*self.target.received, *self.by_original])

    def settle(self) -> None:
        """Wait until all that was published has been handled, and all of it is committed."""
        eventually(lambda: set(self.agent.published) <= set(self.handlings()), "all are handled")
        eventually(
            lambda: not any(each["read_again"] for each in self.agent.drain("--dry-run")["offsets"]),
            "all is committed",
            every_s=0.5,
        )

    def stop_longshore(self) -> None:
        for member in self.agent.fleet.living("ingest"):
            member.ask_to_end()
            assert member.wait_end(60)[0] == 0


@pytest.fixture
def stage(tmp_path: Path, real_kafka: KafkaBroker, redis_server: EmbeddedRedis, target: Target) -> Iterator[Stage]:
    with FakePort() as port:
        stage = Stage(Agent(tmp_path, real_kafka, redis_server, port, target.url, partitions=2), target)
        yield stage
        for original in stage.originals:
            original.stop()
        for member in stage.agent.fleet.started:
            member.close()


def test_each_message_is_handled_by_exactly_one_of_the_two_from_the_switch_to_the_way_back(stage: Stage) -> None:
    """The original alone, both, Longshore alone, and back: the work goes on at each change, and nothing is lost.

    Longshore joins, and the original leaves, under load. Longshore gives up under load by a drain.
    """
    agent = stage.agent
    original = stage.start_original()
    agent.publish(PORTION)
    eventually(lambda: original.handled, "the original is at work")
    start(agent)  # side by side: a partition for each
    agent.publish(PORTION)
    eventually(lambda: stage.target.received, "Longshore is at work")
    assert len(original.partitions) == 1
    agent.publish(PORTION)
    original.stop()  # the switch
    agent.publish(PORTION)
    eventually(lambda: set(agent.published) <= set(stage.handlings()), "all are handled")
    switched = len(original.handled)

    agent.publish(PORTION)
    result = agent.drain()  # the way back
    agent.publish(PORTION)
    stage.stop_longshore()
    delivered = set(stage.target.received)
    stage.start_original()
    eventually(lambda: set(agent.published) <= set(stage.handlings()), "all are handled")

    assert result["empty"]
    assert stage.handlings() == Counter(agent.published)
    assert delivered == set(stage.target.received)
    assert 0 < switched < len(stage.by_original)
    assert sum(offset or 0 for offset in offsets(result).values()) == 6 * PORTION - (len(stage.by_original) - switched)


def test_an_original_that_joins_beside_longshore_repeats_only_what_was_not_committed(stage: Stage) -> None:
    """At rest it repeats nothing. Under load Longshore's commits trail, so it repeats at most those seconds."""
    agent = stage.agent
    start(agent)
    agent.publish(PORTION)
    stage.settle()
    original = stage.start_original()
    agent.publish(PORTION)
    stage.settle()
    assert stage.handlings() == Counter(agent.published)
    original.stop()
    stage.settle()
    before = set(agent.published)

    agent.publish(PORTION)
    stage.start_original()
    agent.publish(PORTION)
    stage.settle()

    repeats = {run for run, count in stage.handlings().items() if count > 1}
    assert not repeats & before
    assert max(stage.handlings().values()) <= 2
    assert set(stage.handlings()) == set(agent.published)
