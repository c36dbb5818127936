"""Whatever a target answers, and whatever fails after it: the answer decides, the rest costs only itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from longshore.invocation.mapping import JqUnavailable
from tests.integration.delivery.test_wire import whole
from tests.support.hostile import HostileTarget, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness

JSON = "Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def stage(shared_redis: object) -> Iterator[AttemptHarness]:
    """One for all tests of this file: each has a run of its own."""
    with redis.Redis.from_url(shared_redis.url) as client:  # type: ignore[attr-defined]
        client.flushall()
        with attempt_harness(client) as stage:
            yield stage


def nested(depth: int) -> str:
    return f'{{"url":"https://ci/1","id":"a","deep":{"[" * depth}{"]" * depth}}}'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, nested(900).encode()),
        (JSON, nested(990).encode()),
        (JSON, nested(60_000).encode()),
        ("Content-Type: text/plain; charset*;charset*0*\r\n", b"ok"),
        ("Content-Type: text/plain; charset=punycode\r\n", b"-" * 250_000),
        ("Content-Type: ; charset\r\n" + "X-A: \xff\xfe\r\n", b"ok"),
        ("Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\x00not gzip"),
        ("Content-Encoding: " + "gzip, " * 50 + "gzip\r\n", b"ok"),
        ("Content-Encoding: zstd, br, deflate, klingon\r\n", b"ok"),
        (JSON, b'{"id":NaN,"url":Infinity,"a":-Infinity}'),
        (JSON, b'{"url":[1e400,NaN,null,"https://ci/1",[1e999]]}'),
        (JSON, b'{"id":' + b"1" * 5_000 + b"}"),
        (JSON, b'{"url":"\\ud800","id":"\\udfff\\u0000","url":"\\ud83d"}'),
        (JSON, b'{"url":{"a":' + b"[" * 600 + b"]" * 600 + b'},"id":[' + b"[" * 500 + b"]" * 500 + b"]}"),
        (JSON, b'\xff\xfe{\x00"'),
    ],
)
@pytest.mark.parametrize(("status", "state"), [("201 Created", "done"), ("422 No \xe9\xff", "dead")])
def test_an_answer_is_the_end_of_its_run(
    stage: AttemptHarness, headers: str, body: bytes, status: str, state: str
) -> None:
    """However odd its headers and its body, the run ends as the status says."""
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
    with HostileTarget(answering(head + body)) as target:
        id, result = stage.run(target.url())

    assert result is not None
    assert (state, status[:3]) == (result.state, stage.record(id, "status"))
    assert {"done": "SUCCESS", "dead": "FAILURE"}[state] == stage.pending_reports(id)[-1].body["status"]


@pytest.mark.parametrize("depth", [500, 900])
def test_what_the_report_takes_from_deep_json_arrives(stage: AttemptHarness, depth: int) -> None:
    """Link and id stand at its top."""
    with HostileTarget(answering(whole(nested(depth).encode(), JSON))) as target:
        id, _ = stage.run(target.url())

    status = stage.pending_reports(id)[-1].body
    assert {"status": "SUCCESS", "link": "https://ci/1", "externalRunId": "a"} == status


def test_json_that_is_too_deep_for_the_report_says_so_in_the_log(stage: AttemptHarness) -> None:
    """Link and id stay empty then, and somebody will ask why."""
    with HostileTarget(answering(whole(nested(990).encode(), JSON), whole(nested(600).encode(), JSON))) as target:
        id, _ = stage.run(target.url())
        other, _ = stage.run(target.url())

    assert {"status": "SUCCESS"} == stage.pending_reports(id)[-1].body
    assert "nested too deeply" in stage.log(id)
    assert "nested too deeply" not in stage.log(other)


def test_an_answer_that_is_too_long_says_so_in_the_log(stage: AttemptHarness) -> None:
    """What was cut is no JSON any more; one of 1,000,000 bytes is not cut."""
    short = b'{"url":"https://ci/1","x":"' + b"x" * 999_971 + b'"}'
    with HostileTarget(answering(whole(short, JSON))) as target:
        whole_id, _ = stage.run(target.url())
    with HostileTarget(answering(whole(short[:-2] + b"x" * 100_000 + b'"}', JSON))) as target:
        cut_id, _ = stage.run(target.url())

    assert (1_000_000, "https://ci/1") == (len(short), stage.pending_reports(whole_id)[-1].body["link"])
    assert isinstance(stage.pending_reports(whole_id)[-2].body["response"], dict)
    assert "RESPONSE_MAX_BYTES" not in stage.log(whole_id)
    assert "RESPONSE_MAX_BYTES" in stage.log(cut_id)
    assert "report section" in stage.log(cut_id)
    assert {"status": "SUCCESS"} == stage.pending_reports(cut_id)[-1].body


def test_a_redirect_to_a_sign_in_page_is_told(stage: AttemptHarness) -> None:
    """It is a success by the contract, and most likely none."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: /signin\r\nContent-Length: 0\r\n\r\n"
    with HostileTarget(answering(moved, whole(b"<html>"))) as target:
        id, _ = stage.run(target.url())

    assert f"redirected to {target.address}, asked with GET" in stage.log(id)
    entries: Any = stage.ledger.redis.lrange(f"{stage.ledger.keys.prefix}att:{id}", 0, -1)
    assert f"redirected to {target.address}, asked with GET" in json.loads(stage.sealer.open(entries[0]))["cause"]


