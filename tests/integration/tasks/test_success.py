"""A worker goes by the mapping's rules of success: what they refuse fails, and is repeated only where they say so."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.delivery.test_wire import whole
from tests.support.hostile import HostileTarget, answering
from tests.support.one_attempt import AttemptHarness, attempt_harness

JSON, HTML = "Content-Type: application/json\r\n", "Content-Type: text/html\r\n"
RULES: dict[str, Any] = {
    "ok": {"condition": ".body.ok"},
    "again": {"condition": ".body.ok", "otherwise": "retry"},
    "items": {"condition": ".body[].ok"},
    "json": {"json": True},
    "statuses": {"statuses": ["2xx", 409]},
    "head": {"condition": '.status == 202 and .headers["x-result"] == "good"'},
    "endless": {"condition": "def f: f; f"},
}


@pytest.fixture(scope="module")
def stage(shared_redis: object) -> Iterator[AttemptHarness]:
    """With an entry for each rule; each test has runs of its own."""
    with redis.Redis.from_url(shared_redis.url) as client:  # type: ignore[attr-defined]
        client.flushall()
        entries = [{"delivery": {"success": rule}} for rule in RULES.values()]
        with attempt_harness(client, entries=entries, RESPONSE_MAX_BYTES="1000000") as stage:
            yield stage


def answered(stage: AttemptHarness, rule: str, answer: bytes, **more: Any) -> tuple[str, str, str]:
    """The run's id, its state, and the reason of that."""
    entry = f"{stage.mapping.digest}/{list(RULES).index(rule)}"
    with HostileTarget(answering(answer)) as target:
        id, result = stage.run(target.url(), mapping=entry, **more)
    assert result is not None
    return id, result.state, stage.record(id, "reason")


@pytest.mark.parametrize(
    ("rule", "answer", "state", "reason"),
    [
        ("ok", whole(b'{"ok": true}', JSON), "done", "delivered"),
        ("ok", whole(b'{"ok": false}', JSON), "dead", "condition"),
        ("ok", whole(b'{"ok": 1}', JSON), "dead", "condition"),
        ("ok", whole(b"ok", JSON), "dead", "condition"),
        ("ok", whole(b""), "dead", "condition"),
        ("ok", whole(b'{"ok": false}', JSON, "403 Forbidden"), "dead", "http_403"),
        ("ok", whole(b'{"ok": true}', JSON, "502 Bad Gateway"), "unknown", "http_502"),
        ("ok", whole(b'{"ok": true, "x": "' + b"x" * 1_000_000 + b'"}', JSON), "unknown", "unjudged"),
        ("again", whole(b'{"ok": false}', JSON), "waiting", "condition"),
        ("again", whole(b'{"ok": true}', JSON), "done", "delivered"),
        ("items", whole(b'[{"ok": true}, {"ok": true}]', JSON), "done", "delivered"),
        ("items", whole(b'[{"ok": true}, {"ok": false}]', JSON), "dead", "condition"),
        ("items", whole(b"[]", JSON), "dead", "condition"),
        ("json", whole(b"[]", HTML), "done", "delivered"),
        ("json", whole(b"<html>Sign in</html>", HTML), "dead", "not_json"),
        ("json", whole(b"", JSON), "dead", "not_json"),
        ("json", b"HTTP/1.1 204 No Content\r\n\r\n", "done", "delivered"),
        ("json", whole(b'{"x": "' + b"x" * 1_000_000 + b'"}', JSON), "done", "delivered"),
        ("json", whole(b"<" + b"x" * 1_000_000, JSON), "dead", "not_json"),
        ("statuses", whole(b"", status="409 Conflict"), "done", "delivered"),
        ("statuses", whole(b"", status="302 Found"), "dead", "http_302"),
        ("statuses", whole(b"", status="404 Not Found"), "dead", "http_404"),
        ("statuses", whole(b"", status="503 Service Unavailable"), "waiting", "http_503"),
        ("head", whole(b"", "X-Result: good\r\n", "202 Accepted"), "done", "delivered"),
        ("head", whole(b"", "X-Result: bad\r\n", "202 Accepted"), "dead", "condition"),
        ("endless", whole(b"{}", JSON), "unknown", "unjudged"),
    ],
)  # fmt: skip
def test_the_rule_decides_how_a_run_ends(
    stage: AttemptHarness, rule: str, answer: bytes, state: str, reason: str
) -> None:
    """Beside what the status says of retries, gateways and refusals."""
    _, *end = answered(stage, rule, answer)

    assert [state, reason] == end


def test_a_repeat_waits_as_long_as_the_answer_asks_for(stage: AttemptHarness) -> None:
    """Although its status is one of a success."""
    id, state, _ = answered(stage, "again", whole(b"{}", JSON + "Retry-After: 4000\r\n", "202 Accepted"))

    assert "waiting" == state
    assert "Next attempt in 20 min." in stage.log(id)


@pytest.mark.parametrize("synchronized", [True, False])
def test_port_hears_of_the_failure_and_why(stage: AttemptHarness, synchronized: bool) -> None:
    """FAILURE for asynchronous runs too, with the rule beside the status."""
    id, _, _ = answered(stage, "ok", whole(b'{"ok": false}', JSON), synchronized=synchronized)
    status = stage.pending_reports(id)[-1].body
    told = (
        "answered HTTP 200, which the mapping's delivery.success does not count as a success: its condition is not true"
    )

    assert "FAILURE" == status["status"]
    assert told in status["summary"]
    assert told in stage.log(id)


def test_a_refusal_that_counts_as_a_success_is_told_as_one(stage: AttemptHarness) -> None:
    """With the status that the target gave."""
    id, _, _ = answered(stage, "statuses", whole(b"", status="409 Conflict"))

    assert {"status": "SUCCESS"} == stage.pending_reports(id)[-1].body
    assert "Delivered: the target answered HTTP 409." in stage.log(id)


def test_a_sign_in_page_behind_a_redirect_is_unknown_where_a_retry_is_asked_for(stage: AttemptHarness) -> None:
    """The redirect turned the request into a GET: who repeats it repeats a request that may have run."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
    entry = f"{stage.mapping.digest}/{list(RULES).index('again')}"
    with HostileTarget(answering(moved, whole(b"<html>", HTML))) as target:
        id, result = stage.run(target.url(), mapping=entry)

    assert ("unknown", "condition") == (result and result.state, stage.record(id, "reason"))
