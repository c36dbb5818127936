"""Dead letters and unknown outcomes by the page, newest first: a page costs the same however many there are."""

import heapq
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import redis

from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.store.letters import Filter, Letter, Letters
from longshore.store.scripts import assemble

LOOK = 2_000
"""Records one step looks at."""

TEXT_BUDGET_S = 1.5
"""How long one page may search in texts, which must be opened one by one; the next page goes on from there."""

Place = tuple[int, bytes]
"""Where a letter stands among all: when it ended (ms), then its id."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters, and where to go on."""

    letters: list[Letter]
    after: str
    """For the next page; empty if this is the last one."""
    cut_short: bool = False
    """Whether the search in texts ran out of time before the page was full."""


class Pages:
    """Reads pages and counts. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, letters: Letters) -> None:
        self._keys = keys
        self._letters = letters
        self._sift = client.register_script(assemble("sift"))

    def page(self, wanted: Filter, after: str = "", size: int = 50) -> Page:
        """At most `size` letters behind `after`; dead letters and unknown outcomes in one order of time."""
        deadline = time.monotonic() + TEXT_BUDGET_S
        start = _place(after)
        found: list[Letter] = []
        at = start
        places = self._places(wanted, start, size + 1)
        while batch := list(islice(places, size + 1)):
            letters = {letter.id: letter for letter in self._letters.read([_id(id) for _, id in batch])}
            for place in batch:
                letter = letters.get(_id(place[1]))
                if len(found) == size:
                    return Page(found, _text(at))
                at = place
                if letter is not None and self._letters.mentions(letter, wanted.text):
                    found.append(letter)
                if wanted.text and time.monotonic() > deadline:
                    return Page(found, _text(at), cut_short=len(found) < size)
        return Page(found, "")

    def count(self, wanted: Filter) -> Counter[tuple[str, str]]:
        """(state, reason) → how many, by what stands in clear: `wanted.text` is not looked for."""
        counts: Counter[tuple[str, str]] = Counter()
        for state in wanted.states:
            for _, counted in self._steps(state, wanted, None, 0):
                for reason, count in zip(counted[::2], counted[1::2], strict=True):
                    counts[state, reason.decode()] += count
        return counts

    def of_run(self, run: str, everywhere: bool = True) -> list[Letter]:
        """What ended under Port's run id `run`, whatever its id in the ledger; else only among the newest."""
        places = chain.from_iterable(
            self._state(state, Filter(), None, LOOK, {"run": run}, everywhere) for state in Filter().states
        )
        return self._letters.read([_id(id) for _, id in islice(places, 20)])

    def _places(self, wanted: Filter, after: Place | None, size: int) -> Iterator[Place]:
        each = [self._state(state, wanted, after, size) for state in wanted.states]
        return heapq.merge(*each, reverse=True)

    def _state(
        self,
        state: str,
        wanted: Filter,
        after: Place | None,
        size: int,
        more: dict[str, str] | None = None,
        everywhere: bool = True,
    ) -> Iterator[Place]:
        for found, _ in self._steps(state, wanted, after, size, more):
            for id, score in zip(found[::2], found[1::2], strict=True):
                place = int(score), id
                if after is None or place < after:
                    yield place
            if not everywhere:
                return

    def _steps(
        self, state: str, wanted: Filter, after: Place | None, want: int, more: dict[str, str] | None = None
    ) -> Iterator[tuple[list[bytes], list[Any]]]:
        named = {"reason": wanted.reason, "target": wanted.target, "action": wanted.lane, "kind": wanted.kind}
        fields = {name: value for name, value in named.items() if value} | (more or {})
        # Lua's JSON knows no half characters; as bytes they pass.
        filter = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
        since, until = wanted.since_ms or "-inf", wanted.until_ms or "+inf"
        score: int | str | bytes = until
        id = b""
        if after is not None:
            score, id = after
        while True:
            with reaching_store():
                found, counted, last = self._sift(
                    keys=[self._keys.prefix], args=["{}", state, since, score, id, LOOK, want, filter]
                )
            yield found, counted
            if not last:
                return
            score, id = last


def _place(text: str) -> Place | None:
    ms, _, id = text.partition("-")
    return (int(ms), id.encode("utf-8", "surrogatepass")) if ms.isdecimal() and ms.isascii() and id else None


def _text(place: Place | None) -> str:
    return f"{place[0]}-{_id(place[1])}" if place else ""


def _id(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
