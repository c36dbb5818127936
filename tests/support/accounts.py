"""What became of every published invocation: what the ledger says, what the targets saw, what Port heard.

Looks at all three from outside and compares; the rules of what may differ are the properties of `Account`.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from longshore.invocation.kinds import Kind
from longshore.ledger.keys import Keys
from longshore.ledger.states import FINAL_STATES, State
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_port_runs import FakeRun
from longshore.sandbox.fake_targets import Behavior, FakeTargets
from tests.support.load import Sent
from tests.support.moved_target import MovedTarget

WORKER_LOST = "worker_lost"
POISON = "poison"


@dataclass(frozen=True, slots=True)
class Account:
    """One invocation."""

    sent: Sent
    state: str
    """The ledger's, empty if it has no record."""
    reason: str
    attempts: int
    """Attempts that began."""
    ended: int
    """Attempts whose end the ledger knows."""
    arrivals: int
    """Requests that reached the target."""
    reached: int
    """Requests that reached the first address, from which a redirect may lead to the target."""
    needed: int
    """Requests that a target of this sort wants before it takes one; 0 for those that never do."""
    port_state: str
    closings: int
    """How often Port was told that the run has ended."""

    @property
    def lost(self) -> bool:
        """Whether it has no final state, or is called delivered though the target never had it."""
        return self.state not in FINAL_STATES or (self.state == State.DONE and self.arrivals < self.needed)

    @property
    def cut_off(self) -> int:
        """Attempts whose end nobody knows: their worker was killed."""
        return self.attempts - self.ended

    @property
    def unsent(self) -> int:
        """Attempts that began and of which nothing was sent, as their worker was killed before.

        0 where nobody listens: there it is not to be seen.
        """
        return 0 if self.sent.target == "dead" else max(0, min(self.cut_off, self.attempts - self.reached))

    @property
    def repeats(self) -> int:
        """Requests that came to the target though it had taken the invocation already."""
        return max(0, self.arrivals - self.needed) if self.needed else 0

    def problems(self) -> list[str]:
        """What must not be, whatever was broken."""
        found = []
        if self.lost:
            found.append(f"lost: {self.state or 'no record'}, {self.arrivals} requests")
        if self.state in (State.DEAD, State.UNKNOWN) and not self.reason:
            found.append(f"{self.state} without a reason")
        if self.arrivals > self.attempts:
            found.append(f"{self.arrivals} requests in {self.attempts} attempts")
        return [f"{self.sent.id} → {self.sent.target}: {problem}" for problem in found + self._wrong_reports()]

    def natural_end(self) -> tuple[str, str]:
        """State and reason to which its target leads when nothing else happens."""
        match self.sent.target:
            case "not_found":
                return State.DEAD, "http_404"
            case "dead":
                return State.DEAD, "connect_refused"
            case "gateway":
                return State.UNKNOWN, "http_502"
            case "hanging":
                return State.UNKNOWN, "read_timeout"
        return State.DONE, "delivered"

    def _wrong_reports(self) -> list[str]:
        if self.sent.kind is Kind.CHANGE_LOG or self.lost:
            return []
        ends = self.sent.synchronized or self.state == State.DEAD
        expected = "IN_PROGRESS" if not ends else "SUCCESS" if self.state == State.DONE else "FAILURE"
        if (self.port_state, self.closings) == (expected, int(ends)):
            return []
        return [f"{self.state}, but Port has {self.port_state or 'nothing'}, closed {self.closings} times"]


