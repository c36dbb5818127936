"""The demo's person on call: pauses and resumes, sends again, decides – and looks at what no row of the table shows."""

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
from longshore.sandbox.tracker import Followed

NAME = "you"
CANARY = 2
PAUSE_S = 2
"""How long the target `paused` stays so once its run waits."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A promise, what was seen of it, and whether that keeps it."""

    claim: str
    seen: str
    ok: bool


class OperatorScript:
    """Steers the agent through its ledger, as `longshore dlq` and `longshore targets` do; `say` tells of it."""

    def __init__(self, settings: Settings, targets: FakeTargets, say: Callable[[str], None]) -> None:
        self._access = open_ledger(settings)
        self._targets = targets
        self._say = say
        self._waits_since = self._resumed_at = 0.0
        self._job = ""
        self._decided = False
        steer_target(self._access, targets.origin("paused"), "", "pause", NAME)
        say("You pause the target `paused`: what comes for it waits.")

    def act(self, followed: Sequence[Followed]) -> None:
        """Does what it is time for."""
        try:
            self._resume(of(followed, "paused"))
            self._send_again(of(followed, "broken"))
            self._decide(of(followed, "mute"))
        except StoreUnavailable:
            return  # the next look is a moment away

    def seen(self, followed: Sequence[Followed]) -> list[Watched]:
        """What was watched besides how each ended."""
        return [
            self._limit(of(followed, "limited")),
            self._retry_after(),
            self._breaker(),
            self._pause(),
            self._canary(),
        ]

    def _resume(self, held: Sequence[Followed]) -> None:
        if self._resumed_at or not all(each.state == State.WAITING for each in held):
            return
        self._waits_since = self._waits_since or time.monotonic()
        if time.monotonic() > self._waits_since + PAUSE_S:
            self._resumed_at = time.time()
            steer_target(self._access, self._targets.origin("paused"), "", "resume", NAME)
            self._say("You resume `paused`: what waited for it is delivered now.")

    def _send_again(self, failed: Sequence[Followed]) -> None:
        if self._job or not all(each.state == State.DEAD for each in failed):
            return
        self._targets.mend()
        filter = Filter(reason="http_422", target=self._targets.origin("broken"))
        order = RequeueRequest(NAME, "the environment exists now", rate=0, canary=CANARY)
        self._job = start_job(self._access, select(self._access, filter), order).id
        self._say(f"You mend `broken` and send its {len(failed)} dead letters again: {CANARY} first, as a canary.")

    def _decide(self, unknown: Sequence[Followed]) -> None:
        if self._decided or not all(each.state == State.UNKNOWN for each in unknown):
            return
        self._decided = True
        for each in unknown:
            ((_, outcome),) = requeue(
                self._access, [(each.id, None)], RequeueRequest(NAME, "looked at the target: it had not run")
            )
            if outcome in REQUEUED:
                self._say(f"You decide about the unknown outcome of {each.id}: it had not run, so it is sent again.")

    def _limit(self, limited: Sequence[Followed]) -> Watched:
        at = self._arrivals("limited")
        letters = self._access.invocations.read([each.id for each in limited])
        accepted = [letter.accepted_ms / 1000 for letter in letters]
        # Not from the first arrival: that may be on its way for longer than the last, as the worker has just come up.
        since = min(accepted, default=0.0)
        early = [number for number, each in enumerate(at) if each < since + 0.95 * number / LIMITED_RATE]
        seen = (
            f"{len(at)} within {at[-1] - since:.1f} s of being accepted, {len(early)} of them early" if at else "none"
        )
        return Watched(f"`limited` gets at most {LIMITED_RATE}/s", seen, bool(at) and bool(accepted) and not early)

    def _retry_after(self) -> Watched:
        at = self._arrivals("throttling")
        waited_s = at[1] - at[0] if len(at) > 1 else 0.0
        return Watched("`throttling` is asked again after its Retry-After of 1 s", f"{waited_s:.1f} s", waited_s >= 1)

    def _breaker(self) -> Watched:
        opened = move_counts(self._access.ledger)["breaker_opened"]
        lines = self._access.targets.statuses([self._targets.origin("flapping")])
        still = [line.breaker for line in lines if line.breaker in (BreakerStatus.OPEN, BreakerStatus.HALF_OPEN)]
        seen = f"opened {opened} times, {'still open' if still else 'let go after a probe that was answered'}"
        return Watched("the breaker of `flapping` opens, and lets go when it is well", seen, opened > 0 and not still)

    def _pause(self) -> Watched:
        at = self._arrivals("paused")
        early = [each for each in at if not self._resumed_at or each < self._resumed_at]
        return Watched("`paused` gets nothing before it is resumed", f"{len(early)} came early", not early and bool(at))

    def _canary(self) -> Watched:
        job = self._access.requeue.job(self._job) if self._job else None
        seen = f"{job.state}, {job.counts}" if job else "never started"
        return Watched("the requeue ends, behind its canary", seen, job is not None and job.state == JobState.DONE)

    def _arrivals(self, target: str) -> list[float]:
        return [each.at for each in self._targets.received() if each.target == target]


def of(followed: Sequence[Followed], target: str) -> list[Followed]:
    """Those for one sample target."""
    return [each for each in followed if each.case.title.endswith(f"→ {target}")]
