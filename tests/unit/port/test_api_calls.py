"""From reports to calls: few, in order, to the right path, within Port's limits."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.invocation.kinds import Kind
from longshore.port import Report, ReportKind, build_calls, delivered, failed, received, retrying
from tests.support.fake_outcome import FakeOutcome

ACTION, NODE = Kind.ACTION_RUN, Kind.NODE_RUN


def log(text: str) -> Report:
    """A log line."""
    return Report(ReportKind.LOG, {"message": text})


def status(**body: Any) -> Report:
    """A terminal status."""
    return Report(ReportKind.STATUS, body)


def patch(**body: Any) -> Report:
    """A patch that does not end the run."""
    return Report(ReportKind.PATCH, body)


@pytest.mark.parametrize(
    ("synchronized", "code", "count"), [(False, 200, 1), (False, 500, 2), (True, 200, 3), (True, 500, 3)]
)
def test_a_run_takes_few_calls(synchronized: bool, code: int, count: int) -> None:
    """One for an asynchronous success, two for its failure, three for a synchronous run."""
    end = delivered if code < 400 else failed
    reports = received(ACTION) + retrying(ACTION, FakeOutcome.of(503), 1, 5)
    reports += end(ACTION, synchronized, FakeOutcome.of(code, '{"a":1}'), None, True)

    assert count == len(build_calls(ACTION, "r_1", reports))


def test_merged_logs_keep_their_order() -> None:
    """One line each, as they were said; a node's stay lines of their own."""
    assert {"message": "a\nb\nc"} == build_calls(ACTION, "r_1", [log("a"), log("b"), log("c")])[0].json
    lines = [Report(ReportKind.NODE_LOG, {"level": "INFO", "message": text}) for text in "ab"]
    assert {"logs": [line.body for line in lines]} == build_calls(NODE, "wfnr_1", lines)[0].json


def test_every_call_says_which_reports_it_carries() -> None:
    """So that the outbox forgets exactly those that were taken."""
    reports = [
        log("a"),
        Report(ReportKind.RESPONSE, {"response": "x"}),
        log("b"),
        patch(link="l"),
        status(status="FAILURE"),
    ]
    port_calls = build_calls(ACTION, "r_1", reports)

    assert [("L", (0, 2)), ("R", (1,)), ("PS", (3, 4))] == [
        ("".join(call.kinds), call.report_indexes) for call in port_calls
    ]
    assert {"status": "FAILURE", "link": "l"} == port_calls[-1].json


def test_a_success_after_a_requeue_drops_the_failures_summary() -> None:
    """Both were still in the outbox: only the last ending is told, and whole."""
    reports = [status(status="FAILURE", summary="boom"), status(status="SUCCESS", link="l")]

    assert [{"status": "SUCCESS", "link": "l"}] == [call.json for call in build_calls(ACTION, "r_1", reports)]


def test_a_later_patch_takes_no_terminal_status_away() -> None:
    """Ended is ended; what is patched along still goes."""
    reports = [status(status="FAILURE", summary="boom"), patch(link="l")]

    assert {"status": "FAILURE", "summary": "boom", "link": "l"} == build_calls(ACTION, "r_1", reports)[0].json


@pytest.mark.parametrize(
    ("run_id", "path"),
    [
        ("r_1", "/v1/actions/runs/r_1"),
        ("../../organization", "/v1/actions/runs/..%2F..%2Forganization"),
        ("a?b#c%2F d", "/v1/actions/runs/a%3Fb%23c%252F%20d"),
        ("\ud800", "/v1/actions/runs/%ED%A0%80"),
    ],
)
def test_hostile_ids_stay_one_step_of_the_path(run_id: str, path: str) -> None:
    """Whoever writes to the topic must not choose which call of ours is made."""
    assert path == build_calls(ACTION, run_id, [status(status="FAILURE")])[0].path


@pytest.mark.parametrize("run_id", ["", ".", "..", "x" * 100_000])
def test_ids_that_no_path_can_name_are_not_called(run_id: str) -> None:
    """`..` would be resolved on the way and name something else."""
    assert [] == build_calls(ACTION, run_id, [status(status="FAILURE")])


def test_nothing_is_ever_called_for_change_log_events() -> None:
    """Not even when somebody put reports there."""
    assert [] == build_calls(Kind.CHANGE_LOG, "r_1", [status(status="FAILURE"), log("a")])


@given(lengths=st.lists(st.integers(0, 600_000), max_size=5))
def test_no_call_is_too_large_and_no_log_is_lost(lengths: list[int]) -> None:
    """More logs than fit into one call take several."""
    port_calls = build_calls(ACTION, "r_1", [log("x" * length) for length in lengths])

    assert all(len(json.dumps(call.json)) < 1_048_576 for call in port_calls)
    assert list(range(len(lengths))) == [at for call in port_calls for at in call.report_indexes]
