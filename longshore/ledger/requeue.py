"""Sending ended invocations again: one at once, or many as a job that workers carry out at a rate.

A job's list of ids is fixed when it is made, with the generation each had. Taking one off the list and requeueing it is
one script, so that a job survives any crash and sends nothing twice; what somebody else has requeued meanwhile is left.
"""

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import redis

from longshore.ledger.connection import reaching_store
from longshore.ledger.invocations import InvocationRecord
from longshore.ledger.keys import Keys
from longshore.ledger.limits import Limits
from longshore.ledger.record import BOUND_FROM, JOB_NOTE, bond
from longshore.ledger.scripts import Script
from longshore.ledger.seal import Bond, Sealer
from longshore.ledger.states import JobState

STEP = 200
"""Most invocations one step of a job requeues: about 5 ms of Redis's time."""

_BATCH = 1000

REQUEUED = frozenset({"requeued", "requeued_closed"})

OUTCOME_TEXT = {
    "requeued": "requeued",
    "requeued_closed": "requeued; Port's run has ended, so only its log will tell what comes of it",
    "gone": "not there any more",
    "changed": "requeued by somebody else meanwhile",
    "busy": "not ended; it will be delivered or end by itself",
    "delivered": "delivered already; only a replay sends it again",
    "no_payload": "kept without its message, so it cannot be sent",
}
"""What becomes of an invocation that is to be sent again, in words. The names are those of restart_invocation.lua."""

FINISHED = frozenset({JobState.DONE, JobState.STOPPED})
"""States in which a job does nothing any more. Of the others, `paused` waits for an operator."""


@dataclass(frozen=True, slots=True)
class RequeueRequest:
    """Who sends again, why, and how."""

    actor: str
    why: str
    rate: float = 50
    """Invocations per second; 0 for as fast as it goes."""
    canary: int = 0
    """So many first; the rest only when all of these were delivered."""
    replay: bool = False
    """Also what was delivered already."""

    def __post_init__(self) -> None:
        if not self.actor.strip() or not self.why.strip():
            raise ValueError("requeueing needs an actor and a reason")


@dataclass(frozen=True, slots=True)
class RequeueJob:
    """How far a job is."""

    id: str
    state: JobState
    actor: str
    why: str
    total: int
    started: int
    counts: dict[str, int]
    """What became of those started, see restart_invocation.lua."""
    created_ms: int
    canary_failed: int


class Requeuer:
    """Requeues. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits, sealer: Sealer) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._sealer = sealer
        self._requeue = Script.named("requeue")
        self._run_job = Script.named("run_job")
        self._save_job = Script.named("save_job")

    def one(self, letter: InvocationRecord, order: RequeueRequest, *, dry_run: bool = False) -> str:
        """Sends `letter` again unless it has changed since it was read. Returns the outcome, a key of `OUTCOME_TEXT`.

        With `dry_run` it returns what would become of it, and nothing changes.
        """
        with reaching_store():
            became: bytes = self._requeue.run(
                self._redis.execute_command,
                self._keys.prefix,
                self._limits,
                letter.id.encode("utf-8", "surrogatepass"),
                letter.generation,
                "1" if order.replay else "",
                self._note(order, bond(letter.format, "history", letter.id, letter.generation)),
                "1" if dry_run else "",
            )
        return became.decode()

    def start(self, letters: Iterable[InvocationRecord], order: RequeueRequest) -> RequeueJob:
        """Makes a job of `letters`, stored whole before the workers begin with it."""
        id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:4]}"
        total, left, bound = 0, iter(letters), True
        while batch := list(islice(left, _BATCH)):
            places = (f"{letter.generation}:{letter.id}" for letter in batch)
            self._keep(id, "list", *(each.encode("utf-8", "surrogatepass") for each in places))
            total += len(batch)
            bound = bound and all(letter.format >= BOUND_FROM for letter in batch)
        note = self._note(order, JOB_NOTE if bound else None)
        self._keep(id, "runs", *(part for pair in self._record(order, total, note).items() for part in pair))
        found = self.job(id)
        assert found is not None
        return found

    def job(self, id: str) -> RequeueJob | None:
        """The job `id`, or None."""
        with reaching_store():
            raw: Any = self._redis.hgetall(self._keys.job(id))
        if not raw:
            return None
        values = {name.decode(): value for name, value in raw.items()}
        outcomes = ("requeued", "requeued_closed", "gone", "changed", "busy", "delivered", "no_payload")
        return RequeueJob(
            id=id,
            state=JobState(values["state"].decode()),
            actor=values["actor"].decode(),
            why=values["why"].decode(),
            total=int(values["total"]),
            started=int(values.get("started", 0)),
            counts={name: int(values[name]) for name in outcomes if name in values},
            created_ms=int(values["created"]),
            canary_failed=int(values.get("canary_failed", 0)),
        )

    def jobs(self) -> list[RequeueJob]:
        """All jobs that are kept, newest first."""
        with reaching_store():
            ids: Any = self._redis.zrevrange(self._keys.jobs_made, 0, 99)
        return [job for id in ids if (job := self.job(id.decode())) is not None]

    def run_due(self) -> bool:
        """One step of every unfinished job. Called by every worker; returns whether there is any."""
        with reaching_store():
            ids: Any = self._redis.zrange(self._keys.jobs, 0, -1)
            for id in ids:
                self._run_job.run(self._redis.execute_command, self._keys.prefix, self._limits, id, STEP)
        return bool(ids)

    def pause(self, id: str) -> None:
        """Holds a job where it is; `resume` goes on with it."""
        job = self.job(id)
        if job is not None and job.state not in FINISHED and job.state != JobState.PAUSED:
            self._keep(id, "rests", "state", JobState.PAUSED, "paused_from", job.state)

    def resume(self, id: str) -> None:
        """Goes on with a paused job where it was, or with the rest of one that its canary stopped."""
        job = self.job(id)
        if job is None or job.state not in (JobState.PAUSED, JobState.STOPPED):
            return
        with reaching_store():
            before: Any = self._redis.hget(self._keys.job(id), "paused_from")
        self._keep(id, "runs", "state", before if job.state == JobState.PAUSED and before else JobState.RUNNING)

    def _keep(self, id: str, what: str, *values: Any) -> None:
        with reaching_store():
            self._save_job.run(self._redis.execute_command, self._keys.prefix, "", id, what, *values)

    def _record(self, order: RequeueRequest, total: int, note: bytes) -> Any:
        return {
            "state": JobState.CANARY if 0 < order.canary < total else JobState.RUNNING,
            "actor": order.actor,
            "why": order.why,
            "rate": order.rate,
            "canary": order.canary,
            "replay": "1" if order.replay else "",
            "note": note,
            "total": total,
            "started": 0,
            "created": round(time.time() * 1000),
        }

    def _note(self, order: RequeueRequest, bound: Bond | None) -> bytes:
        note = {"requeued_by": order.actor, "why": order.why, "at": time.time(), "replay": order.replay}
        return self._sealer.seal(json.dumps(note).encode(), bound)
