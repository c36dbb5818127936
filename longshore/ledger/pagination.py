"""Pages of dead letters and unknown outcomes, newest first: a page costs the same however many there are."""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import redis

from longshore.ledger.invocations import InvocationReader, InvocationRecord
from longshore.ledger.keys import Keys
from longshore.ledger.scan import Cursor, FailedScan, Filter
from longshore.ledger.states import State
from longshore.ledger.text import decode, encode

TEXT_BUDGET_S = 1.5
"""For so long one page may search in histories, which are opened one by one; the next page goes on from there."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some failed invocations, and where to go on."""

    records: list[InvocationRecord]
    after: str
    """For the next page; empty if this is the last one."""
    timed_out: bool = False
    """Whether the search in histories ran out of time before the page was full."""


class PageReader:
    """Reads pages. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, invocations: InvocationReader) -> None:
        self._invocations = invocations
        self._scan = FailedScan(client, keys)

    def page(self, filter: Filter, after: str = "", size: int = 50) -> Page:
        """At most `size` invocations behind `after`; dead letters and unknown outcomes in one order of time."""
        deadline = time.monotonic() + TEXT_BUDGET_S
        position = _parse_cursor(after)
        page: list[InvocationRecord] = []
        cursors = self._cursors(filter, position, size + 1)
        # One more than the page holds: it tells whether there is a next page.
        while batch := list(islice(cursors, size + 1)):
            records = self._read(batch, filter.text)
            for cursor in batch:
                if len(page) == size:
                    return Page(page, _format_cursor(position))
                position = cursor
                if (record := records.get(decode(cursor[1]))) is not None:
                    page.append(record)
            if filter.text and time.monotonic() > deadline:
                return Page(page, _format_cursor(position), timed_out=len(page) < size)
        return Page(page, "")

    def _read(self, cursors: list[Cursor], text: str) -> dict[str, InvocationRecord]:
        records = self._invocations.read([decode(id) for _, id in cursors])
        return {record.id: record for record in self._invocations.matching_text(records, text)}

    def _cursors(self, filter: Filter, after: Cursor | None, size: int) -> Iterator[Cursor]:
        states = [self._cursors_of(state, filter, after, size) for state in filter.states]
        return heapq.merge(*states, reverse=True)

    def _cursors_of(self, state: State, filter: Filter, after: Cursor | None, size: int) -> Iterator[Cursor]:
        for page in self._scan.pages(state, filter, size, after):
            yield from page.cursors


def _parse_cursor(text: str) -> Cursor | None:
    ms, _, id = text.partition("-")
    return (int(ms), encode(id)) if ms.isdecimal() and ms.isascii() and id else None


def _format_cursor(cursor: Cursor | None) -> str:
    return f"{cursor[0]}-{decode(cursor[1])}" if cursor else ""
