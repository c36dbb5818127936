"""The way back to Port's own agent, by command, on a real Kafka: who reads what once Longshore was drained."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from longshore.sandbox.publisher import action_run, as_text, polling_run
from tests.support.fleet import Fleet
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import SETTINGS, Program, at_home, eventually, longshore

SECRET = SETTINGS["PORT_CLIENT_SECRET"]
_NUMBERS = itertools.count()


@dataclass
class Target:
    """Counts what it gets, by run; holds requests of `/slow` until it is told."""

    received: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Request) -> HttpAnswer:
        self.received.append(json.loads(request.body)["context"]["runId"])
        return HttpAnswer(200, b"{}")


class Agent:
    """Ingests and workers over a real broker, the command beside them, and a plain consumer in their group."""

    def __init__(
        self,
        folder: Path,
        broker: KafkaBroker,
        redis: EmbeddedRedis,
        port: FakePort,
        url: str,
        partitions: int = 1,
    ) -> None:
        self.organization = f"drain{next(_NUMBERS)}"
        self.folder, self.broker, self.url, self.partitions = folder, broker, url, partitions
        self.topics = (f"{self.organization}.runs", f"{self.organization}.change.log")
        for topic in self.topics:
            broker.create_topic(topic, partitions)
        self.environ = at_home(
            folder,
            SETTINGS
            | {
                "PORT_ORG_ID": self.organization,
                "PORT_API_BASE_URL": port.url,
                "KAFKA_CONSUMER_GROUP_ID": f"{self.organization}.agent",
                "USING_LOCAL_PORT_INSTANCE": "true",
                "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": broker.bootstrap,
                "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
                "REDIS_URL": redis.url,
                "COMMIT_DELAY_S": "1",
                "REPORT_DELAY_S": "0.2",
                "WORKER_SLOTS": "20",
                "LONGSHORE_ACTOR": "dana",
            },
        )
        self.fleet = Fleet(folder / "fleet", self.environ)
        self.published: list[str] = []

    def publish(self, count: int, url: str = "") -> list[str]:
        """Publish so many runs; returns their ids."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 1, "log_level": 0})
        runs = [f"r_{len(self.published) + number}" for number in range(count)]
        for number, run in enumerate(runs):
            value = as_text(action_run(run, url or self.url), SECRET)
            producer.produce(self.topics[0], value, partition=number % self.partitions)
        assert producer.flush(30) == 0
        self.published += runs
        return runs

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return longshore(*arguments, folder=self.folder, **self.environ)

    def drain(self, *arguments: str, code: int = 0) -> Any:
        """What `longshore drain --to-empty --json` prints."""
        done = self.command("drain", "--to-empty", "--json", *arguments)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def read_as_original(self, count: int) -> list[str]:
        """The runs that a plain member of the group gets: so many, and no more."""
        options = {"bootstrap.servers": self.broker.bootstrap, "group.id": f"{self.organization}.agent"}
        consumer = Consumer(options | {"auto.offset.reset": "earliest", "enable.auto.commit": False})
        consumer.subscribe([*self.topics])
        runs: list[str] = []

        def read(timeout_s: float) -> bool:
            """Whether there are so many."""
            message = consumer.poll(timeout_s)
            if message is not None and message.error() is None:
                runs.append(json.loads(message.value() or b"")["context"]["runId"])
                consumer.commit(asynchronous=False)
            return bool(consumer.assignment()) and len(runs) >= count

        try:
            eventually(lambda: read(0.1), f"{count} runs")
            read(1)
        finally:
            consumer.close()
        return runs

    def settled(self, runs: list[str], target: Target) -> None:
        eventually(lambda: set(runs) <= set(target.received), "all are delivered")


@pytest.fixture
def target() -> Iterator[Target]:
    target, server = Target(), HttpServer("target")
    server.start()
    target.url = f"http://127.0.0.1:{server.listen('127.0.0.1', 0, target.answer)}/hook"
    yield target
    server.stop()


@pytest.fixture
def agent(tmp_path: Path, real_kafka: KafkaBroker, redis_server: EmbeddedRedis, target: Target) -> Iterator[Agent]:
    with FakePort() as port:
        agent = Agent(tmp_path, real_kafka, redis_server, port, target.url)
        yield agent
        for member in agent.fleet.started:
            member.close()


