"""Pausing, resuming and limiting targets and their actions, and requeue jobs. Each call logs one event."""

from dataclasses import replace
from typing import TypedDict

from longshore.ledger.drill_lease import yield_pause
from longshore.ledger.requeue import FINISHED, RequeueJob
from longshore.ledger.states import JobState
from longshore.ledger.target_control import TargetControl
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.refusals import Conflict, Invalid, NotFound

log = EventLog(__name__)

MAX_NAME_LENGTH = 2_000
"""Characters of a target's name."""


class TargetLimits(TypedDict, total=False):
    """The limits to set. None removes one; a missing key leaves it as it is."""

    rate: float | None
    """Starts per second, 0 for no limit."""
    concurrency: int | None
    """Max requests in flight."""


def steer_target(
    access: LedgerAccess, target: str, action: str, act: str, actor: str, limits: TargetLimits | None = None
) -> TargetControl:
    """`act` is `pause`, `resume` (which closes the breaker too) or `limit`: of `target`, or of one `action` of it.

    Holds for the whole fleet from now on. Returns the operator's control of it as it is then. Raises `Invalid`.
    """
    limits = limits or {}
    check_target(target)
    if action and limits.get("rate") is not None:
        raise Invalid("a rate is a target's; an action has a concurrency only")
    lane = f"{target} {action}" if action else ""
    control = access.targets.operator_control(lane or target)
    if act == "pause":
        control = replace(control, paused=True)
    elif act == "resume":
        control = replace(control, paused=False)
    elif act == "limit" and limits:
        control = replace(control, **limits)
    else:
        raise Invalid("a target can be paused, resumed or limited")
    if act == "pause" and not action:
        yield_pause(access.ledger, target)
    access.targets.set(target, lane, control, close_breaker=act == "resume")
    log_steering(actor, target, act, action, limits)
    return control


def check_target(name: str) -> None:
    """Raises `Invalid` for what is no target's name: a typo must not become one."""
    if not name or " " in name or len(name) > MAX_NAME_LENGTH:
        raise Invalid("name a target, e.g. http://deployer.internal:8080")


def log_steering(actor: str, target: str, act: str, action: str = "", limits: TargetLimits | None = None) -> None:
    """The log's line on what somebody did to a target."""
    limits = limits or {}
    log.event(events.OPERATOR_TARGET_STEERED, actor=actor, target=target, action=action or None, word=act, **limits)


def steer_job(access: LedgerAccess, id: str, act: str, actor: str) -> RequeueJob:
    """`act` is `pause` (hold it where it is) or `resume` (also one that its canary stopped): of the job `id`.

    Returns the job as it is then. Raises `NotFound`, `Conflict` where it is past that, and `Invalid`.
    """
    job = access.requeue.job(id)
    if job is None:
        raise NotFound(f"there is no job {id[:100]}")
    if act == "pause":
        if job.state in FINISHED:
            raise Conflict(f"the job is {job.state}")
        access.requeue.pause(id)
    elif act == "resume":
        if job.state not in (JobState.PAUSED, JobState.STOPPED):
            raise Conflict(f"the job is {job.state}")
        access.requeue.resume(id)
    else:
        raise Invalid("a job can be paused or resumed")
    log.event(events.OPERATOR_JOB_STEERED, actor=actor, job=id, word=act)
    return access.requeue.job(id) or job
