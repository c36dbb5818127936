"""A Kafka broker of our own: the mock broker inside librdkafka, which other processes can use over TCP.

Good enough to watch Longshore work and for small tests: consumer groups, rebalances and commits behave. It keeps about
5 MB per partition and silently drops the oldest, forgets everything when it stops, and lives in the process that made
it. After a member of a group leaves or dies, the others wait the group's session timeout less one second, so give
consumers a short one. Loss and backlog are tested on a real broker.

confluent_kafka offers no Python name for the mock broker beyond "one broker, please", so the few functions of
librdkafka's `rdkafka_mock.h` used here (partition counts, an outage, the group's first rebalance delay) are called in
the library file that confluent_kafka brings along.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import confluent_kafka

from longshore.errors import LongshoreError

BROKER = 1
"""The id librdkafka gives its only mock broker."""
PRODUCER = 0
"""`RD_KAFKA_PRODUCER` of rdkafka.h."""
CONF_OK = 0
"""`RD_KAFKA_CONF_OK` of rdkafka.h."""
ERROR_TEXT_SIZE = 512
FLUSH_S = 10
"""How long a published message may stay unconfirmed; on the loopback address it takes about a millisecond."""


class EmbeddedKafkaFailed(LongshoreError):
    """The mock broker could not be made or did not take a message; says which."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a message stands in Kafka; printed as the ledger writes an invocation's origin."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class EmbeddedKafka:
    """One mock broker at a free loopback port, running from construction until `stop`.

    `topics` maps each topic to its number of partitions; others appear on first use with librdkafka's default of 4.
    `join_delay_ms` is how long a new consumer group waits for further members (3,000 in Kafka, short here).
    """

    def __init__(self, topics: Mapping[str, int], *, join_delay_ms: int = 100) -> None:
        self._library = _load()
        self._client: int | None = _client(self._library)
        self._cluster = self._library.rd_kafka_handle_mock_cluster(self._client)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, join_delay_ms)
        for topic, partitions in topics.items():
            self._check(self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1), topic)
        # log_level 0: its complaints about an outage we made ourselves would only fill the terminal.
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.bootstrap, "linger.ms": 0, "log_level": 0, "message.max.bytes": 32 << 20}
        )

    def publish(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        *,
        partition: int = -1,
        timeout_s: float = FLUSH_S,
    ) -> RecordPosition:
        """Write one message and return its place; raises `EmbeddedKafkaFailed` if it is not taken within `timeout_s`.

        None is a tombstone; partition -1 follows the key, or any partition without one.
        """
        positions: list[RecordPosition] = []
        problems: list[str] = []

        def confirmed(error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
            if error is not None:
                problems.append(error.str())
            else:
                positions.append(RecordPosition(topic, int(message.partition() or 0), int(message.offset() or 0)))

        self._producer.produce(topic, value, key, partition, on_delivery=confirmed)
        self._producer.flush(timeout_s)
        if not positions:
            self._producer.purge()  # what was called failed must not arrive later
            raise EmbeddedKafkaFailed(f"a message to {topic} was not taken: {problems or 'no confirmation'}")
        return positions[0]

    def down(self) -> None:
        """Make the broker unreachable: connections are cut and refused until `up`. What it holds stays."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, BROKER), "down")

    def up(self) -> None:
        """End the outage made by `down`."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, BROKER), "up")

    def stop(self) -> None:
        """End the broker; everything it held is gone. May be called twice."""
        if self._client:
            self._producer.purge()
            self._library.rd_kafka_destroy(self._client)
            self._client = None

    def __enter__(self) -> EmbeddedKafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _check(self, code: int, operation: str) -> None:
        if code:
            raise EmbeddedKafkaFailed(f"{operation}: {self._library.rd_kafka_err2str(code).decode()}")


def _library_path() -> str:
    # Linux wheels keep the library in confluent_kafka.libs, macOS ones in confluent_kafka/.dylibs; a build from source
    # uses the system's.
    package = Path(confluent_kafka.__file__).parent
    beside = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    path = str(beside[0]) if beside else ctypes.util.find_library("rdkafka")
    if path is None:
        raise EmbeddedKafkaFailed("confluent_kafka is installed without its librdkafka library file")
    return path


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(_library_path())
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "rd_kafka_conf_new": (handle, []),
        "rd_kafka_conf_set": (number, [handle, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (handle, [number, handle, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [handle]),
        "rd_kafka_err2str": (text, [number]),
        "rd_kafka_handle_mock_cluster": (handle, [handle]),
        "rd_kafka_mock_cluster_bootstraps": (text, [handle]),
        "rd_kafka_mock_topic_create": (number, [handle, text, number, number]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [handle, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_down": (number, [handle, ctypes.c_int32]),
        "rd_kafka_mock_broker_set_up": (number, [handle, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _client(library: ctypes.CDLL) -> int:
    # The mock broker belongs to a client; this one does nothing else.
    problem = ctypes.create_string_buffer(ERROR_TEXT_SIZE)
    options = library.rd_kafka_conf_new()
    for name, value in {"test.mock.num.brokers": "1", "log_level": "0"}.items():
        if library.rd_kafka_conf_set(options, name.encode(), value.encode(), problem, ERROR_TEXT_SIZE) != CONF_OK:
            raise EmbeddedKafkaFailed(problem.value.decode())
    client: int | None = library.rd_kafka_new(PRODUCER, options, problem, ERROR_TEXT_SIZE)
    if client is None:
        raise EmbeddedKafkaFailed(problem.value.decode())
    return client
