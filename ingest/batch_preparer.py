"""From a batch of Kafka messages to what the ledger is to store of it.

Promises that no message whatever raises: what is not for us is counted by reason, what is meant for us becomes an entry
or a dead letter. Costs one jq round trip a batch.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from types import MappingProxyType

from ingest.entry_builder import EntryBuilder, Routed
from ingest.kafka.offset_ranges import spans_of
from ingest.kafka.offset_set import OffsetSet, contains
from ingest.kafka.record import Partition, Record
from longshore.invocation.mapping import Mapping
from longshore.invocation.recognise import Invocation, Refused, Skipped, recognise
from longshore.invocation.source import Source
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.store.entry import Entry, Span

log = EventLog(__name__)

FINISHED_BEFORE = "finished_before"

EXPECTED = frozenset({"not_for_agent", "no_mapping", "tombstone", FINISHED_BEFORE})
"""The normal fate of what is meant for other agents of the topic, or read again by a new one: no line in the log."""

NOTHING: Table[Partition, OffsetSet] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch ready for the ledger."""

    spans: list[Span]
    entries: list[Entry]


class BatchPreparer:
    """Prepares batches: recognises, verifies, routes and seals."""

    def __init__(
        self,
        sources: Table[str, Source],
        secrets: Sequence[str],
        mapping: Mapping,
        builder: EntryBuilder,
        message_max_bytes: int,
        tell: Callable[[], None] | None = None,
    ) -> None:
        """`sources` says by topic what its messages are; all other topics are none of our business.

        `tell` has the ledger know what the mapping says of the targets, before anything goes to them.
        """
        self._sources = sources
        self._secrets = secrets
        self._mapping = mapping
        self._builder = builder
        self._message_max_bytes = message_max_bytes
        self._tell = tell

    def prepare(
        self,
        records: Sequence[Record],
        expected: Table[Partition, int],
        finished: Table[Partition, OffsetSet] = NOTHING,
    ) -> PreparedBatch:
        """The spans and entries of `records`, which stand in the order they were read.

        `expected` is the next offset of each partition that the ledger is known to have; `finished` are offsets that
        were dealt with before, by another ledger. Raises `JqUnavailable`, which says nothing of the messages.
        """
        entries: list[Entry] = []
        skipped = _Skips()
        found: list[tuple[Record, Invocation]] = []
        for record in records:
            if contains(finished.get(record.topic_partition, ()), record.offset):
                skipped.add(record, FINISHED_BEFORE)
                continue
            recognised = self._recognise(record)
            if isinstance(recognised, Invocation):
                found.append((record, recognised))
            elif isinstance(recognised, Skipped):
                skipped.add(record, recognised.reason)
            else:
                entries.append(recognised)
        routes = self._mapping.routes([invocation.text for _, invocation in found]) if found else []
        for (record, invocation), routed in zip(found, routes, strict=True):
            entry = self._entry(record, invocation, routed)
            if entry is None:
                skipped.add(record, "no_mapping")
            else:
                entries.append(entry)
        skipped.log()
        if self._tell is not None:
            self._tell()
        return PreparedBatch(spans_of(records, expected, skipped.by_place), entries)

    def unstorable(self, record: Record, expected: Table[Partition, int]) -> PreparedBatch:
        """In place of a message that the ledger cannot take: its dead letter, without what it holds."""
        return PreparedBatch(spans_of([record], expected, {}), [self._builder.unreadable(record, "unstorable")])

    def _recognise(self, record: Record) -> Invocation | Skipped | Entry:
        if record.value is not None and len(record.value) > self._message_max_bytes:
            return self._builder.unreadable(record, "too_large")
        try:
            recognised = recognise(record.value, self._sources.get(record.topic, Source.OTHER), self._secrets)
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


class _Skips:
    """What was not for us, counted by partition and reason."""

    def __init__(self) -> None:
        self.by_place: defaultdict[Partition, Counter[str]] = defaultdict(Counter)
        self._first: dict[str, str] = {}

    def add(self, record: Record, reason: str) -> None:
        self.by_place[record.topic_partition][reason] += 1
        self._first.setdefault(reason, record.origin)

    def log(self) -> None:
        """One line per reason and batch, not per message: a flood of garbage must not become one of lines."""
        for reason, origin in self._first.items():
            count = sum(counts[reason] for counts in self.by_place.values())
            event = events.INGEST_OTHERS_SKIPPED if reason in EXPECTED else events.INGEST_SKIPPED
            log.event(event, reason=reason, count=count, first=origin)
