"""The sample targets behave as badly as they say, and carry many requests at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from longshore.sandbox.fake_targets import Behavior, FakeTargets


@pytest.fixture
def targets() -> Iterator[FakeTargets]:
    """All targets, quick ones where time is their point."""
    with FakeTargets(behavior=Behavior(slow_s=0.05, drip_s=0.001)) as fake_targets:
        yield fake_targets


def post(targets: FakeTargets, name: str, run_id: str = "r_1", patience_s: float = 5) -> requests.Response:
    """One request as Longshore would send it."""
    return requests.post(targets.url(name), json={"a": 1}, headers={"Idempotency-Key": run_id}, timeout=patience_s)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("good", [200, 200]),
        ("slow", [200]),
        ("flaky", [503, 503, 200]),
        ("throttling", [429, 200]),
        ("not_found", [404]),
        ("error", [500]),
        ("gateway", [502]),
        ("drip", [200]),
    ],
)
def test_each_answers_in_its_manner(targets: FakeTargets, name: str, statuses: list[int]) -> None:
    """Per run: another run starts from the beginning."""
    assert statuses == [post(targets, name).status_code for _ in statuses]
    assert statuses[0] == post(targets, name, "r_2").status_code


def test_throttling_says_when_to_come_back(targets: FakeTargets) -> None:
    """In whole seconds, as most do."""
    assert "1" == post(targets, "throttling").headers["Retry-After"]


def test_nobody_listens_at_the_dead_one(targets: FakeTargets) -> None:
    """Refused at once, and the port is nobody else's."""
    with pytest.raises(requests.ConnectionError, match="refused"):
        post(targets, "dead")


def test_gitlabs_paths_are_answered_like_gitlab(targets: FakeTargets) -> None:
    """So that the built-in GitLab mapping finds its link and id."""
    url = f"{targets.origin('good')}/api/v4/projects/group%2Fproject/trigger/pipeline"
    reply = requests.post(url, json={}, timeout=5)

    assert 201 == reply.status_code
    assert reply.json()["web_url"].endswith(str(reply.json()["id"]))


def test_what_was_received_is_kept_per_run(targets: FakeTargets) -> None:
    """By idempotency key, else by the run id in the message."""
    post(targets, "flaky")
    post(targets, "flaky")
    requests.post(targets.url("good"), json={"context": {"runId": "r_2"}}, timeout=5)
    requests.post(targets.url("good"), data=b"\xff", timeout=5)

    first, second = targets.received("r_1")
    assert [1, 2] == [first.attempt, second.attempt]
    assert ("flaky", "POST", "/hooks/flaky", b'{"a": 1}') == (first.target, first.method, first.path, first.body)
    assert {"r_1": 2, "r_2": 1, "": 1} == targets.attempts()
    assert {"flaky": 2, "good": 2} == targets.totals()


def test_hundreds_hang_and_are_released_at_once(targets: FakeTargets) -> None:
    """They hold sockets, not threads, and a stop cuts them all."""
    before = threading.active_count()
    with ThreadPoolExecutor(300) as pool:
        # The first must not lose patience before the last has come, however busy the machine is.
        waiting = [pool.submit(post, targets, "hanging", f"r_{number}", 300) for number in range(300)]
        assert targets.wait_until(lambda: len(targets.attempts()) == 300, 120)
        assert threading.active_count() <= before + 300  # the clients' own
        targets.stop()
        assert all(isinstance(each.exception(), requests.ConnectionError) for each in waiting)
