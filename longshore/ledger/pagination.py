"""Dead letters and unknown outcomes by the page, newest first: a page costs the same however many there are."""

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

TEXT_BUDGET_S = 1.5
"""How long one page may search in texts, which must be opened one by one; the next page goes on from there."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters, and where to go on."""

    letters: list[InvocationRecord]
    after: str
    """For the next page; empty if this is the last one."""
    cut_short: bool = False
    """Whether the search in texts ran out of time before the page was full."""


class PageReader:
    """Reads pages. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, letters: InvocationReader) -> None:
        self._letters = letters
        self._sift = FailedScan(client, keys)

    def page(self, wanted: Filter, after: str = "", size: int = 50) -> Page:
        """At most `size` letters behind `after`; dead letters and unknown outcomes in one order of time."""
        deadline = time.monotonic() + TEXT_BUDGET_S
        start = _place(after)
        found: list[InvocationRecord] = []
        at = start
        places = self._places(wanted, start, size + 1)
        while batch := list(islice(places, size + 1)):
            letters = self._read(batch, wanted.text)
            for place in batch:
                if len(found) == size:
                    return Page(found, _text(at))
                at = place
                if (letter := letters.get(_id(place[1]))) is not None:
                    found.append(letter)
            if wanted.text and time.monotonic() > deadline:
                return Page(found, _text(at), cut_short=len(found) < size)
        return Page(found, "")

    def _read(self, places: list[Cursor], text: str) -> dict[str, InvocationRecord]:
        letters = self._letters.read([_id(id) for _, id in places])
        return {letter.id: letter for letter in self._letters.mentioning(letters, text)}

    def _places(self, wanted: Filter, after: Cursor | None, size: int) -> Iterator[Cursor]:
        each = [self._state(state, wanted, after, size) for state in wanted.states]
        return heapq.merge(*each, reverse=True)

    def _state(self, state: State, wanted: Filter, after: Cursor | None, size: int) -> Iterator[Cursor]:
        for step in self._sift.steps(state, wanted, size, after):
            yield from step.places


def _place(text: str) -> Cursor | None:
    ms, _, id = text.partition("-")
    return (int(ms), id.encode("utf-8", "surrogatepass")) if ms.isdecimal() and ms.isascii() and id else None


def _text(place: Cursor | None) -> str:
    return f"{place[0]}-{_id(place[1])}" if place else ""


def _id(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
