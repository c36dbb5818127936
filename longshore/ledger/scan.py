"""Going through what has ended, newest first, in steps that hold Redis for a few ms each and skip nothing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import redis

from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.scripts import Script
from longshore.ledger.states import FAILED_STATES, State

SCAN_COUNT = 1_000
"""Records one step looks at."""

Cursor = tuple[int, bytes]
"""Where a letter stands among all: when it ended (ms), then its id."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; an empty value means any."""

    states: tuple[State, ...] = FAILED_STATES
    reason: str = ""
    target: str = ""
    lane: str = ""
    """A lane, or the action alone."""
    kind: str = ""
    since_ms: int = 0
    until_ms: int = 0
    text: str = field(default="", repr=False)
    """Part of the run id, or of what the attempts say. Looked for in what is sealed, so not by `FailedScan`."""
    run: str = ""
    """Port's run id."""

    def json(self) -> bytes:
        """For the script: field of the record → the value it must have."""
        named = {
            "reason": self.reason, "target": self.target, "action": self.lane, "kind": self.kind, "run": self.run,
        }  # fmt: skip
        fields = {name: value for name, value in named.items() if value}
        # Lua's JSON knows no half characters; as bytes they pass.
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class ScanPage:
    """What one look has found."""

    places: list[Cursor]
    """Of those that fit, as many as were wanted."""
    reasons: dict[str, int]
    """Reason → how many fit."""
    records: list[list[str]]
    """The fields that were asked for, of each of `places`; empty for what a record does not have."""

    def behind(self, after: Cursor) -> "ScanPage":
        """Without what does not lie behind `after`: it comes again when the one the last step ended with has left."""
        if not self.places or self.places[0] < after:
            return self
        stay = [place < after for place in self.places]
        return replace(self, places=list(compress(self.places, stay)), records=list(compress(self.records, stay)))


class FailedScan:
    """Reads steps. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys) -> None:
        self._redis = client
        self._prefix = keys.prefix
        self._script = Script.named("scan")

    def steps(
        self, state: State, wanted: Filter, want: int = 0, after: Cursor | None = None, fields: tuple[str, ...] = ()
    ) -> Iterator[ScanPage]:
        """Of `state`, what `wanted` takes behind `after`, at most `want` a step; 0 only counts.

        What leaves meanwhile makes it skip nothing.
        """
        filter = wanted.json()
        since: int | str = wanted.since_ms or "-inf"
        start: _Start = after or (wanted.until_ms or "+inf", b"")
        # The last place that was looked at, of all steps. A step goes on behind the id that the step before ended with.
        # If that has left by then, the script begins at its ms again, and what else ended in that ms comes a second
        # time: it is newer than this place, or the place itself, so `behind` drops it, and nothing is skipped.
        looked_at = after
        while True:
            step, last = self._step(state, since, start, want, filter, fields)
            yield step if looked_at is None else step.behind(looked_at)
            if last is None:
                return
            start = last
            # Not simply `last`: a step that began at a ms again may have ended before it came to where it was to begin.
            looked_at = last if looked_at is None else min(looked_at, last)

    def _step(
        self, state: State, since: int | str, start: "_Start", want: int, filter: bytes, fields: tuple[str, ...]
    ) -> tuple[ScanPage, Cursor | None]:
        """One call of the script, from `start` on; also the last place it looked at, None once there are no more."""
        with reaching_store():
            places, reasons, last, records = self._script.run(
                self._redis.execute_command,
                self._prefix,
                *("{}", state, since, *start, SCAN_COUNT, want, filter),
                *fields,
            )
        step = ScanPage(
            [(int(score), id) for id, score in _pairs(places)],
            {reason.decode(): count for reason, count in _pairs(reasons)},
            [[value or "" for value in record] for record in json.loads(records.decode("utf-8", "surrogatepass"))],
        )
        return step, (int(last[0]), last[1]) if last else None


_Start = tuple[int | str, bytes]
"""Where a step begins: a time (ms, or `+inf`), and behind which id of it; an empty one begins with that time."""


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """A flat answer of Redis, by twos."""
    return zip(flat[::2], flat[1::2], strict=True)
