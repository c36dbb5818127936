"""What people do: send again, pause, resume, limit. Pages and API end here, and each act is one log line."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import structlog

from longshore.dashboard.agent import Agent
from longshore.dashboard.asked import MOST, Refused
from longshore.store import bulk
from longshore.store.requeue import FINISHED, Job, Order
from longshore.store.sift import Filter
from longshore.store.states import JobState
from longshore.store.target_control import Gate

log = structlog.get_logger(__name__)


def needs_secret(agent: Agent) -> None:
    """Raises `Refused` where no requeue could be written into the sealed history."""
    if not agent.has_secret:
        raise Refused("Flower was started without PORT_CLIENT_SECRET: nothing can be requeued here", 409)


def requeue(agent: Agent, picks: Iterable[tuple[str, int | None]], order: Order) -> list[tuple[str, str]]:
    """Sends `picks` again: id, and the generation that was looked at or None. Returns ids and what became of them."""
    needs_secret(agent)
    results = []
    for id, generation in picks:
        letter = agent.access.invocations.get(id)
        if letter is None:
            became = "gone"
        elif generation is not None and generation != letter.generation:
            became = "changed"
        else:
            became = agent.access.requeue.one(letter, order)
        results.append((id, became))
    told = dict(Counter(became for _, became in results))
    log.info("operator.requeued", actor=order.actor, why=order.why, replay=order.replay, **told)
    return results


def matching(agent: Agent, wanted: Filter, most: int = MOST) -> Counter[tuple[str, str]]:
    """(state, reason) → how many there are. Text must be looked for one by one, so that ends at `most`."""
    if not wanted.text:
        return agent.access.invocations.count(wanted)
    found = islice(agent.access.invocations.find(wanted), most + 1)
    return Counter((letter.state, letter.reason) for letter in found)


def requeue_all(agent: Agent, wanted: Filter, order: Order, most: int = MOST) -> Job:
    """Makes a job of what `longshore.store.bulk` says. Raises `Refused` if that is nothing, or more than `most`."""
    needs_secret(agent)
    total = bulk.meant(matching(agent, wanted, most), wanted).total()
    if not total:
        raise Refused("nothing fits", 404)
    if total > most:
        raise Refused(f"{total} are more than the cap of {most}: nothing was requeued", 409)
    job = agent.access.requeue.start(bulk.letters(agent.access.invocations, wanted), order)
    log.info("operator.job_started", actor=order.actor, why=order.why, job=job.id, total=job.total, canary=order.canary)
    return job


def steer_job(agent: Agent, id: str, word: str, actor: str) -> Job:
    """`pause` or `resume` the job `id`. Raises `Refused`."""
    job = agent.access.requeue.job(id)
    if job is None:
        raise Refused(f"there is no job {id[:100]}", 404)
    if word == "pause":
        if job.state in FINISHED:
            raise Refused(f"the job is {job.state}", 409)
        agent.access.requeue.pause(id)
    elif word == "resume":
        if job.state not in (JobState.PAUSED, JobState.STOPPED):
            raise Refused(f"the job is {job.state}", 409)
        agent.access.requeue.resume(id)
    else:
        raise Refused("a job can be paused or resumed")
    log.info("operator.job_steered", actor=actor, job=id, word=word)
    return agent.access.requeue.job(id) or job


def steer_target(agent: Agent, target: str, action: str, word: str, actor: str, limits: dict[str, Any]) -> Gate:
    """`pause`, `resume` or `limit` a target or one of its lanes; returns the operator's word on it from now on.

    `limits` may have `rate` and `concurrency` (None takes it back). Raises `Refused`.
    """
    if not target or " " in target or len(target) > 2_000:
        raise Refused("name a target, e.g. http://deployer.internal:8080")
    if action and limits.get("rate") is not None:
        raise Refused("a rate is a target's; an action has a concurrency only")
    lane = f"{target} {action}" if action else ""
    gate = agent.access.targets.gate(lane or target)
    if word == "pause":
        gate = replace(gate, paused=True)
    elif word == "resume":
        gate = replace(gate, paused=False)
    elif word == "limit" and limits:
        gate = replace(gate, **limits)
    else:
        raise Refused("a target can be paused, resumed or limited")
    agent.access.targets.set(target, lane, gate, close_breaker=word == "resume")
    log.info("operator.target_steered", actor=actor, target=target, action=action or None, word=word, **limits)
    return gate