def start(agent: Agent, *, ingests: int = 1) -> None:
    for member in [*agent.fleet.start("worker"), *agent.fleet.start("ingest", ingests)]:
        member.wait_ready()


def offsets(result: Any) -> dict[tuple[str, int], int]:
    return {(each["topic"].partition(".")[2], each["partition"]): each["offset"] for each in result["offsets"]}


@pytest.mark.real_kafka
def test_the_original_goes_on_where_a_drained_agent_stopped(agent: Agent, target: Target) -> None:
    """Under load: each run is delivered by exactly one of the two. An ingest that starts later reads nothing either."""
    start(agent)
    before = agent.publish(60)
    eventually(lambda: target.received, "work is under way")

    result = agent.drain()

    assert result["empty"]
    assert (result["unfinished"]["in_flight"], result["unfinished"]["waiting"], result["left"]) == (0, {}, {})
    assert result["group"] == agent.environ["KAFKA_CONSUMER_GROUP_ID"]
    after = agent.publish(10)
    agent.fleet.start("ingest")[0].wait_ready()
    for member in agent.fleet.living("ingest"):
        member.ask_to_end()
        assert member.wait_end(30)[0] == 0
    first = offsets(result)[("runs", 0)]
    assert sorted(target.received) == sorted(agent.published[:first])
    assert agent.read_as_original(70 - first) == agent.published[first:]
    assert {*target.received} | {*agent.published[first:]} == {*before, *after}


@pytest.mark.real_kafka
def test_a_drain_can_be_undone(agent: Agent, target: Target) -> None:
    """The same ingest reads on."""
    start(agent)
    agent.settled(agent.publish(5), target)
    agent.drain()
    agent.publish(5)
    again = agent.drain()  # the second time there is nothing to do
    assert again["empty"]
    assert len(target.received) == 5

    done = agent.command("drain", "--cancel")

    assert done.returncode == 0
    agent.settled(agent.published, target)
    assert len(target.received) == 10


@pytest.mark.real_kafka
def test_a_dry_run_changes_nothing(agent: Agent, target: Target) -> None:
    """It shows the offsets, and ingest reads on."""
    start(agent)
    agent.settled(agent.publish(5), target)
    result = agent.drain("--dry-run")

    assert result["stopped"] is None
    agent.settled(agent.publish(5), target)
    assert not list(agent.folder.glob("*.jsonl"))


@pytest.mark.real_kafka
def test_what_cannot_finish_is_named_and_exported(agent: Agent, target: Target) -> None:
    """Without an export it is refused, and says what is left; with one nothing is lost unseen."""
    origin = target.url.removesuffix("/hook")
    agent.command("targets", "pause", origin)
    start(agent)
    agent.publish(3)
    eventually(lambda: json.loads(agent.command("status", "--json").stdout)["waiting"] == 3, "three wait")

    refused = agent.drain(code=4)
    assert (refused["empty"], refused["left"]) == (False, {"paused": 3})
    path = agent.folder / "left.jsonl"
    result = agent.drain("--export", str(path))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (result["empty"], result["exported"]) == (True, 3)
    assert {(line["run"], line["left"], line["origin"]) for line in lines} == {
        (run, "paused", f"{agent.topics[0]}/0/{number}") for number, run in enumerate(agent.published)
    }
    assert offsets(result)[("runs", 0)] == 3
    assert not target.received


POINTS = {
    "intake is stopped": ("longshore.operations.drain", "stop_intake", "after"),
    "all is finished": ("longshore.operations.drain", "wait_until_finished", "after"),
    "the export is begun": ("longshore.ledger.invocations", "InvocationReader.histories", "after"),
    "the export is written": ("longshore.operations.leftovers", "export_leftovers", "after"),
    "before the commit": ("ingest.kafka.group_offsets", "GroupOffsets.commit", "before"),
    "after the commit": ("ingest.kafka.group_offsets", "GroupOffsets.commit", "after"),
}
"""After which step the command is killed → the function at whose edge that is."""