@pytest.mark.parametrize(
    ("place", "says"), [("ftp://a/", "redirects to no place that is a URL"), ("/hook", "redirects more than 30 times")]
)
def test_a_redirect_that_leads_nowhere_says_so_in_the_log(stage: AttemptHarness, place: str, says: str) -> None:
    """A bare 307 would explain nothing."""
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
    with HostileTarget(answering(moved)) as target:
        id, _ = stage.run(target.url())

    assert f"the target answered HTTP 307 ({says})" in stage.log(id)


def test_what_a_proxy_answered_by_itself_is_not_told_as_the_answer(
    stage: AttemptHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its status nor its page is the target's."""
    with HostileTarget(answering(whole(b"<html>log in", status="407 Log In"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        id, _ = stage.run("http://target.invalid/")

    assert ("proxy", "") == (stage.record(id, "reason"), stage.record(id, "status"))
    assert "the proxy for target.invalid:80 wants a user name and a password (407)" in stage.log(id)
    assert "the target answered" not in stage.log(id)


def test_numbers_of_any_length_cost_no_link(stage: AttemptHarness) -> None:
    """Python refuses whole numbers of more than 4,300 digits, jq does not."""
    body = b'{"url":"https://ci/1","n":' + b"7" * 5_000 + b"}"
    with HostileTarget(answering(whole(body, JSON))) as target:
        id, _ = stage.run(target.url())

    assert "https://ci/1" == stage.pending_reports(id)[-1].body["link"]


def test_a_report_section_without_jq_costs_the_report_alone(
    stage: AttemptHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends as it was answered, and its log says what is missing and why."""

    def unavailable(*_: object) -> None:
        raise JqUnavailable("the jq process cannot be started: Cannot allocate memory")

    monkeypatch.setattr(stage.mapping, "report", unavailable)
    with HostileTarget(answering(whole(b'{"url":"https://ci/1"}', JSON))) as target:
        id, result = stage.run(target.url())

    assert result is not None
    assert "done" == result.state
    assert {"status": "SUCCESS"} == stage.pending_reports(id)[-1].body
    assert {"response": {"url": "https://ci/1"}} == stage.pending_reports(id)[-2].body
    assert "jq process cannot be started" in stage.log(id)


class Broken(Exception):
    """An error of ours, whose text quotes a payload."""


def test_whatever_else_fails_after_the_answer_the_answer_counts(
    stage: AttemptHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Here the masking; the log names type and place, and no text."""

    def broken(*_: object) -> None:
        raise Broken("hunter2")

    monkeypatch.setattr("tasks.worker.attempt_executor.mask_outcome", broken)
    with HostileTarget(answering(whole(b"{}"))) as target:
        id, result = stage.run(target.url())
    with HostileTarget(answering(whole(b"{}", status="503 Busy"))) as target:
        second_id, second_result = stage.run(target.url())

    assert result is not None
    assert second_result is not None
    assert (("done", "delivered"), ("waiting", "http_503")) == (
        (result.state, stage.record(id, "reason")),
        (second_result.state, stage.record(second_id, "reason")),
    )
    assert {"status": "SUCCESS"} == stage.pending_reports(id)[-1].body
    assert "Broken" in stage.log(id)
    assert "hunter2" not in str(stage.pending_reports(id)) + caplog.text


@pytest.mark.parametrize(
    ("broken_part", "state"), [("executor.builder.decrypt", "dead"), ("executor.sender.start", "unknown")]
)
def test_a_fault_of_ours_before_the_answer_is_told_as_what_it_is(
    stage: AttemptHarness, monkeypatch: pytest.MonkeyPatch, broken_part: str, state: str
) -> None:
    """Unsent: a dead letter. Perhaps sent: unknown. And at once, not when a lease lapses."""

    def broken(*_: object) -> None:
        raise Broken("hunter2")

    owner: object = stage
    *path, name = broken_part.split(".")
    for part in path:
        owner = getattr(owner, part)
    monkeypatch.setattr(type(owner), name, broken)
    with HostileTarget(answering(whole(b"{}"))) as target:
        id, result = stage.run(target.url())

    assert result is not None
    assert (state, "unexpected") == (result.state, stage.record(id, "reason"))
    assert "FAILURE" == stage.pending_reports(id)[-1].body["status"]
    assert "hunter2" not in json.dumps([report.body for report in stage.pending_reports(id)])
