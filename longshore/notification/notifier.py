"""Tells people what needs them. Runs in every program of the fleet; one of them at a time has the lease and sends.

Each destination has its progress in Redis: up to when failures were told, and which conditions. It is noted after a
message was taken, so a crash in between repeats one message and loses nothing. Failures are found by when they ended:
what ends after the lease was taken has a later time, as Redis's clock never goes back in the ledger.
"""

import os
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longshore.ledger.failure_groups import FailureGroups, read_failures
from longshore.ledger.fleet_snapshot import FleetSnapshot, take_snapshot
from longshore.ledger.ledger import Ledger
from longshore.ledger.notification_lease import Notes, NotificationLease
from longshore.ledger.states import State
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.notification.conditions import SINCE, Condition, ConditionClock, find_conditions
from longshore.notification.destinations import Destination, UnusableUrl
from longshore.notification.kinds import FAILED_STATES, Kind
from longshore.notification.news import compile_news
from longshore.notification.progress import Progress
from longshore.notification.wording import compose
from longshore.periodic import Periodic
from longshore.telemetry.metrics import NOTIFICATIONS

log = EventLog(__name__)

TURN_S = 10.0
"""Between two looks at the fleet, at most."""
SEND_S = 20.0
"""How long a service may take for a message."""
LEASE_S = SEND_S + 4 * TURN_S
MAX_IDS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is told, to whom, and how often."""

    urls: Sequence[str]
    kinds: frozenset[Kind]
    interval_s: float
    silence_s: float
    breaker_s: float
    agent: str
    """The name by which people know this agent."""
    flower_url: str = ""

    def __repr__(self) -> str:
        return f"Plan({len(self.urls)} URLs)"


class Notifier:
    """Looks at the fleet every few seconds, if no other process does, and sends what is new."""

    def __init__(self, ledger: Ledger, plan: Plan, reads: Callable[[], bool], process: str = "") -> None:
        """`reads`: whether this process is an ingest that can read. `process` is a name that no other process has."""
        self._ledger = ledger
        self._plan = plan
        self._reads = reads
        self._lease = NotificationLease(
            ledger, process or f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:6]}", LEASE_S
        )
        self._destinations: list[Destination | None] | None = None
        for outcome in ("sent", "failed"):
            NOTIFICATIONS.labels(outcome)  # from 0 on: an increase is only seen after a first value
        self._loop = Periodic("notifications", min(TURN_S, plan.interval_s / 2), self.step)
        self.start, self.stop = self._loop.start, self._loop.stop

    def step(self) -> None:
        """One look. Raises `StoreUnavailable`."""
        notes = self._lease.take(reads=self._reads())
        if notes is None:
            return
        fleet = take_snapshot(self._ledger)
        plan = self._plan
        holding = {each.name: each for each in find_conditions(fleet, notes.read_ms, plan.silence_s, plan.breaker_s)}
        clock = ConditionClock(notes)
        if (since := clock.update(holding)) is not None:
            self._lease.note(SINCE, since)
        conditions = [each for each in holding.values() if each.kind in plan.kinds and clock.is_due(each)]
        remaining = {*holding, *_kinds_with_failures(fleet)}
        for number, destination in enumerate(self._load_destinations()):
            if destination is not None:
                self._tell(f"progress:{number}", destination, notes, conditions, remaining)

    def _tell(
        self,
        field: str,
        destination: Destination,
        notes: Notes,
        conditions: Sequence[Condition],
        remaining: set[str],
    ) -> None:
        now_ms, interval_s = notes.now_ms, self._plan.interval_s
        until_ms = now_ms - 1  # in this millisecond more may fail yet
        progress = Progress.parse(notes.fields.get(field, ""))
        if progress is None:
            # What had failed before anybody was to be told is no news.
            self._lease.note(field, Progress(until_ms).dump())
            return
        if now_ms < progress.next_ms:
            return
        news, now_open = compile_news(progress, self._read_failures(progress.told_ms, until_ms), conditions, remaining)
        attempt = progress.before_sending(now_ms, interval_s)
        if not news or not self._lease.note(field, attempt.dump()):
            return
        title, body = compose(news, self._plan.agent, self._plan.flower_url)
        error = destination.send(title, body, SEND_S, good=news.is_good)
        self._loop.turn()  # however many destinations hang
        NOTIFICATIONS.labels("failed" if error else "sent").inc()
        if error:
            again_in_s = (attempt.next_ms - now_ms) / 1000
            log.event(events.NOTIFICATION_FAILED, destination=destination.name, error=error, again_in_s=again_in_s)
            return
        self._lease.note(field, progress.after_sending(until_ms, now_ms, now_open, interval_s).dump())
        log.event(events.NOTIFICATION_SENT, destination=destination.name, title=title)

    def _read_failures(self, after_ms: int, until_ms: int) -> list[FailureGroups]:
        states = [state for kind, state in FAILED_STATES.items() if kind in self._plan.kinds]
        groups = (read_failures(self._ledger, state, after_ms, until_ms, MAX_IDS) for state in states)
        return [each for each in groups if each.counts]

    def _load_destinations(self) -> list[Destination | None]:
        """Once, and only in a process that is to send: each takes what apprise takes."""
        if self._destinations is None:
            self._destinations = [_load(url, position) for position, url in enumerate(self._plan.urls, 1)]
        return self._destinations


def _load(url: str, position: int) -> Destination | None:
    try:
        return Destination(url)
    except UnusableUrl as error:
        log.event(events.NOTIFICATION_URL_REJECTED, position=position, error=str(error))
        return None


def _kinds_with_failures(fleet: FleetSnapshot) -> set[str]:
    counts = {State.DEAD: fleet.dead, State.UNKNOWN: fleet.unknown}
    return {kind for kind, state in FAILED_STATES.items() if counts[state]}
