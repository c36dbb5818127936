"""Reads invocations and their histories: ended ones by filters on their clear fields, any by its id."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import redis

from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.order import Turn, read_turn
from longshore.ledger.record import JOB_NOTE, UnknownFormat, bond, sealed_payload
from longshore.ledger.scan import FailedScan, Filter
from longshore.ledger.scripts import Script
from longshore.ledger.seal import Bond, Foreign, Sealer, Unsealable
from longshore.ledger.states import State
from longshore.ledger.text import decode, encode, number

BATCH = 500
"""Records read, or deleted, in one round trip: a few ms of Redis's time."""

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
    "order",
)


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """The clear fields of one invocation, in any state. Times in ms since 1970, 0 where there is none."""

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
    order: str = ""
    """As in `Entry`."""

    @property
    def action(self) -> str:
        """The action of its lane."""
        return self.lane.removeprefix(self.target)[1:]

    def as_dict(self) -> dict[str, Any]:
        """By name, at a fifth of what `dataclasses.asdict` costs: exports make 100,000 of them."""
        return dict(zip(_NAMES, _values(self), strict=True))


_STATE = FIELDS.index("state")
_STATES = frozenset(state.value for state in State)
"""What is in another one is shown by the audit alone, as a problem."""
_NAMES = tuple(field.name for field in fields(InvocationRecord) if field.name not in ("format", "order"))
_values = attrgetter(*_NAMES)


