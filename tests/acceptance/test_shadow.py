"""`longshore shadow`: what the original agent sent, recorded by the proxy, is what Longshore would send."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request, reserve_closed_port
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.programs import SETTINGS, Program, bare, eventually, longshore
from tests.support.transcripts import NAMES, SCENARIOS, message_of, value_of

SECRET = SETTINGS["PORT_CLIENT_SECRET"]
GITLAB_TOKEN = "glptt-TEST-TOKEN"
STAND_IN = Path(__file__).parents[1] / "support" / "original_stand_in.py"
SENT = [scenario["name"] for scenario in SCENARIOS if scenario["original_calls"]]
"""Of which something goes over the wire; one of them on behalf of a run that its event is only about."""


@dataclass
class World:
    """A target that answers as recorded, Port, Kafka with all messages, and what the commands wrote."""

    folder: Path
    environ: dict[str, str]
    kafka: EmbeddedKafka
    webhooks: list[Request] = field(default_factory=list)
    port_calls: list[Request] = field(default_factory=list)
    summary: str = ""

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a file holds."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def diff(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and result of the comparison."""
        done = longshore("shadow", "diff", *arguments, "--json", folder=self.folder)
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The stand-in of the original went through the proxy, and the shadow has read Kafka once."""
    folder = tmp_path_factory.mktemp("shadow")
    nobody, server = reserve_closed_port("127.0.0.1"), HttpServer("recorded-target")
    with EmbeddedKafka({"org.runs": 1, "org.change.log": 1}) as kafka:
        world = World(folder, {}, kafka)

        def answer(request: Request) -> HttpAnswer:
            if request.path.startswith("/v1/"):
                world.port_calls.append(request)
                return HttpAnswer(200, b'{"ok":true}')
            world.webhooks.append(request)
            name = "gitlab_success" if request.path.startswith("/api/v4/") else request.path.removeprefix("/")
            recorded = next(scenario for scenario in SCENARIOS if scenario["name"] == name)["webhook_response"]
            return HttpAnswer(recorded["status"], recorded["body"].encode(), recorded["content_type"])

        server.start()
        origin = f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}"
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        world.environ = SETTINGS | {
            "PORT_API_BASE_URL": f"http://localhost:{origin.rpartition(':')[2]}",
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "KAFKA_CONSUMER_AUTO_OFFSET_RESET": "earliest",
            "GITLAB_URL": f"{origin}/",
            "platform_tools_billing": GITLAB_TOKEN,
        }
        messages = [message_of(scenario, origin, closed) for scenario in SCENARIOS]
        publisher = RecordPublisher(kafka, "org")
        for scenario, message in zip(SCENARIOS, messages, strict=True):
            value = value_of(scenario, message, SECRET)
            if scenario["topic"] == "runs":
                publisher.run(value, "one")
            else:
                publisher.change(value)
        _replay(world, origin, messages)
        done = longshore(
            "shadow", "--once", "--out", "shadow.jsonl", "--answers", "recorded.jsonl",
            folder=folder, **world.environ,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr
        try:
            yield world
        finally:
            server.stop()
            nobody.close()


def _replay(world: World, origin: str, messages: list[dict[str, Any]]) -> None:
    """The stand-in sends all of it through the proxy."""
    scenarios = [
        scenario | {"message": message, "recorded_run": scenario["message"].get("context", {}).get("runId", "no run")}
        for scenario, message in zip(SCENARIOS, messages, strict=True)
    ]
    job = world.folder / "job.json"
    content = {"port": world.environ["PORT_API_BASE_URL"], "secret": SECRET, "scenarios": scenarios}
    job.write_text(json.dumps(content | {"gitlab": origin, "gitlab_token": GITLAB_TOKEN}))
    proxy = Program(
        "shadow", "record", "--out", "recorded.jsonl", "--listen", "127.0.0.1:0", folder=world.folder, **world.environ
    )
    try:
        proxy.says("Recording proxy at")
        address = re.search(r"Recording proxy at (\S+)\.", proxy.log())
        assert address is not None
        subprocess.run(
            [sys.executable, str(STAND_IN), str(job)], env=bare({"HTTP_PROXY": f"http://{address[1]}"}), check=True
        )
        os.kill(proxy.process.pid, signal.SIGINT)
        assert 0 == proxy.process.wait(60), proxy.log()
        world.summary = proxy.log()
    finally:
        proxy.close()


def test_the_recorded_transcripts_are_what_the_shadow_would_send(world: World) -> None:
    """Each is alike but for listed differences: joined log lines, the spelling of the body, and such."""
    code, result = world.diff("recorded.jsonl", "shadow.jsonl")

    assert [] == [each for each in result["differences"] if each["row"] is None]
    assert (0, len(SENT) + 1, 0) == (code, result["total"], result["different"])
    assert {"D1", "D2", "D10", "D29", "D31"} == set(result["rows"])
    assert {"D2": 1, "D10": 1} == {row: result["rows"][row] for row in ("D2", "D10")}
    assert 0 == result["assumed"]


def test_the_order_of_the_files_does_not_matter(world: World) -> None:
    assert world.diff("recorded.jsonl", "shadow.jsonl") == world.diff("shadow.jsonl", "recorded.jsonl")


def test_the_proxy_passes_all_of_it_on_and_says_what_it_saw(world: World) -> None:
    """Every webhook arrived, with a body spelled and signed as it was sent; the refused one is counted."""
    sends = [scenario["name"] for scenario in SCENARIOS if "WEBHOOK POST" in scenario["original_calls"]]
    calls = sum(
        len(scenario["original_calls"]) - ("WEBHOOK POST" in scenario["original_calls"]) for scenario in SCENARIOS
    )

    assert len(sends) == len(world.webhooks)
    assert all(b'": ' in request.body and "x-port-signature" in request.headers for request in world.webhooks)
    assert not any("via" in request.headers or "proxy-connection" in request.headers for request in world.webhooks)
    assert 2 * calls == len(world.port_calls)  # a token before each
    assert f"{len(sends) + 1} webhooks" in world.summary
    assert "1 no connection" in world.summary


def test_no_secret_and_no_value_is_in_the_files(world: World) -> None:
    """Neither client secret, tokens and signatures nor what a message or an answer says."""
    for name in ("recorded.jsonl", "shadow.jsonl"):
        text = (world.folder / name).read_text()
        for value in (SECRET, GITLAB_TOKEN, "token-of-port", "staging", "checkout", "boom", "own words", "v1,g"):
            assert value not in text, (name, value)
        assert 0o600 == (world.folder / name).stat().st_mode & 0o777


def test_the_same_value_has_the_same_fingerprint_on_both_sides(world: World) -> None:
    """Of the GitLab token, which no file shows."""
    tokens = [
        line["body"]["json"]["token"]
        for name in ("recorded.jsonl", "shadow.jsonl")
        for line in world.lines(name)
        if line["kind"] == "webhook" and "token" in line["body"]["json"]
    ]

    assert 2 == len(tokens)
    assert tokens[0] == tokens[1]


def test_one_changed_character_is_found_and_nothing_explains_it(world: World) -> None:
    """The comparison can fail: where the mapping differs, it says where, and the exit code is not 0."""
    mapping = world.folder / "mapping.json"
    mapping.write_text(json.dumps([{"body": {"action": '.action + "s"'}, "headers": {"X-Team": '"core"'}}]))
    done = longshore(
        "shadow", "--once", "--out", "other.jsonl", "--group", "org.other", "--answers", "recorded.jsonl",
        folder=world.folder, CONTROL_THE_PAYLOAD_CONFIG_PATH=str(mapping), **world.environ,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    code, result = world.diff("recorded.jsonl", "other.jsonl")

    assert 1 == code
    places = {each["where"] for each in result["differences"] if each["row"] is None}
    assert {"body.action", "body.context", "headers.x-team"} <= places


def test_without_recorded_answers_the_requests_are_compared_and_the_reports_are_not(world: World) -> None:
    """They are written for a 200 without a body, and say so."""
    done = longshore(
        "shadow", "--once", "--out", "assumed.jsonl", "--group", "org.assumed", folder=world.folder, **world.environ
    )
    code, result = world.diff("recorded.jsonl", "assumed.jsonl")

    assert 0 == done.returncode, done.stderr
    assert 0 == code
    assert result["assumed"] > 0
    assert "assumed" in {line.get("answer") for line in world.lines("assumed.jsonl") if line["kind"] == "port"}


def test_a_shadow_that_is_killed_continues_and_leaves_nothing_out(world: World, tmp_path: Path) -> None:
    """Nor writes anything twice, wherever it was killed: the end of its file is cut to whole messages."""
    publisher = RecordPublisher(world.kafka, "org")
    arguments = ("shadow", "--out", "killed.jsonl", "--group", "org.killed")
    out = tmp_path / "killed.jsonl"

    def origins() -> list[str]:
        if not out.exists():
            return []
        texts = out.read_text().splitlines()
        return [json.loads(text)["origin"] for text in texts if '"kind":"message"' in text and text.endswith("}")]

    first = Program(*arguments, folder=tmp_path, **world.environ)
    try:
        eventually(lambda: len(origins()) > 10, first.log)
    finally:
        first.close()
    with out.open("a") as file:
        file.write('{"kind":"webhook","origin":"org.runs/0/99"}\n{"kind":"mess')
    for number in range(5):
        publisher.run(as_text(action_run(f"r_{number}", "http://target.invalid/"), SECRET), "one")
    second = Program(*arguments, folder=tmp_path, **world.environ)
    try:
        eventually(lambda: "r_4" in _messages(out), second.log)
        assert 0 == second.stop()
    finally:
        second.close()

    assert len(origins()) == len(set(origins()))
    assert "org.runs/0/99" not in out.read_text()
    expected = len([name for name in NAMES if name != "agent_false"]) + 5
    assert expected == len(origins())


def _messages(out: Path) -> list[str]:
    """The invocations of whole messages, those of a line that is cut left out."""
    texts = [
        text for text in out.read_text().splitlines() if text.startswith('{"kind":"message"') and text.endswith("}")
    ]
    return [str(json.loads(text).get("invocation")) for text in texts]


def test_the_group_of_the_agent_is_refused(world: World) -> None:
    """It would take messages away from it."""
    done = longshore("shadow", "--group", "org.agent", folder=world.folder, **world.environ)

    assert 78 == done.returncode
    assert "--group" in done.stderr
