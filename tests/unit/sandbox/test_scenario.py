"""The demo's list covers what it promises to cover."""

from __future__ import annotations

import itertools
import random

from longshore.sandbox.case import Case
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.scenario import Scenario

URLS = {name: f"http://127.0.0.1:1/{name}" for name in FakeTargets.NAMES}


def scenario() -> Scenario:
    return Scenario(URLS, "secret")


def ends(cases: list[Case]) -> set[str]:
    return {case.expectation.state for case in cases}


def test_the_demo_ends_in_every_way() -> None:
    """Delivered, given up, unknown, not for us, and a copy."""
    assert {"done", "dead", "unknown", "skipped", "repeated"} == ends(scenario().demo())


def test_the_demo_calls_every_target() -> None:
    """No sample target is there for nothing."""
    texts = b"".join(case.value or b"" for case in scenario().demo())

    assert [] == [name for name in FakeTargets.NAMES if f"/{name}".encode() not in texts]


def test_the_demo_has_what_a_person_sends_again() -> None:
    """Each row says what is expected of it."""
    expectation = {case.expectation.summary for case in scenario().demo()}

    assert {"1 failed, sent again: done in 1, Port FAILURE", "skipped"} <= expectation


def test_the_demo_has_every_kind() -> None:
    """Action runs, node runs and change log events."""
    cases = scenario().demo()

    assert {True, False} == {case.run_id.startswith("wfnr_") for case in cases if case.run_id}
    assert any(case.change_log for case in cases)


def test_ids_are_told_apart() -> None:
    """Each run has an id of its own, except the one that is published twice."""
    ids = [case.run_id for case in scenario().demo() if case.run_id]

    assert 1 == len(ids) - len(set(ids))


def test_the_stream_is_mixed_and_has_no_end() -> None:
    """A minute of it shows most ways to end."""
    cases = list(itertools.islice(scenario().stream(random.Random(1)), 120))

    assert {"done", "dead", "unknown", "skipped"} == ends(cases)
    assert len(cases) == len({(case.run_id, case.value) for case in cases})