class InvocationReader:
    """Finds invocations and opens what is sealed of them. Thread safe; raises `StoreUnavailable` when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, sealer: Sealer) -> None:
        self._redis = client
        self._keys = keys
        self._sealer = sealer
        self._scan = FailedScan(client, keys)
        self._purge = Script.get("purge")

    def find(self, filter: Filter, *, newest_only: bool = False) -> Iterator[InvocationRecord]:
        """The failed invocations that match `filter`, newest first of each state; any number, read in batches.

        With `newest_only` one page is read of each state, so only its newest `SCAN_COUNT` are looked at.
        """
        for state in filter.states:
            pages = self._scan.pages(state, filter, BATCH, fields=FIELDS)
            for page in islice(pages, 1) if newest_only else pages:
                records = [
                    _record(decode(id), dict(zip(FIELDS, values, strict=True)))
                    for (_, id), values in zip(page.cursors, page.records, strict=True)
                    if values[_STATE] in _STATES
                ]
                yield from self.matching_text(records, filter.text)

    def find_with_history(self, filter: Filter) -> Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]:
        """The same, each with its history."""
        records = self.find(replace(filter, text=""))
        while batch := list(islice(records, BATCH)):
            yield from self._with_history(batch, filter.text)

    def get(self, id: str) -> InvocationRecord | None:
        """One invocation by its id in the ledger, whatever its state."""
        return next(iter(self._read([id])), None)

    def read(self, ids: Sequence[str]) -> list[InvocationRecord]:
        """Those of `ids` that have a record, in this order."""
        return list(self._read(ids))

    def count(self, filter: Filter) -> Counter[tuple[str, str]]:
        """(state, reason) → how many match `filter`. Only with a text have histories to be opened."""
        if filter.text:
            return Counter((record.state, record.reason) for record in self.find(filter))
        counts: Counter[tuple[str, str]] = Counter()
        for state in filter.states:
            for page in self._scan.pages(state, filter):
                counts.update({(state, reason): count for reason, count in page.reasons.items()})
        return counts

    def history(self, id: str) -> list[dict[str, Any]]:
        """The attempts and requeues of `id`, oldest first. One that cannot be opened is `{"unreadable": <why>}`."""
        return self.histories([id])[0]

    def histories(self, ids: Sequence[str]) -> list[list[dict[str, Any]]]:
        """Those of `ids`, in one round trip."""
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hmget(self._keys.invocation(id), "format", "generation")
                pipe.lrange(self._keys.attempts(id), 0, -1)
            answers: Any = iter(pipe.execute())
        return [
            # Earlier versions left an empty entry for an attempt that was interrupted.
            [self._open(item, bond(number(format, 1), "history", id, number(generation, 1))) for item in items if item]
            for id, (format, generation), items in zip(ids, answers, answers, strict=True)
        ]

    def read_turn(self, record: InvocationRecord) -> Turn | None:
        """What `record` waits behind in its order; None where it waits for no turn."""
        return read_turn(self._redis, self._keys, record.id, record.order) if record.state is State.WAITING else None

    def payload(self, id: str) -> str | None:
        """The message of `id` as accepted (secret inputs still encrypted), or None if it has expired.

        Raises `Unsealable` if this process lacks its secret or does not read the record's format.
        """
        with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
            pipe.get(self._keys.payload(id))
            pipe.hmget(self._keys.invocation(id), "format", "run")
            blob, (format, run) = pipe.execute()
        if blob is None:
            return None
        try:
            sealed = sealed_payload(id, number(format, 1), blob)
        except UnknownFormat as error:
            raise Unsealable(str(error)) from None
        payload_bond = bond(number(format, 1), "payload", id, run=decode(run or b""))
        return decode(self._sealer.open(sealed, payload_bond))

    def purge(self, ids: Iterable[str]) -> int:
        """Deletes dead letters and unknown outcomes, and leaves all else. Returns how many it has deleted."""
        count, rest = 0, iter(ids)
        while batch := list(islice(rest, BATCH)):
            with reaching_store(), self._redis.pipeline(transaction=False) as pipe:
                for id in batch:
                    self._purge.put(pipe, self._keys.prefix, "", encode(id))
                count += sum(pipe.execute())
        return count

    def _read(self, ids: Sequence[str]) -> Iterator[InvocationRecord]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hmget(self._keys.invocation(id), FIELDS)
        with reaching_store():
            rows = pipe.execute()
        for id, row in zip(ids, rows, strict=True):
            values = {name: decode(value or b"") for name, value in zip(FIELDS, row, strict=True)}
            if values["state"] in _STATES:
                yield _record(id, values)

    def matching_text(self, records: Sequence[InvocationRecord], text: str) -> list[InvocationRecord]:
        """Those of `records` whose run id or history contains `text`; an empty text matches all, and opens nothing."""
        return [record for record, _ in self._with_history(records, text)] if text else list(records)

    def _with_history(
        self, records: Sequence[InvocationRecord], text: str
    ) -> Iterator[tuple[InvocationRecord, list[dict[str, Any]]]]:
        for record, history in zip(records, self.histories([record.id for record in records]), strict=True):
            entries = (json.dumps(entry, ensure_ascii=False) for entry in history) if text else ()
            if text in record.run or any(text in entry for entry in entries):
                yield record, history

    def _open(self, item: bytes, expected: Bond | None) -> dict[str, Any]:
        problem = ""
        # The note of a job is bound to no record, and a version without bonds binds nothing.
        for candidate in (expected, JOB_NOTE, None):
            try:
                entry: dict[str, Any] = json.loads(decode(self._sealer.open(item, candidate)))
            except (Unsealable, ValueError) as error:
                problem = problem or str(error)
                if not isinstance(error, Foreign):
                    break
            else:
                if candidate == expected or "requeued_by" in entry:
                    return entry
        return {"unreadable": problem}


def _record(id: str, values: dict[str, str]) -> InvocationRecord:
    return InvocationRecord(
        id=id,
        run=values["run"],
        kind=values["kind"],
        state=State(values["state"]),
        reason=values["reason"],
        target=values["target"],
        lane=values["lane"],
        status=number(values["status"]) if values["status"] else None,
        attempts=number(values["attempts"]),
        generation=number(values["generation"], 1),
        origin=values["origin"],
        published_ms=number(values["published"]),
        accepted_ms=number(values["accepted"]),
        ended_ms=number(values["ended"]),
        mapping=values["mapping"],
        closed=values["closed"] == "1",
        synchronized=values["synchronized"] == "1",
        format=number(values["format"], 1),
        order=values["order"],
    )
