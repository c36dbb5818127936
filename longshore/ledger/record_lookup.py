"""Looks up single invocations: by id, or by the Kafka offset that they were read from."""

from dataclasses import dataclass
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.text import decode, number


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """A summary of an invocation; its fields are those of the record (`scripts/accept.lua`)."""

    origin: str
    """`topic/partition/offset` that it was read from."""
    state: str
    reason: str
    attempts: int
    status: str
    """HTTP status of its last answer; empty without one."""


class RecordLookup:
    """Reads summaries. Not for many records: it may go through all there are. Raises `StoreUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.redis
        self._keys = ledger.keys
        self._origins: dict[str, str] = {}
        """Id → origin of the records there were at the last scan, so that each is read once."""

    def summary(self, id: str) -> RecordSummary | None:
        """The invocation with this id; None if there is none."""
        record = self._hash(self._keys.invocation(id))
        if not record:
            return None
        return RecordSummary(
            origin=record.get("origin", ""),
            state=record.get("state", ""),
            reason=record.get("reason", ""),
            attempts=number(record.get("attempts")),
            status=record.get("status", ""),
        )

    def next_offset(self, topic: str, partition: int) -> int:
        """The offset up to which a partition was read."""
        return number(self._hash(self._keys.partition(topic, partition)).get("next"))

    def id_at(self, origin: str) -> str:
        """The id of the invocation that was read from `origin`; empty if there is none."""
        start = self._keys.invocation("")
        with reaching_store():
            keys = list(self._client.scan_iter(match=_literal(start) + "*", count=1000))
        ids = [decode(key).removeprefix(start) for key in keys]
        self._origins = {id: self._origins.get(id) or self._origin(id) for id in ids}
        return next((id for id, other in self._origins.items() if other == origin), "")

    def _origin(self, id: str) -> str:
        summary = self.summary(id)
        return summary.origin if summary else ""

    def _hash(self, key: str) -> dict[str, str]:
        with reaching_store():
            fields: Any = self._client.hgetall(key)
        # Sealed fields are no text; nobody reads those here.
        return {decode(name): value.decode("utf-8", "replace") for name, value in fields.items()}


def _literal(pattern: str) -> str:
    # The braces of the hash tag need no escape; an organization's name may contain any of these.
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in pattern)
