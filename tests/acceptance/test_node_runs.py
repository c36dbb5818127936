"""Workflow node runs through whole agents: their ends, and two agents on one topic."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text, node_run
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.whole_agent import start_agent

SECRET = SETTINGS["PORT_CLIENT_SECRET"]
Start = Callable[..., Program]


@pytest.fixture
def port() -> Iterator[FakePort]:
    with FakePort() as port:
        yield port


@pytest.fixture
def targets() -> Iterator[FakeTargets]:
    with FakeTargets() as targets:
        yield targets


@pytest.fixture
def start(kafka: EmbeddedKafka, port: FakePort, tmp_path: Path) -> Iterator[Start]:
    """Starts agents, each in a folder of its own: `start(name, mapping, VARIABLE=value)`."""
    programs: list[Program] = []

    def start(name: str, mapping: Any = None, **environ: str) -> Program:
        programs.append(start_agent(tmp_path / name, kafka, port, mapping, **environ))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def ended(port: FakePort, run_id: str) -> list[tuple[str, Any]]:
    """What Port was told about a run, once it is over."""
    eventually(lambda: port.runs.get(run_id) and port.runs[run_id].ended, f"an end of {run_id}")
    return list(port.runs[run_id].changes)


def test_a_mapping_that_fails_ends_a_node_run_with_failed(
    start: Start, kafka: EmbeddedKafka, port: FakePort, targets: FakeTargets
) -> None:
    """No URL, an expression that never ends in the request, one in the url: FAILED, with the place in the log."""
    start(
        "agent",
        [
            {"enabled": '.case == "no_url"', "url": "null"},
            {"enabled": '.case == "endless"', "body": "def f: f; f"},
            {"enabled": '.case == "endless_url"', "url": "def f: f; f"},
            {"enabled": '.case == "crash"', "headers": {"X-A": "[range(1e9)]"}},
        ],
    )
    publisher = RecordPublisher(kafka, "org")
    for case in ("no_url", "endless", "endless_url", "crash"):
        message = {"case": case, **node_run(f"wfnr_{case}", targets.url("good"))}
        publisher.run(as_text(message, SECRET), case)

    said = {case: ended(port, f"wfnr_{case}") for case in ("no_url", "endless", "endless_url", "crash")}
    assert {"node_status"} == {changes[-1][0] for changes in said.values()}
    assert [{"status": "COMPLETED", "result": "FAILED"}] * 4 == [changes[-1][1] for changes in said.values()]
    assert "mapping 1, body" in str(said["endless"])
    assert "mapping 2, url" in str(said["endless_url"])
    assert "mapping 3, headers.X-A" in str(said["crash"])
    assert not targets.received()


@pytest.mark.parametrize("switch", ["ignore", "fail"])
def test_an_unmatched_node_run_is_left_alone_unless_the_switch_says_failed(
    start: Start, kafka: EmbeddedKafka, port: FakePort, targets: FakeTargets, switch: str
) -> None:
    """It may be meant for another agent of the topic. Action runs are always left alone."""
    start("agent", [{"enabled": '.context.runId == "r_last"'}], UNMATCHED_NODE_RUNS=switch)
    publisher = RecordPublisher(kafka, "org")
    url = targets.url("good")
    publisher.run(as_text(node_run("wfnr_1", url), SECRET), "one")
    publisher.run(as_text(action_run("r_1", url), SECRET), "one")
    publisher.run(as_text(action_run("r_last", url, synchronized=True), SECRET), "one")
    ended(port, "r_last")

    if switch == "fail":
        assert ("node_status", {"status": "COMPLETED", "result": "FAILED"}) == ended(port, "wfnr_1")[-1]
    assert (["r_last", "wfnr_1"] if switch == "fail" else ["r_last"]) == sorted(port.runs)
    assert ["r_last"] == list(targets.attempts())


def test_two_agents_on_one_topic_handle_each_run_once_and_the_right_one_does(
    start: Start, kafka: EmbeddedKafka, port: FakePort, targets: FakeTargets, redis_server: EmbeddedRedis
) -> None:
    """Different filters, different groups, even one Redis: neither reports for runs of the other."""
    colours = ("blue", "green")
    for colour in colours:
        mapping = [{"enabled": f'.colour == "{colour}"', "headers": {"X-Agent": f'"{colour}"'}}]
        start(colour, mapping, KAFKA_CONSUMER_GROUP_ID=f"org.{colour}", REDIS_URL=redis_server.url)
    publisher = RecordPublisher(kafka, "org")
    url = targets.url("good")
    expected = {}
    for number in range(20):
        colour = colours[number % 2]
        node, action = node_run(f"wfnr_{number}", url), action_run(f"r_{number}", url, synchronized=True)
        for message in (node, action):
            run_id = message["context"]["runId"]
            publisher.run(as_text({"colour": colour, **message}, SECRET), run_id)
            expected[run_id] = colour
    publisher.run(as_text({"colour": "red", **node_run("wfnr_red", url)}, SECRET), "wfnr_red")
    publisher.run(as_text(node_run("wfnr_none", url), "not the secret"), "wfnr_none")

    for run_id in expected:
        ended(port, run_id)
    assert {"SUCCESS"} == {port.runs[run_id].state for run_id in expected}
    assert "wfnr_red" not in port.runs
    assert dict.fromkeys(expected, 1) == targets.attempts()
    assert expected == {one.run_id: one.headers["x-agent"] for one in targets.received()}
    assert {"FAILURE"} == {port.runs[run_id].state for run_id in port.runs if run_id not in expected}
    assert not [problem for problem in port.violations if "wfnr_none" not in problem]
