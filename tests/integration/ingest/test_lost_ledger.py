"""Redis comes back with less than it had: an older copy of itself, or nothing; and what cannot be stored at all."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.integration.ingest.conftest import NOBODY, SECRET, Ingest, MakeIngest
from tests.integration.ingest.topics import Topics, accounted, make
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import eventually, longshore
from tests.support.replication import replicate

pytestmark = pytest.mark.real_kafka


@pytest.fixture
def topics(real_kafka: KafkaBroker) -> Topics:
    return Topics(real_kafka)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


class Copies:
    """Copies of a Redis's data, and going back to one."""

    def __init__(self, server: EmbeddedRedis, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def take(self) -> Path:
        # What was answered stands in the append-only file; only the disk may not have it yet.
        return Path(shutil.copytree(self.server.data_dir, self.folder / "copy"))

    def restore(self, copy: Path) -> None:
        self.server.kill()
        shutil.rmtree(self.server.data_dir)
        shutil.copytree(copy, self.server.data_dir)
        self.server.start()

    def empty(self) -> None:
        self.server.kill()
        shutil.rmtree(self.server.data_dir)
        self.server.start()


@pytest.fixture
def copies(redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    return Copies(redis_server, tmp_path_factory.mktemp("copies"))


def records(ingest: Ingest) -> set[str]:
    """The ids in the ledger; none while Redis is away."""
    prefix = ingest.ledger.keys.invocation("").encode()
    try:
        keys: Any = ingest.ledger.redis.keys(prefix + b"*")
        return {key.removeprefix(prefix).decode() for key in keys}
    except redis.RedisError:
        return set()


def ids(numbers: range) -> set[str]:
    return {f"r_{number}" for number in numbers}


@pytest.mark.parametrize("before", [0, 10], ids=["before the first record", "after some"])
def test_an_older_copy_is_read_on_from_where_it_stands(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, lines: list[Any], before: int
) -> None:
    """Below what was committed long ago, and though no new message comes that would show it."""
    ingest = make(make_ingest, topics, copies.server).start()
    eventually(lambda: topics.committed() == 0, "the commit of where it begins")
    topics.publish(range(before))
    ingest.eventually("accepted", before)
    copy = copies.take()
    topics.publish(range(before, before + 10))
    eventually(lambda: topics.committed() == before + 10, "the commit")
    copies.restore(copy)

    eventually(lambda: records(ingest) == ids(range(before + 10)), "all of them again")
    assert ingest.exit_code is None
    behind = [
        line for line in lines if line["event"] == events.LEDGER_ROLLED_BACK.name and line["topic"] == topics.runs
    ]
    assert [line["ledger_next"] or 0 for line in behind] == [before]
    eventually(lambda: topics.committed() == before + 10, "the commit again")
    accounted(ingest, topics)


def test_an_older_copy_is_found_out_at_the_start_too(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, lines: list[Any]
) -> None:
    """It was restored while no ingest ran; the commit says what this same ledger once had."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, copies.server).start()
    ingest.eventually("accepted", 10)
    copy = copies.take()
    topics.publish(range(10, 20))
    eventually(lambda: topics.committed() == 20, "the commit")
    ingest.stop()
    copies.restore(copy)
    make(make_ingest, topics, copies.server).start()

    eventually(lambda: records(ingest) == ids(range(20)), "all of them again")
    assert [line["ledger_next"] for line in lines if line["event"] == events.LEDGER_BEHIND_COMMIT.name] == [10]


def test_an_emptied_redis_is_told_from_an_older_copy(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, lines: list[Any]
) -> None:
    """All that was committed is not delivered again by itself: a person decides, and the log says how."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, copies.server).start()
    ingest.eventually("accepted", 10)
    eventually(lambda: topics.committed() == 10, "the commit")
    copies.empty()
    topics.publish(range(10, 13))
    eventually(lambda: records(ingest) == ids(range(10, 13)), "the new ones")

    (line,) = [x for x in lines if x["event"] == events.LEDGER_REREAD.name and x["topic"] == topics.runs]
    assert "longshore rebuild" in line["remedy"]


def rebuild(topics: Topics, server: EmbeddedRedis, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    environ = {
        "PORT_ORG_ID": "org",
        "PORT_CLIENT_ID": "client",
        "PORT_CLIENT_SECRET": SECRET,
        "PORT_API_BASE_URL": NOBODY,
        "USING_LOCAL_PORT_INSTANCE": "true",
        "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": topics.broker.bootstrap,
        "REDIS_URL": server.url,
        **topics.settings(),
    }
    return longshore("rebuild", *arguments, folder=folder, **environ)


def test_a_rebuild_brings_back_what_the_ledger_does_not_know(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, tmp_path: Path
) -> None:
    """While the agent runs, and as often as one likes: what is known stays as it is."""
    topics.publish(range(10))
    ingest = make(make_ingest, topics, copies.server).start()
    eventually(lambda: topics.committed() == 10, "the commit")
    copies.empty()
    topics.publish(range(10, 13))
    eventually(lambda: records(ingest) == ids(range(10, 13)), "the new ones")

    for accepted in (10, 0):
        process = rebuild(topics, copies.server, tmp_path, "--since", "1h", "--yes", "--json")
        assert json.loads(process.stdout).get("accepted", 0) == accepted, process.stderr
        assert records(ingest) == ids(range(13))
    topics.publish(range(13, 14))
    ingest.eventually("accepted", 14)
    assert ingest.exit_code is None
    accounted(ingest, topics)


def test_a_rebuild_says_what_it_will_do_and_asks(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, tmp_path: Path
) -> None:
    """How many may be delivered twice, before anything is stored; and a dry run only counts."""
    topics.publish(range(13))
    ingest = make(make_ingest, topics, copies.server)
    tried = rebuild(topics, copies.server, tmp_path, "--since", "1h", "--dry-run")
    process = rebuild(topics, copies.server, tmp_path, "--since", "1h")

    assert tried.stdout.splitlines() == ["messages\tnumber", "read\t13", "new\t13"], tried.stderr
    assert (process.returncode, "at most 13 invocations" in process.stderr, "--yes" in process.stderr) == (
        4,
        True,
        True,
    )
    assert records(ingest) == set()


def test_a_rebuild_reads_only_what_is_young_enough(
    make_ingest: MakeIngest, topics: Topics, copies: Copies, tmp_path: Path
) -> None:
    """Nothing was published since then, so nothing comes back; a time that lies ahead is a mistake."""
    topics.publish(range(5))
    process = rebuild(topics, copies.server, tmp_path, "--since", "0s", "--yes")
    ahead = rebuild(topics, copies.server, tmp_path, "--since", "2999-01-01", "--yes")

    assert process.stdout.splitlines() == ["messages\tnumber", "read\t0"], process.stderr
    assert ahead.returncode == 2
    assert records(make(make_ingest, topics, copies.server)) == set()


def test_a_message_the_ledger_cannot_take_is_a_dead_letter_and_stops_nothing(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, lines: list[Any]
) -> None:
    """Its place in Redis holds something else, so the script fails each time; the others are stored once."""
    ingest = make(make_ingest, topics, redis_server)
    ingest.ledger.redis.set(ingest.ledger.keys.invocation("r_2"), "not a record")
    topics.publish(range(5))
    ingest.start()

    ingest.eventually("dead:unstorable", 1)
    ingest.eventually("accepted", 5)
    counters = accounted(ingest, topics)
    assert (counters["next"], counters["accepted"], counters.get("repeated", 0)) == (5, 5, 0)
    (line,) = [line for line in lines if line["event"] == events.INGEST_DEAD_LETTERED.name]
    assert (line["reason"], line["origin"]) == ("unstorable", f"{topics.runs}/0/2")
    eventually(lambda: topics.committed() == 5, "the commit")


@contextmanager
def stopped(server: EmbeddedRedis) -> Iterator[None]:
    """The process does nothing meanwhile."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def test_nothing_is_committed_before_a_replica_has_it(
    make_ingest: MakeIngest, topics: Topics, redis_server: EmbeddedRedis, tmp_path: Path, lines: list[Any]
) -> None:
    """REDIS_WAIT_REPLICAS=1: a failover can then not lose what Kafka counts as read."""
    with EmbeddedRedis(tmp_path / "replica") as replica:
        replicate(redis_server, replica)
        ingest = make(make_ingest, topics, redis_server, REDIS_WAIT_REPLICAS="1", COMMIT_DELAY_S="0").start()
        topics.publish(range(5))
        eventually(lambda: topics.committed() == 5, "the commit")
        with stopped(replica):
            topics.publish(range(5, 10))
            ingest.eventually("accepted", 10)
            eventually(lambda: events.REDIS_REPLICAS_LOST.name in [line["event"] for line in lines], "the warning")
            assert topics.committed() == 5

        eventually(lambda: topics.committed() == 10, "the commit")
