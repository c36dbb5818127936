"""Rotated Kafka credentials: fetched again, used without a restart."""

import threading
from collections.abc import Callable

from ingest.credentials import Access
from ingest.login import LONGEST_WAIT_S, Login

OLD = Access("a:9196", "user", "old")
NEW = Access("a:9196", "user", "new")


class Reader:
    """As much of a reader as the login looks at; the brokers refuse all but `accepted`."""

    def __init__(self) -> None:
        self.login_refused = False
        self.broken = False
        self.used: list[tuple[str, str]] = []

    def log_in_with(self, username: str, password: str) -> None:
        self.login_refused = False
        self.used.append((username, password))


class Port:
    """Answers with `access`; `asked` counts."""

    def __init__(self, access: Access | None) -> None:
        self.access = access
        self.asked = 0
        self.done = threading.Event()

    def __call__(self) -> Access | None:
        self.asked += 1
        self.done.set()
        return self.access


def look_until(login: Login, reader: Reader, what: Callable[[], bool]) -> None:
    """Look until the background question is answered."""
    while not what():
        login.look(reader)  # type: ignore[arg-type]


def test_a_refused_login_brings_new_credentials() -> None:
    """They go to the consumer at hand: no restart, no rebalance."""
    reader, port = Reader(), Port(NEW)
    login = Login(OLD, port)
    assert login.look(reader) is None  # type: ignore[arg-type]
    assert port.asked == 0

    reader.login_refused = True
    look_until(login, reader, lambda: bool(reader.used))

    assert reader.used == [("user", "new")]
    assert port.asked == 1


def test_other_brokers_need_another_consumer() -> None:
    """Port may move an organization to another cluster."""
    elsewhere = Access("b:9196", "user", "new")
    reader, port = Reader(), Port(elsewhere)
    login = Login(OLD, port)
    reader.login_refused = True
    login.look(reader)  # type: ignore[arg-type]
    port.done.wait(10)

    found = None
    while found is None:
        found = login.look(reader)  # type: ignore[arg-type]

    assert found == elsewhere


def test_credentials_that_stay_refused_are_asked_for_ever_more_seldom() -> None:
    """Port's rate limit for this is not ours to use up."""
    reader, port = Reader(), Port(OLD)
    now = [0.0]
    login = Login(OLD, port, clock=lambda: now[0])
    waits = []
    for round in range(1, 9):
        reader.login_refused = True
        before = now[0]
        while port.asked < round:
            login.look(reader)  # type: ignore[arg-type]
            now[0] += 0.5
        look_until(login, reader, lambda: not reader.login_refused)
        waits.append(now[0] - before)

    assert waits[-1] >= LONGEST_WAIT_S


def test_a_broken_consumer_is_replaced() -> None:
    """After a fatal error of librdkafka only a new one reads on."""
    reader = Reader()
    reader.broken = True

    assert Login(OLD, None).look(reader) == OLD  # type: ignore[arg-type]


def test_a_local_kafka_has_nobody_to_ask() -> None:
    """The refusal is in the log; the settings are all there is."""
    reader = Reader()
    reader.login_refused = True

    assert Login(OLD, None).look(reader) is None  # type: ignore[arg-type]


def test_changed_certificates_need_another_consumer() -> None:
    """The client reads them once; while the file is away for a moment, the old ones do."""
    versions = iter(["old", "old", None, "old", "new", "new"])
    login, reader = Login(OLD, None, bundle=lambda: next(versions)), Reader()

    assert [None, None, None, OLD, None] == [login.look(reader) for _ in range(5)]  # type: ignore[arg-type]
