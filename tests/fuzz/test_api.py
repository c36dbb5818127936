"""Whatever Flower is asked, by its JSON API and its pages: an answer or a refusal, and never an error of ours."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.runtime.embedded_redis import EmbeddedRedis
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


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    folder = tmp_path_factory.mktemp("flower")
    with EmbeddedRedis(folder / "redis") as redis:
        flower = Flower(folder, **SETTINGS, REDIS_URL=redis.url, FLOWER_BASIC_AUTH="ann:pass-0123456789")
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
