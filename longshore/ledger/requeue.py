"""Requeues ended invocations: one at once, or many as a job that workers carry out at a rate.

A job's list of ids is fixed when it is created, with the generation of each. Taking one off the list and requeueing it
is one script, so a job survives any crash and requeues nothing twice. It skips what was requeued by others meanwhile.
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
from longshore.ledger.text import decode, encode, number

STEP = 200
"""Invocations that one step of a job requeues at most: about 5 ms of Redis's time."""

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
"""Outcome of a requeue, as restart_invocation.lua returns it → the same in words."""

_STATES = frozenset(state.value for state in JobState)

FINISHED = frozenset({JobState.DONE, JobState.STOPPED})
"""States in which a job has come to its end. Of the others, `paused` waits for an operator."""


@dataclass(frozen=True, slots=True)
class RequeueRequest:
    """Who requeues, why, and how."""

    actor: str
    why: str
    rate: float = 50
    """Invocations per second; 0 for no limit."""
    canary: int = 0
    """So many first; the rest only after all of these were delivered."""
    replay: bool = False
    """Also delivered invocations."""
    role: str = ""
    """The actor's role in Flower; empty for a command."""

    def __post_init__(self) -> None:
        if not self.actor.strip() or not self.why.strip():
            raise ValueError("requeueing needs an actor and a reason")


@dataclass(frozen=True, slots=True)
class RequeueJob:
    """A job and its progress."""

    id: str
    state: JobState
    actor: str
    why: str
    total: int
    started: int
    counts: dict[str, int]
    """Outcome → how many of those started, see `OUTCOME_TEXT`."""
    created_ms: int
    canary_failed: int


class Requeuer:
    """Requeues. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits, sealer: Sealer) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._sealer = sealer
        self._requeue = Script.get("requeue")
        self._run_job = Script.get("run_job")
        self._save_job = Script.get("save_job")

    def requeue_one(self, invocation: InvocationRecord, request: RequeueRequest, *, dry_run: bool = False) -> str:
        """Requeues `invocation` unless it has changed since it was read. Returns the outcome, a key of `OUTCOME_TEXT`.

        With `dry_run` it returns what the outcome would be, and changes nothing.
        """
        with reaching_store():
            outcome: bytes = self._requeue.run(
                self._redis.execute_command,
                self._keys.prefix,
                self._limits,
                encode(invocation.id),
                invocation.generation,
                "1" if request.replay else "",
                self._note(request, bond(invocation.format, "history", invocation.id, invocation.generation)),
                "1" if dry_run else "",
            )
        return outcome.decode()

    def start_job(self, invocations: Iterable[InvocationRecord], request: RequeueRequest) -> RequeueJob:
        """Creates a job for `invocations`, stored whole before workers start on it.

        A crash before the end leaves a list that no worker sees, and that expires.
        """
        id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:4]}"
        total, rest, all_bound = 0, iter(invocations), True
        while batch := list(islice(rest, _BATCH)):
            entries = (f"{invocation.generation}:{invocation.id}" for invocation in batch)
            self._save(id, "ids", *(encode(entry) for entry in entries))
            total += len(batch)
            all_bound = all_bound and all(invocation.format >= BOUND_FROM for invocation in batch)
        note = self._note(request, JOB_NOTE if all_bound else None)
        self._save(id, "active", *(part for pair in self._fields(request, total, note).items() for part in pair))
        job = self.job(id)
        assert job is not None
        return job

    def job(self, id: str) -> RequeueJob | None:
        """The job `id`; None if there is none, or somebody else has written over it."""
        with reaching_store():
            fields: Any = self._redis.hgetall(self._keys.job(id))
        values = {decode(name): value for name, value in fields.items()}
        state = decode(values.get("state", b""))
        if state not in _STATES:
            return None
        return RequeueJob(
            id=id,
            state=JobState(state),
            actor=decode(values.get("actor", b"")),
            why=decode(values.get("why", b"")),
            total=number(values.get("total")),
            started=number(values.get("started")),
            counts={name: number(values[name]) for name in OUTCOME_TEXT if name in values},
            created_ms=number(values.get("created")),
            canary_failed=number(values.get("canary_failed")),
        )

    def jobs(self) -> list[RequeueJob]:
        """All jobs that are kept, newest first."""
        with reaching_store():
            ids: Any = self._redis.zrevrange(self._keys.jobs_created, 0, 99)
        return [job for id in ids if (job := self.job(decode(id))) is not None]

    def run_due(self) -> bool:
        """One step of every unfinished job. Called by every worker; returns whether there is any.

        Raises redis-py's error for a job that somebody else has written over; the others have made their step by then.
        """
        fault: redis.ResponseError | None = None
        with reaching_store():
            ids: Any = self._redis.zrange(self._keys.jobs, 0, -1)
            for id in ids:
                try:
                    self._run_job.run(self._redis.execute_command, self._keys.prefix, self._limits, id, STEP)
                except redis.ResponseError as error:
                    fault = error
            if fault is not None:
                raise fault
        return bool(ids)

    def pause(self, id: str) -> None:
        """Pauses a job; `resume` goes on with it."""
        job = self.job(id)
        if job is not None and job.state not in FINISHED and job.state != JobState.PAUSED:
            self._save(id, "inactive", "state", JobState.PAUSED, "paused_from", job.state)

    def resume(self, id: str) -> None:
        """Goes on with a paused job where it was, or with the rest of one that its canary stopped."""
        job = self.job(id)
        if job is None or job.state not in (JobState.PAUSED, JobState.STOPPED):
            return
        with reaching_store():
            state_before: Any = self._redis.hget(self._keys.job(id), "paused_from")
        self._save(
            id, "active", "state", state_before if job.state == JobState.PAUSED and state_before else JobState.RUNNING
        )

    def _save(self, id: str, change: str, *values: Any) -> None:
        with reaching_store():
            self._save_job.run(self._redis.execute_command, self._keys.prefix, "", id, change, *values)

    def _fields(self, request: RequeueRequest, total: int, note: bytes) -> Any:
        return {
            "state": JobState.CANARY if 0 < request.canary < total else JobState.RUNNING,
            "actor": request.actor,
            "why": request.why,
            "rate": request.rate,
            "canary": request.canary,
            "replay": "1" if request.replay else "",
            "note": note,
            "total": total,
            "started": 0,
            "created": round(time.time() * 1000),
        }

    def _note(self, request: RequeueRequest, binding: Bond | None) -> bytes:
        note = {"requeued_by": request.actor, "why": request.why, "at": time.time(), "replay": request.replay}
        if request.role:
            note["role"] = request.role
        return self._sealer.seal(json.dumps(note).encode(), binding)
