"""Reading what has ended: dead letters and unknown outcomes, found by what stands in clear, opened one by one."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import redis

from longshore.ledger import record
from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.scan import FailedScan, Filter
from longshore.ledger.scripts import Script
from longshore.ledger.seal import Bond, Foreign, Sealer, Unsealable
from longshore.ledger.states import State

BATCH = 500
"""Records read, or dropped, in one round trip: a few ms of Redis's time."""

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
    "format",
)


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """One invocation as the ledger has it, in clear. Times in ms since 1970, 0 where there is none."""

    id: str
    run: str
    kind: str
    state: State
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
    format: int = 1

    @property
    def action(self) -> str:
        """The action of its lane."""
        return self.lane.removeprefix(self.target)[1:]

    def as_dict(self) -> dict[str, Any]:
        """By name, at a fifth of what `dataclasses.asdict` costs: exports make 100,000 of them."""
        return dict(zip(_NAMES, _values(self), strict=True))


_NAMES = tuple(field.name for field in fields(InvocationRecord) if field.name != "format")
_values = attrgetter(*_NAMES)


class InvocationReader:
    """Finds and opens letters. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, sealer: Sealer) -> None:
        self._redis = client
        self._keys = keys
        self._sealer = sealer
        self._sift = FailedScan(client, keys)
        self._purge = Script.named("purge")

    def find(self, wanted: Filter, *, newest_only: bool = False) -> Iterator[InvocationRecord]:
        """The letters that `wanted` takes, newest first of each state; any number, a batch at a time.

        With `newest_only` one step is made for each state, so only its newest `SCAN_COUNT` letters are looked at.
        """
        for state in wanted.states:
            steps = self._sift.steps(state, wanted, BATCH, fields=FIELDS)
            for step in islice(steps, 1) if newest_only else steps:
                letters = [
                    _letter(_text(id), dict(zip(FIELDS, record, strict=True)))
                    for (_, id), record in zip(step.places, step.records, strict=True)
                ]
                yield from (letter for letter, _ in self._with_text(letters, wanted.text)) if wanted.text else letters

    def told(self, wanted: Filter) -> Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]:
        """The same, each with its history."""
        letters = self.find(replace(wanted, text=""))
        while batch := list(islice(letters, BATCH)):
            yield from self._with_text(batch, wanted.text)

    def get(self, id: str) -> InvocationRecord | None:
        """One invocation by its id in the ledger, whatever its state."""
        return next(iter(self._read([id])), None)

    def read(self, ids: Sequence[str]) -> list[InvocationRecord]:
        """Those of `ids` that are there, in this order."""
        return list(self._read(ids))

    def count(self, wanted: Filter) -> Counter[tuple[str, str]]:
        """(state, reason) → how many. With a text every letter has to be opened, else none."""
        if wanted.text:
            return Counter((letter.state, letter.reason) for letter in self.find(wanted))
        counts: Counter[tuple[str, str]] = Counter()
        for state in wanted.states:
            for step in self._sift.steps(state, wanted):
                counts.update({(state, reason): count for reason, count in step.reasons.items()})
        return counts

    def history(self, id: str) -> list[dict[str, Any]]:
        """The attempts and requeues of `id`, oldest first. What cannot be opened says so."""
        return self.histories([id])[0]

    def histories(self, ids: Sequence[str]) -> list[list[dict[str, Any]]]:
        """Those of `ids`, in one round trip."""
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self._keys.invocation(id), "format", "generation")
                pipe.lrange(self._keys.attempts(id), 0, -1)
            found: Any = iter(pipe.execute())
        return [
            # Earlier versions left an empty entry of an attempt that was cut off.
            [self._opened(each, record.bond(int(format or 1), "history", id, int(now or 1))) for each in items if each]
            for id, (format, now), items in zip(ids, found, found, strict=True)
        ]

    def payload(self, id: str) -> str | None:
        """The message of `id` as accepted (secret inputs still encrypted), or None if it is kept no longer.

        Raises `Unsealable` where this process cannot open it, for want of the secret or of the record's format.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.payload(id))
            pipe.hmget(self._keys.invocation(id), "format", "run")
            blob, (format, run) = pipe.execute()
        if blob is None:
            return None
        try:
            sealed = record.sealed_payload(id, int(format or 1), blob)
        except record.UnknownFormat as error:
            raise Unsealable(str(error)) from None
        bound = record.bond(int(format or 1), "payload", id, run=_text(run or b""))
        return self._sealer.open(sealed, bound).decode("utf-8", "surrogatepass")

    def purge(self, ids: Iterable[str]) -> int:
        """Drops dead letters and unknown outcomes for good, nothing else. Returns how many it were."""
        gone, left = 0, iter(ids)
        while batch := list(islice(left, BATCH)):
            with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
                for id in batch:
                    self._purge.put(pipe, self._keys.prefix, "", id.encode("utf-8", "surrogatepass"))
                gone += sum(pipe.execute())
        return gone

    def _read(self, ids: Sequence[str]) -> Iterator[InvocationRecord]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hmget(self._keys.invocation(id), FIELDS)
        with reaching_store():
            rows = pipe.execute()
        for id, row in zip(ids, rows, strict=True):
            values = {name: _text(value or b"") for name, value in zip(FIELDS, row, strict=True)}
            if values["state"]:
                yield _letter(id, values)

    def mentioning(self, letters: Sequence[InvocationRecord], text: str) -> list[InvocationRecord]:
        """Those of `letters` whose run id, or what their attempts say, holds `text`."""
        return [letter for letter, _ in self._with_text(letters, text)] if text else list(letters)

    def _with_text(
        self, letters: Sequence[InvocationRecord], text: str
    ) -> Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]:
        for letter, history in zip(letters, self.histories([letter.id for letter in letters]), strict=True):
            said = (json.dumps(entry, ensure_ascii=False) for entry in history) if text else ()
            if text in letter.run or any(text in entry for entry in said):
                yield letter, history

    def _opened(self, item: bytes, bound: Bond | None) -> dict[str, Any]:
        problem = ""
        # A job's note is bound to no record, nor is anything that the version before bonds writes.
        for each in (bound, record.JOB_NOTE, None):
            try:
                opened: dict[str, Any] = json.loads(self._sealer.open(item, each).decode("utf-8", "surrogatepass"))
            except (Unsealable, ValueError) as error:
                problem = problem or str(error)
                if not isinstance(error, Foreign):
                    break
            else:
                if each == bound or "requeued_by" in opened:
                    return opened
        return {"unreadable": problem}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _letter(id: str, values: dict[str, str]) -> InvocationRecord:
    return InvocationRecord(
        id=id,
        run=values["run"],
        kind=values["kind"],
        state=State(values["state"]),
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
        format=int(values["format"] or 1),
    )
