"""Reading what has ended: dead letters and unknown outcomes, found by what stands in clear, opened one by one."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from longshore.store import scripts
from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.store.seal import Sealer, Unsealable

PAGE = 500
"""Records read in one round trip: a few ms of Redis's time."""

FIELDS = (
    "run",
    "kind",
    "state",
    "reason",
    "target",
    "lane",
    "status",
    "attempts",
    "generation",
    "origin",
    "published",
    "accepted",
    "ended",
    "mapping",
    "closed",
    "synchronized",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One invocation as the ledger has it, in clear. Times in ms since 1970, 0 where there is none."""

    id: str
    run: str
    kind: str
    state: str
    reason: str
    target: str
    lane: str
    status: int | None
    attempts: int
    generation: int
    origin: str
    published_ms: int
    accepted_ms: int
    ended_ms: int
    mapping: str
    closed: bool
    """Whether Port's run has ended, so that only its log can still be written."""
    synchronized: bool

    @property
    def action(self) -> str:
        """The action of its lane."""
        return self.lane.removeprefix(self.target)[1:]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; an empty value means any."""

    states: tuple[str, ...] = ("dead", "unknown")
    reason: str = ""
    target: str = ""
    lane: str = ""
    kind: str = ""
    since_ms: int = 0
    until_ms: int = 0
    text: str = field(default="", repr=False)
    """Part of the run id, or of what the attempts say."""

    def takes(self, letter: Letter) -> bool:
        """Whether what stands in clear fits; `text` is looked for separately."""
        return (
            letter.state in self.states
            and self.reason in ("", letter.reason)
            and self.target in ("", letter.target)
            and self.lane in ("", letter.lane, letter.action)
            and self.kind in ("", letter.kind)
        )


class Letters:
    """Finds and opens letters. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, sealer: Sealer) -> None:
        self._redis = client
        self._keys = keys
        self._sealer = sealer
        self._purge = client.register_script(scripts.assemble("purge"))

    def find(self, wanted: Filter) -> Iterator[Letter]:
        """The letters that `wanted` takes, newest first. Reads pages, so that any number can be gone through."""
        for state in wanted.states:
            for ids in self._pages(state, wanted):
                for letter in self._read(ids):
                    if wanted.takes(letter) and (not wanted.text or self.mentions(letter, wanted.text)):
                        yield letter

    def get(self, id: str) -> Letter | None:
        """One invocation by its id in the ledger, whatever its state."""
        return next(iter(self._read([id])), None)

    def read(self, ids: Sequence[str]) -> list[Letter]:
        """Those of `ids` that are there, in this order."""
        return list(self._read(ids))

    def by_run(self, run: str) -> list[Letter]:
        """All that the ledger has of Port's run `run`: itself, and what was refused under its name."""
        own = self.get(run)
        others = [one for one in self.find(Filter()) if one.run == run and one.id != run]
        return [own, *others] if own else others

    def count(self, wanted: Filter) -> Counter[tuple[str, str]]:
        """(state, reason) → how many."""
        return Counter((letter.state, letter.reason) for letter in self.find(wanted))

    def history(self, id: str) -> list[dict[str, Any]]:
        """The attempts and requeues of `id`, oldest first. What cannot be opened says so."""
        with reaching_store():
            items: Any = self._redis.lrange(self._keys.attempts(id), 0, -1)
        return [self._opened(item) for item in items]

    def payload(self, id: str) -> str | None:
        """The message of `id` as accepted (secret inputs still encrypted), or None if it is kept no longer."""
        with reaching_store():
            blob: Any = self._redis.get(self._keys.payload(id))
        if blob is None:
            return None
        return self._sealer.open(blob).decode("utf-8", "surrogatepass")

    def purge(self, ids: Sequence[str]) -> int:
        """Drops dead letters and unknown outcomes for good, nothing else. Returns how many it were."""
        gone = 0
        with reaching_store():
            for id in ids:
                gone += self._purge(keys=[self._keys.prefix], args=["", id.encode("utf-8", "surrogatepass")])
        return gone

    def _pages(self, state: str, wanted: Filter) -> Iterator[list[str]]:
        key = self._keys.dead if state == "dead" else self._keys.unknown
        low, high = wanted.since_ms or "-inf", wanted.until_ms or "+inf"
        start = 0
        while True:
            with reaching_store():
                ids: Any = self._redis.zrevrangebyscore(key, high, low, start, PAGE)
            if not ids:
                return
            yield [id.decode("utf-8", "surrogatepass") for id in ids]
            start += len(ids)

    def _read(self, ids: Sequence[str]) -> Iterator[Letter]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hmget(self._keys.invocation(id), FIELDS)
        with reaching_store():
            rows = pipe.execute()
        for id, row in zip(ids, rows, strict=True):
            values = {
                name: (value or b"").decode("utf-8", "surrogatepass") for name, value in zip(FIELDS, row, strict=True)
            }
            if values["state"]:
                yield _letter(id, values)

    def mentions(self, letter: Letter, text: str) -> bool:
        """Whether the run id of `letter`, or what its attempts say, holds `text`; an empty one it does."""
        return text in letter.run or any(
            text in json.dumps(entry, ensure_ascii=False) for entry in self.history(letter.id)
        )

    def _opened(self, item: bytes) -> dict[str, Any]:
        try:
            opened: dict[str, Any] = json.loads(self._sealer.open(item))
        except (Unsealable, ValueError) as error:
            return {"unreadable": str(error)}
        return opened


def _letter(id: str, values: dict[str, str]) -> Letter:
    return Letter(
        id=id,
        run=values["run"],
        kind=values["kind"],
        state=values["state"],
        reason=values["reason"],
        target=values["target"],
        lane=values["lane"],
        status=int(values["status"]) if values["status"] else None,
        attempts=int(values["attempts"] or 0),
        generation=int(values["generation"] or 1),
        origin=values["origin"],
        published_ms=int(values["published"] or 0),
        accepted_ms=int(values["accepted"] or 0),
        ended_ms=int(values["ended"] or 0),
        mapping=values["mapping"],
        closed=values["closed"] == "1",
        synchronized=values["synchronized"] == "1",
    )
