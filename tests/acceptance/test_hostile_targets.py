"""A real worker against targets that do everything a target can do wrong, and what is left of it afterwards."""

import gzip
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from longshore.ledger.kafka_addresses import KafkaAddresses
from longshore.log import events
from longshore.operations.ledger_access import open_ledger
from tasks.worker.outbox import SENDERS
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Script, Talk, answering
from tests.support.programs import Program, eventually

from .conftest import Bench

MEGABYTE = 1_000_000
SLOTS = 8

MOST_GROWTH = 130 * MEGABYTE
"""What a worker may take for all of them together: eight answers of 1 MiB, each as bytes, as text and sealed, and the
modules that are loaded when they are needed. Less than any of the large ones takes as bytes and as text."""

BOMB = gzip.compress(b"\0" * 100 * MEGABYTE) * 10


def head(more: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{more}\r\n".encode()


def dripping(start: bytes, drop: bytes) -> Script:
    """One byte a second, for ever: never late by the measure of a single read."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(start)
        talk.drip(drop, pause_s=1)

    return script


def pouring(start: bytes, flood: bytes, megabytes: int | None = None) -> Script:
    """As much as goes through the wire, for ever or `megabytes` of it."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(start)
        poured = 0
        while megabytes is None or poured < megabytes * MEGABYTE:
            talk.send(flood)
            poured += len(flood)

    return script


def reset(talk: Talk) -> None:
    talk.receive()
    talk.reset()


def half_closed(talk: Talk) -> None:
    """Promises to keep the connection, and closes its side of it."""
    talk.receive()
    talk.send(OK)
    talk.sock.shutdown(1)
    talk.receive()


def old_fashioned(talk: Talk) -> None:
    """HTTP/1.0: no length, the end of the connection is the end of the body."""
    talk.receive()
    talk.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nas it was in 1996")


@dataclass(frozen=True)
class Case:
    """A target, how a delivery to it ends, and what is said about it."""

    script: Script
    state: str
    reason: str
    says: str = ""
    certificate: tuple[str, int] | None = None
    secure: bool = False


CASES = {
    "drips-headers": Case(dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), "done", "delivered"),
    "drips-body": Case(dripping(head("Content-Length: 100000\r\n"), b"a"), "done", "delivered"),
    "drips-continue": Case(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "unknown", "deadline", "total deadline"),
    "endless-body": Case(pouring(head(""), b"a" * 65_536), "done", "delivered"),
    "endless-chunks": Case(pouring(head("Transfer-Encoding: chunked\r\n"), b"1\r\na\r\n" * 9_999), "done", "delivered"),
    "100-megabytes": Case(
        pouring(head(f"Content-Length: {100 * MEGABYTE}\r\n"), b"a" * MEGABYTE, 100), "done", "delivered"
    ),
    "bomb": Case(pouring(head("Content-Encoding: gzip\r\n"), BOMB, 1), "done", "delivered"),
    "header-flood": Case(pouring(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 999), "done", "delivered"),
    "endless-header": Case(pouring(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 65_536), "done", "delivered"),
    "endless-status": Case(pouring(b"HTTP/1.1 200 O", b"K" * 65_536), "unknown", "bad_answer", "not in HTTP"),
    "redirect-loop": Case(
        answering(b"HTTP/1.1 307 On\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"),
        "dead",
        "bad_redirect",
        "redirects more than 30 times",
    ),
    "to-metadata": Case(
        answering(b"HTTP/1.1 302 On\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
        "dead",
        "denied",
        "redirected to a place that may not be called: 169.254.169.254:80 is link-local",
    ),
    "reset": Case(reset, "unknown", "connection_lost", "closed the connection without answering"),
    "half-closed": Case(half_closed, "done", "delivered"),
    "http-1.0": Case(old_fashioned, "done", "delivered"),
    "tls-stall": Case(Talk.hang, "dead", "tls", "did not finish the handshake", secure=True),
    "wrong-name": Case(answering(OK), "dead", "tls", "is for another", ("elsewhere.invalid", 1)),
    "expired": Case(answering(OK), "dead", "tls", "has expired", ("localhost", -2)),
    "unknown-ca": Case(answering(OK), "dead", "tls", "is not signed by a known CA"),
}


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[dict[str, str]]:
    """All of them, listening; by the name of the case. The worker is to trust `known/ca.pem`."""
    for name in ("known", "stranger"):
        (tmp_path / name).mkdir()
    known, stranger = Authority.create(tmp_path / "known"), Authority.create(tmp_path / "stranger")
    with ExitStack() as opened:
        found = {}
        for name, case in CASES.items():
            context: ssl.SSLContext | None = known.context(*case.certificate) if case.certificate else None
            if name == "unknown-ca":
                context = stranger.context()
            url = opened.enter_context(HostileTarget(case.script, context)).url(host="localhost")
            found[name] = url.replace("http:", "https:") if case.secure else url
        yield found


def all_end_as_they_should(bench: Bench, urls: dict[str, str], turn: str) -> None:
    """One run for each target, all at once."""
    for name, url in urls.items():
        bench.accept(f"{turn}-{name}", url)
    for name, case in CASES.items():
        bench.ends(f"{turn}-{name}", case.state, case.reason)


def peak(process: psutil.Process) -> int:
    """The most memory that it ever had, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def unpooled(process: psutil.Process, bench: Bench) -> int:
    """Its descriptors but for connections to Redis and Port: of those it keeps as many as were once needed at once."""
    pooled = {bench.redis.port, urlsplit(bench.port.url).port}
    kept = sum(bool(each.raddr) and each.raddr.port in pooled for each in process.net_connections())
    return process.num_fds() - kept


def delivers(bench: Bench, id: str) -> None:
    bench.accept(id, "good")
    bench.ends(id, "done", "delivered")


@pytest.mark.timeout(180)
def test_a_worker_outlives_all_of_them_and_keeps_nothing(bench: Bench, urls: dict[str, str], tmp_path: Path) -> None:
    """Each ends in its class and with a cause for people; memory is bounded; no thread and no descriptor is left."""
    worker = bench.worker(
        WEBHOOK_TOTAL_TIMEOUT="4",
        RETRY_MAX_ATTEMPTS="2",
        WORKER_SLOTS=str(SLOTS),
        REQUESTS_CA_BUNDLE=str(tmp_path / "known" / "ca.pem"),
    )
    process = psutil.Process(worker.process.pid)
    delivers(bench, "r_before")
    # The pools of attempts and of reports grow on demand, up to this; one thread lost in four attempts would show.
    threads = process.num_threads() + SLOTS + SENDERS
    before = process.memory_info().rss

    descriptors = []
    for turn in ("first", "second", "third", "fourth"):
        all_end_as_they_should(bench, urls, turn)
        delivers(bench, f"r_after_{turn}")
        descriptors.append(unpooled(process, bench))
        # What grows on demand (processes of jq, connections kept for the next request) stops growing; what is lost in
        # some attempt is lost in each turn.
        if len(descriptors) > 1 and descriptors[-1] <= descriptors[-2]:
            break
    else:
        pytest.fail(f"more descriptors after each turn: {descriptors}")

    assert peak(process) - before < MOST_GROWTH
    assert process.num_threads() <= threads
    eventually(lambda: len(causes(worker)) == 2 * len(CASES), "the log has the last attempt of each")
    said = causes(worker)
    assert [] == [name for name, case in CASES.items() if case.says not in said[f"second-{name}"]]


def causes(worker: Program) -> dict[str, str]:
    """The log line of the last attempt of each run."""
    lines = [line for line in worker.log().splitlines() if events.DELIVERY_ATTEMPTED.name in line]
    return {
        f"{turn}-{name}": line
        for turn in ("first", "second")
        for name in CASES
        for line in lines
        if f"{turn}-{name}" in line
    }


def test_our_own_redis_is_denied_until_it_is_allowed(bench: Bench) -> None:
    """By host and port of REDIS_URL; targets on other ports of the same machine are called."""
    worker = bench.worker()
    url = f"http://127.0.0.1:{bench.redis.port}/"
    bench.accept("r_1", url)
    bench.ends("r_1", "dead", "denied")
    delivers(bench, "r_2")

    eventually(lambda: f"WEBHOOK_ALLOW=*,127.0.0.1:{bench.redis.port}" in worker.log(), "the log has the remedy")
    assert 0 == worker.stop()
    bench.worker(WEBHOOK_ALLOW=f"*,127.0.0.1:{bench.redis.port}", UNKNOWN_OUTCOME="park")
    bench.accept("r_3", url)
    # Redis takes an HTTP request for an attack of just this kind, and hangs up.
    bench.ends("r_3", "unknown", "connection_lost")


def test_local_brokers_and_metadata_are_denied(bench: Bench) -> None:
    """Both by default."""
    bench.worker()
    bench.accept("r_1", "http://127.0.0.1:1/")  # KAFKA_CONSUMER_BOOTSTRAP_SERVERS of the bench
    bench.accept("r_2", "http://metadata.google.internal/computeMetadata/v1/")
    bench.ends("r_1", "dead", "denied")
    bench.ends("r_2", "dead", "denied")


def test_brokers_that_port_named_are_denied(bench: Bench) -> None:
    """Only ingest asks Port for them; workers learn them through the ledger, without a restart."""
    ledger = open_ledger(bench.settings).ledger
    bench.worker()
    with HostileTarget(reset) as broker:  # a broker takes an HTTP request for garbage
        KafkaAddresses(ledger).write(f"other:9196,localhost:{broker.port}")
        turns = iter(range(1_000))

        def denied() -> bool:
            id = f"r_{next(turns)}"
            bench.accept(id, broker.url())
            eventually(lambda: bench.record(id)["state"] in ("unknown", "dead"), f"an end of {id}")
            return bench.record(id)["reason"] == "denied"

        eventually(denied, "the worker knows the brokers")


def test_a_list_that_makes_no_sense_stops_the_worker(bench: Bench) -> None:
    """Exit code 78, and the entry is named."""
    worker = Program("worker", folder=bench.folder, **bench.environ, WEBHOOK_ALLOW="good.example,10.0.0.1/8")
    bench.programs.append(worker)

    assert 78 == worker.process.wait(30)
    assert '"10.0.0.1/8"' in worker.log()
