"""A container without a volume is killed with everything in it, and another takes its place with an empty Redis."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from ingest.kafka.commit_metadata import parse
from ingest.kafka.offset_set import contains
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from longshore.sandbox.publisher import action_run, as_text
from tests.support.faults_table import SIZE
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import SCRIPT, bare, eventually
from tests.support.scene import BOUND_S, PATIENCE_S, POLL_S

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(BOUND_S, func_only=True)]

SECRET = "faults-client-secret-0123456789-abcdef"
ORGANIZATION, GROUP = "kafka-container", "kafka-container.agent"
TOPIC = f"{ORGANIZATION}.runs"
PARTITIONS = 3
PORTION = SIZE * 4 // 5
KILLS = 1

Place = tuple[int, int]


class Container:
    """`longshore run` without Redis and volume: what it keeps goes with it."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        (folder / "tmp").mkdir(parents=True)
        self.log_path = folder / "log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [str(SCRIPT), "run"],
                cwd=folder,
                env=bare({**environ, "TMPDIR": str(folder / "tmp")}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """All processes of it at once, Redis too."""
        tree = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in tree:
            process.suspend()  # so that none notices the end of another
        for process in tree:
            process.kill()
        self.process.wait()
        psutil.wait_procs(tree, timeout=10)

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()


class Load:
    """Runs for two targets, and where Kafka has put each."""

    def __init__(self, broker: KafkaBroker, targets: FakeTargets) -> None:
        self.places: dict[Place, str] = {}
        self._targets = targets
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, "log_level": 0})

    def publish(self, count: int) -> None:
        first = len(self.places)
        for number in range(first, first + count):
            run, url = f"r_{number:05}", self._targets.url("slow" if number % 3 else "good")
            value = as_text(action_run(run, url, synchronized=number % 5 == 0), SECRET)
            self._producer.produce(TOPIC, value, run.encode(), number % PARTITIONS, on_delivery=self._stored)
        assert self._producer.flush(30) == 0

    def _stored(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        value: Any = message.key()
        self.places[int(message.partition() or 0), int(message.offset() or 0)] = value.decode()


until = partial(eventually, patience_s=PATIENCE_S, every_s=POLL_S)


@pytest.fixture
def targets() -> Iterator[FakeTargets]:
    with FakeTargets(behavior=Behavior(slow_s=0.3)) as fake_targets:
        yield fake_targets


def finished(broker: KafkaBroker, load: Load) -> set[str]:
    """The runs that the group's commits call finished."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": GROUP, "log_level": 0})
    found = consumer.committed([TopicPartition(TOPIC, number) for number in range(PARTITIONS)], timeout=30)
    consumer.close()
    marks = {each.partition: (each.offset, parse(each.metadata, each.offset)) for each in found}
    done = set()
    for (partition, offset), run in load.places.items():
        committed, metadata = marks[partition]
        if offset < committed or (metadata is not None and metadata.finished and contains(metadata.finished, offset)):
            done.add(run)
    return done


def test_a_container_that_is_killed_with_its_redis_loses_nothing_and_repeats_nothing_finished(
    real_kafka: KafkaBroker, targets: FakeTargets, tmp_path: Path
) -> None:
    """Under load. What was finished and committed is not sent again; all else is, and Port hears of it."""
    real_kafka.create_topic(TOPIC, PARTITIONS)
    real_kafka.create_topic(f"{ORGANIZATION}.change.log")
    load = Load(real_kafka, targets)
    with FakePort() as port:
        environ = {
            "PORT_ORG_ID": ORGANIZATION,
            "PORT_CLIENT_ID": "client",
            "PORT_CLIENT_SECRET": SECRET,
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": real_kafka.bootstrap,
            "KAFKA_CONSUMER_GROUP_ID": GROUP,
            "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            "REPORT_DELAY_S": "0.2",
            "WORKER_SLOTS": "20",
            # So that Port hears of each as soon as it has ended, as it does at any load that it allows.
            "PORT_API_RATE": "0",
        }
        committed: list[set[str]] = []
        sent: list[Counter[str]] = []
        unreported: set[str] = set()
        for number in range(KILLS):
            with Container(tmp_path / f"container-{number}", environ) as container:
                load.publish(PORTION)
                min_finished = len(committed[-1] if committed else ()) + PORTION // 3
                until(partial(_are_finished, real_kafka, load, min_finished), "a third of it is finished")
                container.kill()
            committed.append(finished(real_kafka, load))
            sent.append(Counter(targets.attempts()))
            # What Port has not heard of 2 s after its end is called finished all the same: then its run stays open.
            unreported |= committed[-1] - closed(port)
        with Container(tmp_path / "container-last", environ):
            load.publish(PORTION // 4)
            runs = set(load.places.values())
            until(lambda: finished(real_kafka, load) == runs, "all is finished")
            synchronized = {run for run in runs if int(run[2:]) % 5 == 0}
            until(lambda: synchronized - unreported <= closed(port), "Port has heard of all")
        last = Counter(targets.attempts())

    assert set(last) == runs
    for done, before in zip(committed, sent, strict=True):
        assert 0 < len(done) < len(before), "killed too early or too late to show anything"
        assert {run: last[run] for run in done} == {run: before[run] for run in done}


def _are_finished(broker: KafkaBroker, load: Load, number: int) -> bool:
    try:
        return len(finished(broker, load)) >= number
    except KafkaException:
        return False  # a new broker has to make the topic of commits first


def closed(port: FakePort) -> set[str]:
    """The runs that Port was told the end of."""
    return {run for run, known in port.runs.items() if known.state == "SUCCESS"}
