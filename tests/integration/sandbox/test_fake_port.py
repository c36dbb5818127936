"""The fake Port is as strict as Port, so that tests against it mean something."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from longshore.sandbox.fake_port import FakePort

RUN, NODE = "/v1/actions/runs/r_1", "/v1/workflows/nodes/runs/wfnr_1"


@pytest.fixture
def port() -> Iterator[FakePort]:
    """A fake Port."""
    with FakePort() as fake:
        yield fake


class Agent:
    """Speaks to the fake Port by hand."""

    def __init__(self, port: FakePort) -> None:
        self.session = requests.Session()
        self.url = port.url
        self.renew()

    def renew(self) -> None:
        """Get a token."""
        reply = self.session.post(f"{self.url}/v1/auth/access_token", json={"clientId": "a", "clientSecret": "b"})
        self.session.headers["Authorization"] = f"Bearer {reply.json()['accessToken']}"

    def call(self, method: str, path: str, body: Any = None) -> int:
        """Make a call and return its status."""
        return self.session.request(method, self.url + path, json=body).status_code


@pytest.fixture
def agent(port: FakePort) -> Iterator[Agent]:
    """An agent with a token."""
    agent = Agent(port)
    yield agent
    agent.session.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{RUN}/logs", {"message": "m"}, 201),
        ("POST", f"{RUN}/logs", {"message": 1}, 422),
        ("POST", f"{RUN}/logs", {"text": "m"}, 422),
        ("POST", f"{RUN}/logs", ["m"], 422),
        ("PATCH", RUN, {"status": "SUCCESS", "link": ["a"], "summary": "s", "externalRunId": "1"}, 200),
        ("PATCH", RUN, {"status": "DONE"}, 422),
        ("PATCH", RUN, {"externalRunId": 1}, 422),
        ("PATCH", RUN, {}, 422),
        ("PATCH", f"{RUN}/response", {"response": {"a": 1}}, 200),
        ("PATCH", f"{RUN}/response", {"response": 1}, 422),
        ("PATCH", f"{RUN}/response", {"response": "x" * 1_100_000}, 413),
        ("POST", f"{NODE}/logs", {"logs": [{"level": "INFO", "message": "m"}]}, 201),
        ("POST", f"{NODE}/logs", {"logs": [{"level": "LOUD", "message": "m"}]}, 422),
        ("POST", f"{NODE}/logs", {"logs": []}, 422),
        ("PATCH", NODE, {"status": "COMPLETED", "result": "FAILED"}, 200),
        ("PATCH", NODE, {"status": "COMPLETED", "result": "FAILURE"}, 422),
        ("PATCH", "/v1/actions/runs/wfnr_1", {"status": "SUCCESS"}, 404),
        ("PATCH", "/v1/workflows/nodes/runs/r_1", {"status": "COMPLETED", "result": "FAILED"}, 404),
        ("PUT", RUN, {"status": "SUCCESS"}, 404),
        ("PATCH", "//v1/actions/runs/r_1", {"status": "SUCCESS"}, 404),
        ("PATCH", "/v1/organization", {"settings": {"portAgentStreamerName": "KAFKA"}}, 200),
        ("PATCH", "/v1/organization", {"settings": {"portAgentStreamerName": "MAIL"}}, 422),
        ("GET", "/v1/kafka-credentials", None, 200),
    ],
)
def test_wrong_calls_are_refused_and_kept_in_mind(
    port: FakePort, agent: Agent, method: str, path: str, body: Any, status: int
) -> None:
    """Path, method and body; each refusal is a violation that a test can assert on."""
    assert status == agent.call(method, path, body)
    assert (status >= 400) == bool(port.violations)


def test_a_finished_run_cannot_be_modified(port: FakePort, agent: Agent) -> None:
    """The very thing the order of reports is for."""
    agent.call("PATCH", RUN, {"status": "FAILURE"})

    assert 422 == agent.call("PATCH", RUN, {"status": "SUCCESS"})
    assert 422 == agent.call("PATCH", f"{RUN}/response", {"response": "late"})
    assert 201 == agent.call("POST", f"{RUN}/logs", {"message": "logs still go"})
    assert ("FAILURE", None, 2) == (port.runs["r_1"].state, port.runs["r_1"].response, len(port.violations))


def test_a_repeat_of_the_ending_is_refused_without_blame(port: FakePort, agent: Agent) -> None:
    """Its first answer may have been lost on the way. The agent then also tries the status with nothing else."""
    ending = {"status": "FAILURE", "link": ["https://ci.example/1"]}
    agent.call("PATCH", RUN, ending)

    assert 422 == agent.call("PATCH", RUN, ending)
    assert 422 == agent.call("PATCH", RUN, {"status": "FAILURE"})
    assert [] == port.violations
    assert 422 == agent.call("PATCH", RUN, {"status": "SUCCESS"})
    assert 1 == len(port.violations)


def test_tokens_are_asked_for_and_end(agent: Agent, port: FakePort) -> None:
    """None, a wrong one and a revoked one: 401."""
    assert 200 == agent.call("GET", "/v1/kafka-credentials")
    port.revoke_tokens()
    assert 401 == agent.call("GET", "/v1/kafka-credentials")
    agent.renew()
    assert 200 == agent.call("GET", "/v1/kafka-credentials")
    with FakePort(token_life_s=-1) as strict:
        other = Agent(strict)
        assert 401 == other.call("GET", "/v1/kafka-credentials")
        other.session.close()


def test_faults_are_as_many_as_were_ordered(agent: Agent, port: FakePort) -> None:
    """They change nothing, and what follows works."""
    port.fail_next(2, 503)

    assert [503, 503, 201] == [agent.call("POST", f"{RUN}/logs", {"message": "m"}) for _ in range(3)]
    assert 1 == len(port.runs["r_1"].logs)


def test_down_refuses_connections_until_up(agent: Agent, port: FakePort) -> None:
    """On the same port as before."""
    port.down()
    with pytest.raises(requests.ConnectionError):
        agent.call("GET", "/v1/kafka-credentials")
    port.up()

    assert 200 == agent.call("GET", "/v1/kafka-credentials")


def test_the_page_shows_hostile_texts_as_texts(agent: Agent, port: FakePort) -> None:
    """The page itself holds nothing of the runs; they come as JSON and are set as text by the script."""
    nasty = "<script>alert(1)</script>"
    port.add_run(f"r_{nasty}", nasty)
    agent.call("POST", f"{RUN}/logs", {"message": nasty})
    agent.call("PATCH", RUN, {"link": "javascript:alert(1)", "summary": nasty})
    page, listing = agent.session.get(port.url), agent.session.get(f"{port.url}/api/runs")

    assert nasty not in page.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "innerHTML" not in page.text
    assert "application/json" == listing.headers["Content-Type"]
    runs = {run["id"]: run for run in listing.json()["runs"]}
    assert {"r_1", f"r_{nasty}"} == set(runs)
    assert nasty == runs["r_1"]["logs"][0]["text"]
    assert [] == port.violations


def test_the_listing_stays_small(agent: Agent, port: FakePort) -> None:
    """It is fetched every second: long responses are cut, old runs left out."""
    agent.call("PATCH", f"{RUN}/response", {"response": {"x": "y" * 900_000}})
    for number in range(300):
        port.add_run(f"r_{number}x")
    shown = json.loads(agent.session.get(f"{port.url}/api/runs").content)

    assert (301, 200) == (shown["total"], len(shown["runs"]))
    assert len(json.dumps(shown)) < 100_000


def test_waiting_ends_with_the_call_that_is_waited_for(agent: Agent, port: FakePort) -> None:
    """So that no test has to sleep."""
    assert not port.wait_until(lambda: "r_1" in port.runs, 0.01)
    agent.call("POST", f"{RUN}/logs", {"message": "m"})
    assert port.wait_until(lambda: "r_1" in port.runs, 5)
