"""Reports of many runs to a Port that does not take all of them."""

import itertools
import time
from collections.abc import Iterator

import pytest
import redis

from longshore.invocation.kinds import Kind
from longshore.port import PortClient, delivered, reports
from longshore.sandbox.fake_port import FakePort
from tasks.worker.outbox import SENDERS, Outbox
from tasks.worker.report_sender import ORDERED_TRIES
from tasks.worker.thread_pool import ThreadPool
from tests.support.fake_outcome import FakeOutcome
from tests.support.one_attempt import AttemptHarness, attempt_harness
from tests.support.programs import eventually

MAPPED = {"link": "https://ci/1", "externalRunId": "42"}


@pytest.fixture
def port() -> Iterator[FakePort]:
    with FakePort() as port:
        yield port


@pytest.fixture
def stage(redis_client: "redis.Redis", port: FakePort, monkeypatch: pytest.MonkeyPatch) -> Iterator[AttemptHarness]:
    """With an outbox that repeats at once what it would repeat after seconds."""
    monkeypatch.setattr("tasks.worker.report_sender._delay_s", lambda tries, retry_after_s: 0.02)
    client = PortClient(port.url, "id", "secret", read_timeout_s=600)
    with attempt_harness(redis_client, REPORT_DELAY_S="0", PORT_API_RATE="0") as stage:
        outbox = Outbox(stage.ledger, stage.sealer, client, ThreadPool(SENDERS))
        outbox.start()
        yield stage
        outbox.stop()
    client.close()


def succeed(stage: AttemptHarness, kind: Kind = Kind.ACTION_RUN) -> str:
    """A run that Port is to hear four things about: received and delivered, its response, its end."""
    messages = [*reports.received(kind), *delivered(kind, True, FakeOutcome.of(200, '{"a":1}'), MAPPED, False)]
    return stage.accept("http://127.0.0.1:9/x", kind=kind, reports=stage.seal_reports(messages))


def ends(port: FakePort, id: str) -> None:
    eventually(lambda: id in port.runs and port.runs[id].ended, f"an end of {id} at Port")


def says(port: FakePort, id: str, words: str) -> None:
    eventually(lambda: any(words in line.text for line in port.runs[id].logs), f"{words!r} in the log of {id}")


@pytest.mark.parametrize("name", ["run_response", "run_log"])
def test_what_port_fails_at_for_ever_does_not_hold_up_the_end(stage: AttemptHarness, port: FakePort, name: str) -> None:
    """After a few tries the status goes out without it, and Port is told no change after the end."""
    port.fail(name, 500)
    id = succeed(stage)
    ends(port, id)

    assert "SUCCESS" == port.runs[id].state
    assert ORDERED_TRIES < port.counts[name]
    assert [] == port.violations
    if name == "run_response":
        says(port, id, "did not take the response")
    else:
        port.mend()
        says(port, id, "Delivered")


def test_many_runs_whose_responses_port_fails_at_all_end(stage: AttemptHarness, port: FakePort) -> None:
    """Port takes everything else, so that it is not taken for one that is away."""
    port.fail("run_response", 500)
    ids = [succeed(stage) for _ in range(60)]
    for id in ids:
        ends(port, id)

    assert [] == port.violations


def test_what_port_only_fails_at_for_a_while_comes_whole(stage: AttemptHarness, port: FakePort) -> None:
    """All of it, in order."""
    failing = itertools.count(1)
    # Well again from the second try of the status on: not within a try, where the status alone would be taken.
    port.fail("run_status", 500, when=lambda id, body: next(failing) <= 2)
    for name in ("run_log", "run_response"):
        port.fail(name, 500, when=lambda id, body: port.counts.get("run_status", 0) < 2)
    id = succeed(stage)
    ends(port, id)

    says(port, id, "Delivered")
    assert {"a": 1} == port.runs[id].response
    assert [] == port.violations


