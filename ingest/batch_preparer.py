"""From a batch of records to what the ledger is to store of it.

Promises that no message whatever raises: what is not for us is counted by reason, what is meant for us becomes an entry
or a dead letter. Costs one jq round trip a batch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Generic

from ingest.entry_builder import EntryBuilder, Routed
from ingest.source import R, Record
from longshore.invocation.classify import Invocation, Refused, Skipped, classify_message
from longshore.invocation.mapping import Mapping
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Entry
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

FINISHED_BEFORE = "finished_before"

EXPECTED = frozenset({"not_for_agent", "no_mapping", "tombstone", FINISHED_BEFORE})
"""The normal fate of what is meant for other agents of the stream, or read again by a new one: no line in the log."""


@dataclass(frozen=True, slots=True)
class PreparedBatch(Generic[R]):
    """A batch ready for the ledger."""

    records: Sequence[R]
    """All that it covers, in the order they were read."""
    skipped: Sequence[tuple[R, str]]
    """Those that are not for us, with the reason."""
    entries: Sequence[Entry]
    """Of the others, in no order."""


class BatchPreparer:
    """Prepares batches: recognises, verifies, routes and seals."""

    def __init__(
        self,
        streams: Table[str, Stream],
        secrets: Sequence[str],
        mapping: Mapping,
        builder: EntryBuilder,
        message_max_bytes: int,
        sync_limits: Callable[[], None] | None = None,
    ) -> None:
        """`streams` says by name what the messages of a stream are; all others are none of our business.

        `sync_limits` has the ledger know what the mapping says of the targets, before anything goes to them.
        """
        self._streams = streams
        self._secrets = secrets
        self._mapping = mapping
        self._builder = builder
        self._message_max_bytes = message_max_bytes
        self._sync_limits = sync_limits

    def prepare(self, records: Sequence[R], is_finished: Callable[[R], bool] = lambda _: False) -> PreparedBatch[R]:
        """The entries of `records`; `is_finished` says which were dealt with before, by another ledger.

        Raises `JqUnavailable`, which says nothing of the messages, and `StoreUnavailable`.
        """
        entries: list[Entry] = []
        skipped: list[tuple[R, str]] = []
        to_route: list[tuple[R, Invocation]] = []
        for record in records:
            if is_finished(record):
                skipped.append((record, FINISHED_BEFORE))
                continue
            recognised = self._recognise(record)
            if isinstance(recognised, Invocation):
                to_route.append((record, recognised))
            elif isinstance(recognised, Skipped):
                skipped.append((record, recognised.reason))
            else:
                entries.append(recognised)
        routes = self._mapping.routes([invocation.text for _, invocation in to_route]) if to_route else []
        for (record, invocation), routed in zip(to_route, routes, strict=True):
            entry = self._entry(record, invocation, routed)
            if entry is None:
                skipped.append((record, "no_mapping"))
            else:
                entries.append(entry)
        _log(skipped)
        if self._sync_limits is not None:
            self._sync_limits()
        return PreparedBatch(records, skipped, entries)

    def unstorable(self, record: R) -> PreparedBatch[R]:
        """In place of a message that the ledger cannot take: its dead letter, without what it holds."""
        return PreparedBatch([record], (), [self._builder.unreadable(record, "unstorable")])

    def _recognise(self, record: Record) -> Invocation | Skipped | Entry:
        if record.value is not None and len(record.value) > self._message_max_bytes:
            return self._builder.unreadable(record, "too_large")
        try:
            recognised = classify_message(record.value, self._streams.get(record.stream, Stream.OTHER), self._secrets)
            return self._builder.refused(record, recognised) if isinstance(recognised, Refused) else recognised
        except Exception as error:  # ingest never dies of a message, nor of our own mistake in reading it
            return self._unexpected(record, error)

    def _entry(self, record: Record, invocation: Invocation, routed: Routed) -> Entry | None:
        try:
            return self._builder.entry(record, invocation, routed)
        except Exception as error:
            return self._unexpected(record, error)

    def _unexpected(self, record: Record, error: Exception) -> Entry:
        # No traceback and no text of the error: both may quote the payload.
        log.event(events.INGEST_PREPARATION_FAILED, origin=record.origin, error=type(error).__name__)
        return self._builder.unreadable(record, "unexpected")


def _log(skipped: Sequence[tuple[R, str]]) -> None:
    """One line per reason and batch, not per message: a flood of garbage must not become one of lines."""
    first: dict[str, str] = {}
    for record, reason in skipped:
        first.setdefault(reason, record.origin)
    counts = Counter(reason for _, reason in skipped)
    for reason, origin in first.items():
        event = events.INGEST_OTHERS_SKIPPED if reason in EXPECTED else events.INGEST_SKIPPED
        log.event(event, reason=reason, count=counts[reason], first=origin)
