"""The format of an invocation's record: which ones this version reads and writes, and how.

A record's `format` covers all that a worker or a sender of reports makes of it: what its fields and its payload mean,
its history, its reports. What the scripts themselves work with (state, token, lane, ...) belongs to the layout instead
(schema_version.py). docs/explanation/record-formats.md says what may change in which release.
"""

from collections.abc import Sequence
from typing import Any

from longshore.errors import LongshoreError
from longshore.invocation.kinds import Kind
from longshore.ledger.entry import AttemptEnd, Claim, Entry, StartedAttempt
from longshore.ledger.seal import Bond
from longshore.ledger.text import decode, encode, number

READS = range(1, 4)
"""Formats that this version reads. A worker announces them with each heartbeat."""

WRITES = range(1, 4)
"""Formats that this version can write. It writes the highest that all workers read, see `format_for`."""

BOUND_FROM = 2
"""The first format in which everything sealed is bound to its record (seal.py)."""

VERBATIM_FROM = 3
"""The first format with the field `verbatim`, and whose claims travel in messages of many."""

JOB_NOTE = Bond("requeue job", "")
"""Of a requeue job's note (who and why): scripts copy it into each history, so it is bound to its purpose alone."""


ENTRY_FIELDS = (
    "id", "kind", "run", "target", "lane", "synchronized", "origin", "published", "mapping", "payload", "unknown",
    "max_attempts", "dead", "trace", "verbatim", "order", "ack_after", "reports",
)  # fmt: skip
"""Values of an entry that accept.lua gets, in this order; the last is the number of reports that follow."""

CLAIM_VALUES = ("id", "token", "start", "target", "attempts", "generation", "format")
"""Values of a claim that dispatch.lua returns, in this order, see `parse_claims`."""

STARTED_FIELDS = (
    "kind", "run", "synchronized", "target", "lane", "generation", "published", "accepted", "origin", "mapping",
    "unknown", "max_attempts", "deaths", "moves", "trace", "verbatim",
)  # fmt: skip
"""Fields of the record that load.lua returns as they stand, in this order."""

END_VALUES = (
    "id", "token", "result", "delay", "reason", "status", "attempt", "about_target", "about_lane", "clears", "reports",
)  # fmt: skip
"""Values of the end of an attempt that finish.lua gets, in this order; the last is the number of reports."""


class UnknownFormat(LongshoreError):
    """This version does not read that record; another one wrote it. Nothing is wrong with it."""

    def __init__(self, id: str, format: int) -> None:
        super().__init__(id, format)
        self.id = id
        self.format = format

    def __str__(self) -> str:
        readable = f"{READS.start} to {READS[-1]}" if len(READS) > 1 else f"{READS.start}"
        return f"it was written by another version (format {self.format}, this one reads {readable})"


def format_for(lowest: int) -> int:
    """What to write when `lowest` is the highest format that every worker reads; 0: there is no worker."""
    return max(WRITES.start, min(lowest, WRITES[-1]))


def bond(format: int, purpose: str, id: str, generation: int = 0, run: str = "") -> Bond | None:
    """What a sealed value of a record of `format` is bound to; None in those from before there were bonds.

    `payload` and `trace` are what is sent again, so they are the same in all generations; `history` and reports
    (`report` and their type) are written in one, and are good in it and in later ones.
    """
    return Bond(purpose, id, generation, run) if format >= BOUND_FROM else None


def entry_values(entry: Entry, format: int) -> list[Any]:
    """The values of `entry` for accept.lua, in `format`: those of `ENTRY_FIELDS`, then the reports."""
    _check(entry.id, format, WRITES)
    return [
        *map(encode, (entry.id, entry.kind.value, entry.run, entry.target, entry.lane)),
        "1" if entry.synchronized else "",
        entry.origin,
        entry.published_ms,
        entry.mapping,
        entry.payload,
        entry.unknown_outcome,
        entry.max_attempts,
        entry.dead,
        entry.trace,
        "1" if entry.verbatim and format >= VERBATIM_FROM else "",
        entry.order,
        "" if entry.ack_after_ms is None else entry.ack_after_ms,
        len(entry.reports),
        *entry.reports,
    ]


def end_values(attempt: StartedAttempt, end: AttemptEnd) -> list[Any]:
    """The values of how `attempt` has ended for finish.lua: those of `END_VALUES`, then the reports."""
    return [
        encode(attempt.id),
        attempt.token,
        end.result,
        end.delay_ms,
        end.reason,
        "" if end.status is None else end.status,
        end.attempt,
        end.about_target,
        end.about_lane,
        "1" if end.clears else "",
        len(end.reports),
        *end.reports,
    ]


def parse_claims(values: Sequence[Any]) -> tuple[Claim, ...]:
    """The claims in an answer of accept, pump or finish: `CLAIM_VALUES` of each, one after the other."""
    rows = zip(*[iter(values)] * len(CLAIM_VALUES), strict=True)
    return tuple(
        # The last three come from records, one of which may be damaged: the others of the answer are to start.
        Claim(decode(id), int(token), int(start), decode(target), *map(number, last, (0, 1, 1)))
        for id, token, start, target, *last in rows
    )


def parse_started(id: str, token: int, row: Sequence[Any]) -> StartedAttempt:
    """The attempt for a claim that load.lua has read, from its answer. Raises `UnknownFormat`."""
    format = int(row[0])
    if len(row) == 1:
        raise UnknownFormat(id, format)
    payload, attempts, first, *values = row[1:]
    fields = dict(zip(STARTED_FIELDS, values, strict=True))
    return StartedAttempt(
        id=id,
        token=token,
        format=format,
        payload=sealed_payload(id, format, payload),
        kind=Kind(decode(fields["kind"])),
        run=decode(fields["run"]),
        synchronized=fields["synchronized"] == b"1",
        target=decode(fields["target"]),
        lane=decode(fields["lane"]),
        number=int(attempts) + 1,
        generation=int(fields["generation"]),
        published_ms=int(fields["published"]),
        accepted_ms=int(fields["accepted"]),
        first_ms=int(first or 0),
        origin=decode(fields["origin"]),
        mapping=decode(fields["mapping"]),
        unknown_outcome=decode(fields["unknown"]),
        max_attempts=int(fields["max_attempts"]),
        deaths=int(fields["deaths"] or 0),
        moves=int(fields["moves"] or 0),
        verbatim=fields["verbatim"] == b"1",
        trace=fields["trace"] or b"",
    )


def lua_fields() -> str:
    """`STARTED_FIELDS` as a Lua function that returns them: only load.lua calls it, so the others pay nothing."""
    return f"local function started_fields() return {', '.join(map(repr, STARTED_FIELDS))} end\n"


def sealed_payload(id: str, format: int, stored: bytes) -> bytes:
    """The sealed message of a record, from what is stored under `Keys.payload`. Raises `UnknownFormat`."""
    _check(id, format, READS)
    return stored


def _check(id: str, format: int, formats: range) -> None:
    if format not in formats:
        raise UnknownFormat(id, format)