def test_a_status_that_port_refuses_goes_out_alone_with_its_reason_in_the_log(
    stage: AttemptHarness, port: FakePort
) -> None:
    """A link that Port does not like must not leave the run in progress."""
    port.fail("run_status", 422, "link must be a valid URL", lambda id, body: "link" in body)
    id = succeed(stage)
    ends(port, id)

    assert ("SUCCESS", None) == (port.runs[id].state, port.runs[id].link)
    says(port, id, "link must be a valid URL")


def test_a_status_that_port_fails_at_for_ever_goes_out_alone(stage: AttemptHarness, port: FakePort) -> None:
    """A link may be what it fails at. The run's log says what is missing."""
    port.fail("run_status", 500, when=lambda id, body: "link" in body)
    id = succeed(stage)
    ends(port, id)

    assert ("SUCCESS", None) == (port.runs[id].state, port.runs[id].link)
    assert ORDERED_TRIES < port.counts["run_status"]
    says(port, id, "did not take the status, link, externalRunId of this run: Port at 127.0.0.1 answered HTTP 500")
    assert [] == port.violations


def test_a_status_waits_whole_for_a_port_that_is_away(stage: AttemptHarness, port: FakePort) -> None:
    """However long, it loses no link."""
    port.fail("run_status", 503)
    id = succeed(stage)
    eventually(lambda: port.counts.get("run_status", 0) > 2 * ORDERED_TRIES, "many tries")
    port.mend()
    ends(port, id)

    assert "https://ci/1" == port.runs[id].link


def test_a_node_run_ends_without_the_output_that_port_refuses(stage: AttemptHarness, port: FakePort) -> None:
    """Its end is what the workflow waits for."""
    port.fail("node_status", 422, "output is not what I like", lambda id, body: "output" in body)
    id = stage.accept(
        "http://127.0.0.1:9/x",
        id="wfnr_1",
        run="wfnr_1",
        kind=Kind.NODE_RUN,
        reports=stage.seal_reports(delivered(Kind.NODE_RUN, True, FakeOutcome.of(200, "[1]"), None, False)),
    )
    ends(port, "wfnr_1")

    assert "SUCCESS" == port.runs["wfnr_1"].state, id
    says(port, "wfnr_1", "output is not what I like")


def test_a_run_that_port_does_not_know_yet_is_told_later(stage: AttemptHarness, port: FakePort) -> None:
    """Kafka may be quicker than Port's own tables."""
    young = time.monotonic() + 0.05
    for name in ("run_log", "run_response", "run_status"):
        port.fail(name, 404, "not found", lambda id, body: time.monotonic() < young)
    id = succeed(stage)
    ends(port, id)

    says(port, id, "Received")
    assert {"a": 1} == port.runs[id].response


@pytest.mark.parametrize(("status", "headers"), [(401, ()), (500, (("x-ratelimit-reset", "240"),))])
def test_a_run_that_port_never_takes_holds_up_no_other(
    stage: AttemptHarness, port: FakePort, status: int, headers: tuple[tuple[str, str], ...]
) -> None:
    """Nor does it use up the allowance of token calls."""
    for name in ("run_log", "run_response", "run_status"):
        port.fail(name, status, "", lambda id, body: id == "r_0", headers)
    succeed(stage)
    eventually(lambda: port.counts.get("run_log", 0) > 0, "a call for the bad one")
    other_ids = [succeed(stage) for _ in range(40)]
    start = time.monotonic()
    for id in other_ids:
        ends(port, id)

    assert "r_0" not in [id for id, run in port.runs.items() if run.ended]
    assert port.counts["token"] < 6
    # Each hold-off would cost a second or more, and there would be one for each of its tries.
    assert time.monotonic() - start < 30


def test_a_run_at_which_port_hangs_holds_up_no_other(stage: AttemptHarness, port: FakePort) -> None:
    """Senders do not wait for each other."""
    port.fail("run_log", 0, "", lambda id, body: id == "r_0")
    succeed(stage)
    eventually(lambda: port.counts.get("run_log", 0) > 0, "a call for the bad one")
    other_ids = [succeed(stage) for _ in range(40)]
    for id in other_ids:
        ends(port, id)
    port.down()
