"""Whose webhook a recorded request is: the agent's calls to Port tell, where its body does not."""

import json
from typing import Any

from longshore.delivery.outcome import Response
from longshore.operations.shadow.answers import Answers
from longshore.operations.shadow.lines import Line, Lines, WebhookRequest
from longshore.operations.shadow.recording import Exchange, Recording

PORT = "http://port.example/api"
LINES = Lines(["s3cret-value"], "original")
OK = Response(200, {}, "fine")


class Agent:
    """Sends requests as the original does, from one address."""

    def __init__(self, recording: Recording, client: str = "10.0.0.1") -> None:
        self._recording = recording
        self._client = client

    def log(self, run: str) -> Line:
        """Write to a run's log."""
        return self._send(f"{PORT}/v1/actions/runs/{run}/logs", {"message": "text"}, OK)

    def call(self, url: str = "http://target/hook", body: Any = None, answer: Any = OK, location: str = "") -> Line:
        """Call a target."""
        return self._send(url, body, answer, location)

    def _send(self, url: str, body: Any, answer: Any, location: str = "") -> Line:
        request = WebhookRequest("POST", url, {}, json.dumps(body).encode() if body is not None else None)
        return self._recording.make_line(Exchange(self._client, request, answer, location))


def test_a_webhook_is_of_the_run_whose_log_was_written_to() -> None:
    agent = Agent(Recording(LINES, PORT))

    assert ("port", "r_1", "/v1/actions/runs/r_1/logs") == tuple(
        agent.log("r_1")[name] for name in ("kind", "invocation", "path")
    )
    assert "r_1" == agent.call()["invocation"]


def test_an_event_after_a_run_is_not_of_that_run() -> None:
    """Its last logs come after its webhook."""
    agent = Agent(Recording(LINES, PORT))
    agent.log("r_1")
    agent.call()
    agent.log("r_1")

    assert agent.call()["invocation"] is None


def test_what_a_body_says_is_surer() -> None:
    agent = Agent(Recording(LINES, PORT))

    assert "r_2" == agent.call(body={"context": {"runId": "r_2"}})["invocation"]


def test_two_agents_do_not_disturb_each_other() -> None:
    recording = Recording(LINES, PORT)
    one, other = Agent(recording), Agent(recording, "10.0.0.2")
    one.log("r_1")
    other.log("r_2")

    assert ["r_1", "r_2"] == [one.call()["invocation"], other.call()["invocation"]]


def test_the_request_after_a_redirect_is_of_the_same_invocation_and_its_answer_counts() -> None:
    agent = Agent(Recording(LINES, PORT))
    agent.log("r_1")
    first = agent.call(answer=Response(302, {}, ""), location="/moved")
    second = agent.call("http://target/moved", answer=Response(500, {}, "at the end"))

    assert (False, True, "r_1") == ("redirected" in first, second["redirected"], second["invocation"])
    answer = Answers([first, second], LINES).find(first)
    assert isinstance(answer, Response)
    assert (500, "at the end") == (answer.status, answer.text)


def test_what_is_not_of_a_run_is_of_none() -> None:
    """Tokens, and what is claimed and acknowledged."""
    agent = Agent(Recording(LINES, PORT))
    paths = ("/v1/auth/access_token", "/v1/actions/runs/claim-pending", "/v1/actions/runs/ack")

    assert [None, None, None] == [agent.call(PORT + path, {})["invocation"] for path in paths]
