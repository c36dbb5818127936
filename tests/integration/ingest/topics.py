"""Two topics and a group of one test's own on the real broker, and all that operators can do to them."""

from __future__ import annotations

import itertools
import time
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from ingest.kafka.commit_metadata import CommitMetadata, parse
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import Ingest, MakeIngest, run
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually

ADMIN_S = 30
_NUMBERS = itertools.count()


class Topics:
    """A topic of runs with so many partitions, one of change log events with one."""

    def __init__(self, broker: KafkaBroker, partitions: int = 1) -> None:
        number = next(_NUMBERS)
        self.broker = broker
        self.runs, self.change_log, self.group = f"org{number}.runs", f"org{number}.change.log", f"org{number}.agent"
        broker.create_topic(self.runs, partitions)
        broker.create_topic(self.change_log)
        self._consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": self.group, "log_level": 0})
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    def settings(self) -> dict[str, str]:
        return {
            "KAFKA_RUNS_TOPIC": self.runs,
            "KAFKA_CHANGE_LOG_TOPIC": self.change_log,
            "KAFKA_CONSUMER_GROUP_ID": self.group,
        }

    def publish(self, numbers: range, partition: int = 0, ahead_s: int = 0) -> None:
        """Publish these runs; the publisher's clock is so much ahead."""
        # A new one each time, as an older one learns only minutes later of partitions that were added.
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 1, "log_level": 0})
        for number in numbers:
            timestamp_ms = round((time.time() + ahead_s) * 1000)
            producer.produce(self.runs, run(number), partition=partition, timestamp=timestamp_ms)
        assert producer.flush(ADMIN_S) == 0

    def committed(self, partition: int = 0) -> int:
        """The group's committed offset of a partition of the runs topic; negative if there is none."""
        # Not AdminClient.list_consumer_group_offsets: while the broker still loads the group, that fails at best, and
        # at worst ends the process (librdkafka 2.16 asks for a consumer group that an admin client does not have).
        return self.read_commit(partition)[0]

    def read_commit(self, partition: int = 0) -> tuple[int, CommitMetadata | None]:
        """The same, and the metadata that came with it."""
        (commit,) = self._consumer.committed([TopicPartition(self.runs, partition)], timeout=ADMIN_S)
        return commit.offset, parse(commit.metadata, commit.offset)

    def reset_group(self, offset: int, partition: int = 0) -> None:
        """What kafka-consumer-groups --reset-offsets does; the group must be empty."""
        new_offset = TopicPartition(self.runs, partition, offset)
        answers = self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self.group, [new_offset])])
        answers[self.group].result(ADMIN_S)

    def forget_group(self) -> None:
        """What the broker does with the commits of a group that was away for a week; the group must be empty."""
        self.admin.delete_consumer_groups([self.group])[self.group].result(ADMIN_S)

    def expire(self, below: int) -> None:
        """Delete the records of partition 0 below an offset, as retention does."""
        for future in self.admin.delete_records([TopicPartition(self.runs, 0, below)]).values():
            future.result(ADMIN_S)

    def add_partitions(self, total: int) -> None:
        self.admin.create_partitions([NewPartitions(self.runs, total)])[self.runs].result(ADMIN_S)
        eventually(lambda: len(self._partitions()) >= total, f"{total} partitions")

    def recreate(self, partitions: int = 1) -> None:
        """Delete the runs topic and create it again."""
        self.admin.delete_topics([self.runs])[self.runs].result(ADMIN_S)
        eventually(lambda: self.runs not in self.admin.list_topics(timeout=10).topics, "the topic is gone")
        self.broker.create_topic(self.runs, partitions)

    def _partitions(self) -> dict[int, Any]:
        return self.admin.list_topics(self.runs, timeout=10).topics[self.runs].partitions


def make(make_ingest: MakeIngest, topics: Topics, redis: EmbeddedRedis, **more: str) -> Ingest:
    """An ingest of these topics, not yet started."""
    return make_ingest(topics.broker.bootstrap, redis, **topics.settings(), **more)


def accounted(ingest: Ingest, topics: Topics, partition: int = 0) -> dict[str, int]:
    """The ledger's counters of a partition, which must account for every offset that it has passed."""
    counters = ingest.partition(topics.runs, partition)
    reasons = {name: number for name, number in counters.items() if name not in ("next", "read")}
    assert counters.get("read", 0) == sum(reasons.values()), counters
    return counters
