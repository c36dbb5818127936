"""Scans failed invocations, newest first, in pages that hold Redis for a few ms each, and skips none."""

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
from longshore.ledger.text import decode, encode, number

SCAN_COUNT = 1_000
"""Records that one page looks at."""

Cursor = tuple[int, bytes]
"""Position of a failed invocation among all: when it ended (ms), then its id."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which failed invocations are meant; an empty value means any."""

    states: tuple[State, ...] = FAILED_STATES
    reason: str = ""
    target: str = ""
    lane: str = ""
    """A lane, or the action alone."""
    kind: str = ""
    since_ms: int = 0
    until_ms: int = 0
    text: str = field(default="", repr=False)
    """Part of the run id or the history, which is sealed: so not matched by `FailedScan` but `InvocationReader`."""
    run: str = ""
    """Port's run id."""

    def to_json(self) -> bytes:
        """For the script: field of the record → the value it must have."""
        values = {
            "reason": self.reason, "target": self.target, "action": self.lane, "kind": self.kind, "run": self.run,
        }  # fmt: skip
        fields = {name: value for name, value in values.items() if value}
        # Lua's JSON takes no escaped lone surrogates; as bytes they pass.
        return encode(json.dumps(fields, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class ScanPage:
    """One page of a scan."""

    cursors: list[Cursor]
    """Of the matches, at most as many as the page may have."""
    reasons: dict[str, int]
    """Reason → how many match."""
    records: list[list[str]]
    """The requested fields of each match; empty for a field that a record does not have."""

    def behind(self, after: Cursor) -> "ScanPage":
        """Without what is not behind `after`: that comes a second time when the last id of the page before has left."""
        if not self.cursors or self.cursors[0] < after:
            return self
        is_behind = [cursor < after for cursor in self.cursors]
        cursors, records = compress(self.cursors, is_behind), compress(self.records, is_behind)
        return replace(self, cursors=list(cursors), records=list(records))


class FailedScan:
    """Reads pages. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys) -> None:
        self._redis = client
        self._prefix = keys.prefix
        self._script = Script.get("scan")

    def pages(
        self, state: State, filter: Filter, size: int = 0, after: Cursor | None = None, fields: tuple[str, ...] = ()
    ) -> Iterator[ScanPage]:
        """Of `state`, what matches `filter` behind `after`, with its `fields`; at most `size` a page, 0 only counts.

        Invocations that leave the state meanwhile make it skip none.
        """
        start: _Start = after or (filter.until_ms or "+inf", b"")
        # The last position of all pages so far. A page goes on behind the id that the page before ended with. If that
        # id has left by then, the script starts again at its ms, and what else ended in that ms comes a second time:
        # it is newer than this position, or the position itself, so `behind` drops it, and nothing is skipped.
        position = after
        while True:
            page, last = self._page(state, filter, start, size, fields)
            yield page if position is None else page.behind(position)
            if last is None:
                return
            start = last
            # Not simply `last`: a page that started at a ms again may end before it reaches where it was to start.
            position = last if position is None else min(position, last)

    def _page(
        self, state: State, filter: Filter, start: "_Start", size: int, fields: tuple[str, ...]
    ) -> tuple[ScanPage, Cursor | None]:
        """One call of the script, from `start` on; also the last position it looked at, None at the end."""
        with reaching_store():
            matches, reasons, last, records = self._script.run(
                self._redis.execute_command,
                self._prefix,
                *("", state, filter.since_ms or "-inf", *start, SCAN_COUNT, size, filter.to_json()),
                *fields,
            )
        page = ScanPage(
            [(number(score), id) for id, score in _pairs(matches)],
            {decode(reason): count for reason, count in _pairs(reasons)},
            [[value or "" for value in record] for record in json.loads(decode(records))],
        )
        return page, (number(last[0]), last[1]) if last else None


_Start = tuple[int | str, bytes]
"""Where a page starts: a time (ms, or `+inf`), and the id behind which to go on; empty: from that time on."""


def _pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """A flat answer of Redis, by twos."""
    return zip(flat[::2], flat[1::2], strict=True)