class Accounts:
    """Looks invocations up. Raises `redis.ConnectionError` and the like while Redis is away."""

    def __init__(
        self,
        redis_url: str,
        namespace: str,
        targets: FakeTargets,
        moved: MovedTarget,
        port: FakePort,
        behavior: Behavior,
    ) -> None:
        self.redis = redis.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )
        self.keys = Keys.of(namespace)
        self._targets = targets
        self._moved = moved
        self._port = port
        self._needed = {
            "good": 1,
            "slow": 1,
            "moved": 1,
            "flaky": behavior.failures + 1,
            "throttling": behavior.refusals + 1,
        }

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()

    def of(self, sent: Sequence[Sent]) -> list[Account]:
        """The accounts of these, as of now."""
        arrivals, runs = self._targets.attempts() | self._moved.arrivals(), self._port.runs
        redirects = self._moved.redirects()
        records = self._fields([each.id for each in sent], "state", "reason", "attempts")
        with self.redis.pipeline(transaction=False) as pipe:
            for each in sent:
                pipe.llen(self.keys.attempts(each.id))
            ended = pipe.execute()
        return [
            Account(
                sent=each,
                state=state or "",
                reason=reason or "",
                attempts=int(attempts or 0),
                ended=int(known),
                arrivals=arrivals.get(each.id, 0),
                reached=(redirects if each.target == "moved" else arrivals).get(each.id, 0),
                needed=self._needed.get(each.target, 0),
                port_state=run.state if (run := runs.get(each.run)) else "",
                closings=_closings(run) if run else 0,
            )
            for each, (state, reason, attempts), known in zip(sent, records, ended, strict=True)
        ]

    def unfinished(self, sent: Sequence[Sent]) -> list[Sent]:
        """Those that have no final state yet."""
        states = self._fields([each.id for each in sent], "state")
        return [each for each, (state,) in zip(sent, states, strict=True) if state not in FINAL_STATES]

    def missing(self, sent: Sequence[Sent]) -> list[Sent]:
        """Those of which the ledger has no record."""
        states = self._fields([each.id for each in sent], "state")
        return [each for each, (state,) in zip(sent, states, strict=True) if state is None]

    def leased(self) -> dict[str, tuple[str, int]]:
        """What is claimed or begun now: id → state and token."""
        ids: Any = self.redis.zrange(self.keys.leases, 0, -1)
        rows = self._fields(ids, "state", "token")
        return {id: (state or "", int(token)) for id, (state, token) in zip(ids, rows, strict=True) if token}

    def still_leased(self, before: Mapping[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        """Those of `before` that have neither ended nor been handed out anew since."""
        rows = self._fields(list(before), "state", "token")
        return {
            id: (state, token)
            for (id, (state, token)), (now, newest) in zip(before.items(), rows, strict=True)
            if now not in FINAL_STATES and int(newest or 0) <= token
        }

    def reports_left(self) -> int:
        """Invocations of which Port is still to hear something."""
        waiting: Any = self.redis.zcard(self.keys.outbox)
        leased: Any = self.redis.zcard(self.keys.outbox_leases)
        return int(waiting) + int(leased)

    def counts(self) -> dict[str, int]:
        """The ledger's own counters."""
        values: Any = self.redis.hgetall(self.keys.counts)
        return {name: int(number) for name, number in values.items()}

    def imbalances(self) -> list[str]:
        """What does not add up in the ledger although everything has ended: places still taken, offsets unaccounted."""
        leased: Any = self.redis.zrange(self.keys.leases, 0, -1)
        busy: list[Any] = [self.redis.hkeys(self.keys.target_busy), self.redis.hkeys(self.keys.lane_busy)]
        found = [f"still taken: {name}" for name in [*leased, *busy[0], *busy[1]]]
        if backlog := self.counts().get("backlog", 0):
            found.append(f"a backlog of {backlog}")
        for key in self.redis.scan_iter(match=glob.escape(self.keys.partition("", ""))[:-1] + "*"):
            values: Any = self.redis.hgetall(key)
            counts = {name: int(number) for name, number in values.items() if name != "next"}
            read = counts.pop("read", 0)
            if read != sum(counts.values()):
                found.append(f"{key}: read {read}, but {counts}")
        return found

    def _fields(self, ids: Iterable[str], *names: str) -> list[list[str | None]]:
        with self.redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self.keys.invocation(id), *names)
            rows: list[list[str | None]] = pipe.execute()
        return rows


def _closings(run: FakeRun) -> int:
    return sum(
        name == "node_status" or body.get("status") in ("SUCCESS", "FAILURE") or "terminationStatus" in body
        for name, body in run.changes
    )
