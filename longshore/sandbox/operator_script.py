"""The demo's operator: pauses, resumes, requeues, decides about unknown outcomes, and checks what no row shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.settings import Settings
from longshore.errors import StoreUnavailable
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.requeue import REQUEUED, RequeueRequest
from longshore.ledger.scan import Filter
from longshore.ledger.states import JobState, State
from longshore.ledger.stats import move_counts
from longshore.operations.ledger_access import open_ledger
from longshore.operations.requeue import requeue, select, start_job
from longshore.operations.steer import steer_target
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.scenario import LIMITED_RATE
from longshore.sandbox.tracker import TrackedMessage

ACTOR = "you"
CANARY = 2
PAUSE_S = 2
"""How long the target `paused` stays so once its run waits."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A promise, the evidence for it, and whether that shows that it is kept."""

    promise: str
    evidence: str
    ok: bool


class OperatorScript:
    """Steers the agent through its ledger, as `longshore dlq` and `longshore targets` do; `say` prints each step."""

    def __init__(self, settings: Settings, targets: FakeTargets, say: Callable[[str], None]) -> None:
        self._access = open_ledger(settings)
        self._targets = targets
        self._say = say
        self._waiting_since = self._resumed_at = 0.0
        self._job = ""
        self._is_resolved = False
        steer_target(self._access, "paused", "", "pause", ACTOR)
        say("You pause the target `paused`: what comes for it waits.")

    def act(self, messages: Sequence[TrackedMessage]) -> None:
        """Takes the steps that are due."""
        try:
            self._resume(select_target(messages, "paused"))
            self._requeue_broken(select_target(messages, "broken"))
            self._resolve_unknown(select_target(messages, "mute"))
        except StoreUnavailable:
            return  # the next update is a moment away

    def observe(self, messages: Sequence[TrackedMessage]) -> list[Observation]:
        """The promises that no row of the table shows, with their evidence."""
        return [
            self._limit(select_target(messages, "limited")),
            self._retry_after(),
            self._breaker(),
            self._pause(),
            self._canary(),
        ]

    def _resume(self, delayed: Sequence[TrackedMessage]) -> None:
        if self._resumed_at or not all(message.state == State.WAITING for message in delayed):
            return
        self._waiting_since = self._waiting_since or time.monotonic()
        if time.monotonic() > self._waiting_since + PAUSE_S:
            self._resumed_at = time.time()
            steer_target(self._access, "paused", "", "resume", ACTOR)
            self._say("You resume `paused`: what waited for it is delivered now.")

    def _requeue_broken(self, dead_letters: Sequence[TrackedMessage]) -> None:
        if self._job or not all(message.state == State.DEAD for message in dead_letters):
            return
        self._targets.mend()
        filter = Filter(reason="http_422", target="broken")
        request = RequeueRequest(ACTOR, "the environment exists now", rate=0, canary=CANARY)
        self._job = start_job(self._access, select(self._access, filter), request).id
        self._say(
            f"You mend `broken` and send its {len(dead_letters)} dead letters again: {CANARY} first, as a canary."
        )

    def _resolve_unknown(self, unanswered: Sequence[TrackedMessage]) -> None:
        if self._is_resolved or not all(message.state == State.UNKNOWN for message in unanswered):
            return
        self._is_resolved = True
        for message in unanswered:
            ((_, outcome),) = requeue(
                self._access, [(message.id, None)], RequeueRequest(ACTOR, "looked at the target: it had not run")
            )
            if outcome in REQUEUED:
                self._say(f"You decide about the unknown outcome of {message.id}: it had not run, so it is sent again.")

    def _limit(self, rate_limited: Sequence[TrackedMessage]) -> Observation:
        arrivals = self._arrivals("limited")
        records = self._access.invocations.read([message.id for message in rate_limited])
        accepted_at = [record.accepted_ms / 1000 for record in records]
        # Not from the first arrival: that may be on its way for longer than the last, as the worker has just come up.
        first_start = min(accepted_at, default=0.0)
        early_arrivals = [
            number for number, at in enumerate(arrivals) if at < first_start + 0.95 * number / LIMITED_RATE
        ]
        evidence = (
            f"{len(arrivals)} within {arrivals[-1] - first_start:.1f} s of being accepted, {len(early_arrivals)} early"
            if arrivals
            else "none"
        )
        return Observation(
            f"`limited` gets at most {LIMITED_RATE}/s",
            evidence,
            bool(arrivals) and bool(accepted_at) and not early_arrivals,
        )

    def _retry_after(self) -> Observation:
        arrivals = self._arrivals("throttling")
        wait_s = arrivals[1] - arrivals[0] if len(arrivals) > 1 else 0.0
        return Observation("`throttling` is asked again after its Retry-After of 1 s", f"{wait_s:.1f} s", wait_s >= 1)

    def _breaker(self) -> Observation:
        open_count = move_counts(self._access.ledger)["breaker_opened"]
        statuses = self._access.targets.statuses(["flapping"])
        still_open = [
            status.breaker for status in statuses if status.breaker in (BreakerStatus.OPEN, BreakerStatus.HALF_OPEN)
        ]
        evidence = (
            f"opened {open_count} times, {'still open' if still_open else 'let go after a probe that was answered'}"
        )
        return Observation(
            "the breaker of `flapping` opens, and lets go when it is well", evidence, open_count > 0 and not still_open
        )

    def _pause(self) -> Observation:
        arrivals = self._arrivals("paused")
        early_arrivals = [at for at in arrivals if not self._resumed_at or at < self._resumed_at]
        return Observation(
            "`paused` gets nothing before it is resumed",
            f"{len(early_arrivals)} came early",
            not early_arrivals and bool(arrivals),
        )

    def _canary(self) -> Observation:
        job = self._access.requeue.job(self._job) if self._job else None
        evidence = f"{job.state}, {job.counts}" if job else "never started"
        return Observation(
            "the requeue ends, behind its canary", evidence, job is not None and job.state == JobState.DONE
        )

    def _arrivals(self, target: str) -> list[float]:
        return [request.at for request in self._targets.received() if request.target == target]


def select_target(messages: Sequence[TrackedMessage], target: str) -> list[TrackedMessage]:
    """The messages for one sample target."""
    return [message for message in messages if message.case.title.endswith(f"→ {target}")]