@pytest.mark.real_kafka
def test_a_drain_that_is_killed_between_two_steps_can_be_run_again(agent: Agent, target: Target) -> None:
    """Killed after each step in turn: intake stays stopped, a file is whole or not there, and the next one finishes."""
    agent.environ["COMMIT_DELAY_S"] = "3600"  # so that it is the command that commits
    agent.fleet.environ["COMMIT_DELAY_S"] = "3600"
    start(agent)
    agent.settled(agent.publish(5), target)
    agent.command("targets", "pause", target.url.removesuffix("/hook"))
    agent.publish(2)
    eventually(lambda: json.loads(agent.command("status", "--json").stdout)["waiting"] == 2, "two wait")
    (ingest,) = agent.fleet.living("ingest")
    ingest.ask_to_end()
    ingest.wait_end(30)

    path = agent.folder / "left.jsonl"
    for name, point in POINTS.items():
        killed = _killed_at(agent, point, path)
        assert killed.returncode == -signal.SIGKILL, (name, killed.stderr)
        is_written = name in ("the export is written", "before the commit", "after the commit")
        assert path.exists() == is_written, name
        if is_written:
            assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2
            path.unlink()
        dry_run = agent.drain("--dry-run")
        assert dry_run["stopped"]["by"] == "dana", name
        assert offsets(dry_run)[("runs", 0)] == (7 if name == "after the commit" else 0), name
    result = agent.drain("--export", str(path))

    assert (result["empty"], result["exported"], offsets(result)[("runs", 0)]) == (True, 2, 7)
    agent.publish(1)
    assert agent.read_as_original(1) == agent.published[7:]
    assert sorted(target.received) == agent.published[:5]


def _killed_at(agent: Agent, point: tuple[str, str, str], path: Path) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys, pathlib, importlib; from tests.support.crash_points import CrashPoint, install;"
        f"install(CrashPoint('drain', 'worker', *{point!r}), 1, pathlib.Path('mark'));"
        f"sys.argv = ['longshore', 'drain', '--to-empty', '--export', {str(path)!r}];"
        "importlib.import_module('longshore.cli.__main__').start()"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=agent.folder,
        env=agent.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_runs_that_port_was_told_of_are_finished_or_named(tmp_path: Path, target: Target) -> None:
    """An agent that polls: what it has acknowledged nobody else gets; it claims no more, and Port keeps the rest."""
    with FakePort() as port:
        environ = {name: value for name, value in SETTINGS.items() if not name.startswith("KAFKA")} | {
            "STREAMER_NAME": "POLLING",
            "POLLING_INTERVAL_SECONDS": "1",
            "PORT_API_BASE_URL": port.url,
            "COMMIT_DELAY_S": "0.2",
            "REPORT_DELAY_S": "0.2",
            "WORKER_SLOTS": "20",
        }
        program = Program("run", folder=tmp_path, **environ)
        try:
            program.says(events.WORKER_READY.name)
            origin = target.url.removesuffix("/hook")
            longshore("targets", "pause", origin, folder=tmp_path, **environ)
            port.offer(polling_run(action_run("r_1", target.url)))

            def waiting() -> Any:
                return json.loads(longshore("status", "--json", folder=tmp_path, **environ).stdout)["waiting"]

            eventually(lambda: waiting() == 1, "it waits", every_s=0.2)

            path = tmp_path / "left.jsonl"
            done = longshore("drain", "--to-empty", "--json", "--export", str(path), folder=tmp_path, **environ)
            result = json.loads(done.stdout)
            assert done.returncode == 0, done.stderr
            assert [(each["run"], each["acknowledged"], each["left"]) for each in result["first_left"]] == [
                ("r_1", True, "paused")
            ]
            assert (result["group"], result["offsets"]) == (None, [])

            claims = sum("claim" in call.path for call in port.calls)
            port.offer(polling_run(action_run("r_2", target.url)))
            longshore("targets", "resume", origin, folder=tmp_path, **environ)
            eventually(lambda: target.received == ["r_1"], "it is finished")
            assert longshore("drain", "--to-empty", folder=tmp_path, **environ).returncode == 0
            assert sum("claim" in call.path for call in port.calls) == claims
            assert longshore("drain", "--cancel", folder=tmp_path, **environ).returncode == 0
            eventually(lambda: target.received == ["r_1", "r_2"], "it claims again")
        finally:
            program.stop()
            program.close()
