"""Whatever Flower is asked, by its JSON API and its pages: an answer or a refusal, and never an error of ours."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.ledger.connection import connect
from longshore.runtime.embedded_redis import EmbeddedRedis
from tests.support.damaged_ledger import damage, filled
from tests.support.flower import Flower
from tests.support.programs import SETTINGS

PAGES = [
    "/api/longshore/letters", "/api/longshore/letters/counts", "/api/longshore/jobs", "/api/longshore/targets",
    "/api/longshore/overview", "/api/longshore/invocations/x", "/dead-letters", "/invocation", "/targets", "/jobs",
]  # fmt: skip
COMMANDS = [f"/api/longshore/{name}" for name in ("requeue", "targets/pause", "targets/limit", "jobs/x/pause")]
NAMES = [
    "limit", "after", "state", "reason", "target", "since", "until", "text", "q", "ids", "all", "filter", "why", "rate",
    "canary", "cap", "dry_run", "replay", "action", "concurrency", "lane", "kind", "run", "page",
]  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["dead", "\0"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
texts = st.text(max_size=8) | st.sampled_from(["-1", "nan", "1e400", "dead", "2h", "9" * 30, "x,y", "1-2", "\0", "%ff"])


VIEWS = (
    "/overview", "/dead-letters", "/dead-letters/requeue", "/dead-letters/export", "/targets", "/jobs", "/tasks",
    "/api/longshore/overview", "/api/longshore/letters", "/api/longshore/letters/counts", "/api/longshore/targets",
    "/api/longshore/jobs", "/api/longshore/status", "/invocation/r_dead", "/invocation/r_begun",
    "/api/longshore/invocations/r_unknown", "/api/longshore/invocations/r_waiting",
)  # fmt: skip
AGENT = {"PORT_ORG_ID": "org", "KAFKA_CONSUMER_GROUP_ID": "agent", "PORT_CLIENT_SECRET": "secret-0123456789"}
"""Whose ledger `filled` fills."""


@pytest.fixture(scope="module")
def ledger_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("flower") / "redis") as redis:
        yield redis


@pytest.fixture(scope="module")
def flower(ledger_redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    folder = tmp_path_factory.mktemp("flower")
    environ = SETTINGS | AGENT | {"REDIS_URL": ledger_redis.url, "FLOWER_BASIC_AUTH": "ann:pass-0123456789"}
    flower = Flower(folder, **environ)
    yield flower
    flower.close()


@given(page=st.sampled_from(PAGES), query=st.dictionaries(st.sampled_from(NAMES), texts, max_size=4))
def test_each_question_has_an_answer(flower: Flower, page: str, query: dict[str, str]) -> None:
    """400 for what is no question, 404 for what is not there."""
    answer = flower.get(page, params=query, auth=("ann", "pass-0123456789"))
    assert answer.status_code in (200, 302, 400, 404), (answer.status_code, flower.log()[-2000:])


@given(command=st.sampled_from(COMMANDS), body=odd | st.dictionaries(st.sampled_from(NAMES), odd, max_size=5))
def test_each_command_is_done_or_refused(flower: Flower, command: str, body: object) -> None:
    """With a reason in words."""
    json_body = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    answer = flower.post(command, data=json_body, headers=headers, auth=("ann", "pass-0123456789"))
    assert answer.status_code in (200, 202, 400, 404, 409), (answer.status_code, body, flower.log()[-2000:])
    assert answer.status_code < 400 or answer.json()["error"]


@given(data=st.data())
def test_a_damaged_ledger_has_pages(flower: Flower, ledger_redis: EmbeddedRedis, data: st.DataObject) -> None:
    """Each shows what can be shown, and none is an error."""
    with connect(ledger_redis.url) as client:
        filled(client)
        damage(client, data, ("clock", "celery:"))  # Flower writes keys of Celery's own
    path = data.draw(st.sampled_from(VIEWS))
    answer = flower.get(path, auth=("ann", "pass-0123456789"))
    assert answer.status_code in (200, 404), (path, answer.status_code, flower.log()[-2000:])
