"""One way to pause, resume and limit, for commands, Flower, API and sandbox."""

import pytest
from structlog.testing import capture_logs

from longshore.ledger.requeue import RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.target_control import TargetControl
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import Conflict, Invalid, NotFound
from longshore.operations.requeue import requeue_all
from longshore.operations.steer import steer_job, steer_target

from .conftest import end, put

TARGET = "http://a:80"


def test_a_pause_and_limits_stand_beside_each_other(access: LedgerAccess) -> None:
    """Each act changes what it names and leaves the rest; an action has its own."""
    assert TargetControl(paused=True) == steer_target(access, TARGET, "", "pause", "ann")
    assert TargetControl(True, 5, 2) == steer_target(access, TARGET, "", "limit", "ann", {"rate": 5, "concurrency": 2})
    assert TargetControl(False, 5, 2) == steer_target(access, TARGET, "", "resume", "ann")
    assert TargetControl(False, None, 2) == steer_target(access, TARGET, "", "limit", "ann", {"rate": None})
    steer_target(access, TARGET, "deploy", "pause", "ann")

    assert TargetControl(False, None, 2) == access.targets.operator_control(TARGET)
    assert TargetControl(paused=True) == access.targets.operator_control(f"{TARGET} deploy")


def test_what_makes_no_sense_changes_nothing(access: LedgerAccess) -> None:
    """A typo must not become a target."""
    with capture_logs() as lines:
        for target, action, act in (("", "", "pause"), ("http://a:80 deploy", "", "pause"), (TARGET, "", "stop"),
                                    (TARGET, "", "limit"), ("a" * 2_001, "", "pause")):  # fmt: skip
            with pytest.raises(Invalid):
                steer_target(access, target, action, act, "ann")
        with pytest.raises(Invalid):
            steer_target(access, TARGET, "deploy", "limit", "ann", {"rate": 5})

    assert not lines
    assert not list(access.targets.statuses())


def test_a_job_is_held_and_goes_on(access: LedgerAccess) -> None:
    """Each act is one line in the log; what is past that is a conflict."""
    put(access, "r_1")
    end(access)
    job = requeue_all(access, Filter(), RequeueRequest("ann", "it is back")).id
    with capture_logs() as lines:
        assert "paused" == steer_job(access, job, "pause", "ann").state
        assert "running" == steer_job(access, job, "resume", "ann").state
        with pytest.raises(Conflict, match="the job is running"):
            steer_job(access, job, "resume", "ann")
    assert ["pause", "resume"] == [line["word"] for line in lines]

    access.requeue.run_due()
    with pytest.raises(Conflict, match="the job is done"):
        steer_job(access, job, "pause", "ann")
    with pytest.raises(NotFound):
        steer_job(access, "none", "pause", "ann")
    with pytest.raises(Invalid):
        steer_job(access, job, "stop", "ann")
