"""Rotated Kafka credentials: fetched again, used without a restart."""

import threading
from collections.abc import Callable

from ingest.kafka.consumer_errors import ConsumerErrors
from ingest.kafka.credential_refresher import MAX_WAIT_S, CredentialRefresher
from ingest.kafka.credentials import KafkaAccess
from ingest.outage import Outage
from longshore.log import events

OLD = KafkaAccess("a:9196", "user", "old")
NEW = KafkaAccess("a:9196", "user", "new")


class KafkaReader:
    """As much of a reader as the refresher uses."""

    def __init__(self) -> None:
        self.errors = ConsumerErrors(Outage(events.KAFKA_OUTAGE, threading.Event()))
        self.is_broken = False
        self.used: list[tuple[str, str]] = []

    def set_credentials(self, username: str, password: str) -> None:
        self.errors.is_login_refused = False
        self.used.append((username, password))


class Port:
    """Answers with `access`; `calls` counts."""

    def __init__(self, access: KafkaAccess | None) -> None:
        self.access = access
        self.calls = 0
        self.answered = threading.Event()

    def __call__(self) -> KafkaAccess | None:
        self.calls += 1
        self.answered.set()
        return self.access


def refresh_until(refresher: CredentialRefresher, reader: KafkaReader, is_done: Callable[[], bool]) -> None:
    """Call it until the background question is answered."""
    while not is_done():
        refresher.refresh(reader)  # type: ignore[arg-type]


def test_a_refused_login_brings_new_credentials() -> None:
    """They go to the consumer at hand: no restart, no rebalance."""
    reader, port = KafkaReader(), Port(NEW)
    refresher = CredentialRefresher(OLD, port)
    assert refresher.refresh(reader) is None  # type: ignore[arg-type]
    assert port.calls == 0

    reader.errors.is_login_refused = True
    refresh_until(refresher, reader, lambda: bool(reader.used))

    assert reader.used == [("user", "new")]
    assert port.calls == 1


def test_other_brokers_need_another_consumer() -> None:
    """Port may move an organization to another cluster."""
    elsewhere = KafkaAccess("b:9196", "user", "new")
    reader, port = KafkaReader(), Port(elsewhere)
    refresher = CredentialRefresher(OLD, port)
    reader.errors.is_login_refused = True
    refresher.refresh(reader)  # type: ignore[arg-type]
    port.answered.wait(10)

    access = None
    while access is None:
        access = refresher.refresh(reader)  # type: ignore[arg-type]

    assert access == elsewhere


def test_credentials_that_stay_refused_are_asked_for_ever_more_seldom() -> None:
    """Port's rate limit for this is not ours to use up."""
    reader, port = KafkaReader(), Port(OLD)
    now = [0.0]
    refresher = CredentialRefresher(OLD, port, clock=lambda: now[0])
    waits = []
    for round in range(1, 9):
        reader.errors.is_login_refused = True
        before = now[0]
        while port.calls < round:
            refresher.refresh(reader)  # type: ignore[arg-type]
            now[0] += 0.5
        refresh_until(refresher, reader, lambda: not reader.errors.is_login_refused)
        waits.append(now[0] - before)

    assert waits[-1] >= MAX_WAIT_S


def test_a_broken_consumer_is_replaced() -> None:
    """After a fatal error of librdkafka only a new one reads on."""
    reader = KafkaReader()
    reader.is_broken = True

    assert CredentialRefresher(OLD, None).refresh(reader) == OLD  # type: ignore[arg-type]


def test_a_local_kafka_has_nobody_to_ask() -> None:
    """The refusal is in the log; the settings are all there is."""
    reader = KafkaReader()
    reader.errors.is_login_refused = True

    assert CredentialRefresher(OLD, None).refresh(reader) is None  # type: ignore[arg-type]


def test_changed_certificates_need_another_consumer() -> None:
    """The client reads them once; while the file is away for a moment, the old ones do."""
    versions = iter(["old", "old", None, "old", "new", "new"])
    refresher, reader = CredentialRefresher(OLD, None, read_certificate_version=lambda: next(versions)), KafkaReader()

    assert [None, None, None, OLD, None] == [refresher.refresh(reader) for _ in range(5)]  # type: ignore[arg-type]
