"""From a batch of records to what the ledger is to store of it.

Promises that no message whatever raises: what is not for us is counted by reason, what is meant for us becomes an entry
or a dead letter. Costs one jq round trip a batch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Generic

from ingest.entry_builder import EntryBuilder
from ingest.source import R, Record
from longshore.invocation.classify import Invocation, Refused, Skipped, classify_message
from longshore.invocation.mapping import Mapping, RouteResult
from longshore.invocation.stream import Stream
from longshore.ledger.entry import Entry
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

FINISHED_BEFORE = "finished_before"

QUIET_REASONS = frozenset({"not_for_agent", "no_mapping", "tombstone", FINISHED_BEFORE})
"""Normal for messages to other agents of the stream, or read again by a new one: logged at debug level only."""


@dataclass(frozen=True, slots=True)
class PreparedBatch(Generic[R]):
    """A batch ready for the ledger."""

    records: Sequence[R]
    """All that it covers, in the order they were read."""
    skipped: Sequence[tuple[R, str]]
    """Those that are not for us, with the reason."""
    entries: Sequence[Entry]
    """Of the others: those without a route, then the routed ones as they were read; orders go by that."""


class BatchPreparer:
    """Prepares batches: classifies, verifies, routes and seals."""

    def __init__(
        self,
        streams: Table[str, Stream],
        secrets: Sequence[str],
        mapping: Mapping,
        builder: EntryBuilder,
        message_max_bytes: int,
        sync_limits: Callable[[], None] | None = None,
    ) -> None:
        """`streams` says by name what the messages of a stream are; those of all others are skipped.

        `sync_limits` writes what the mapping says of targets to the ledger, before anything goes to them.
        """
        self._streams = streams
        self._secrets = secrets
        self._mapping = mapping
        self._builder = builder
        self._message_max_bytes = message_max_bytes
        self._sync_limits = sync_limits

    def prepare(self, records: Sequence[R], is_finished: Callable[[R], bool] = lambda _: False) -> PreparedBatch[R]:
        """The entries of `records`; `is_finished` says which were finished before, in another ledger.

        Raises `JqUnavailable`, which says nothing of the messages, and `StoreUnavailable`.
        """
        entries: list[Entry] = []
        skipped: list[tuple[R, str]] = []
        to_route: list[tuple[R, Invocation]] = []
        for record in records:
            if is_finished(record):
                skipped.append((record, FINISHED_BEFORE))
                continue
            result = self._classify(record)
            if isinstance(result, Invocation):
                to_route.append((record, result))
            elif isinstance(result, Skipped):
                skipped.append((record, result.reason))
            else:
                entries.append(result)
        routes = self._mapping.routes(
            [invocation.text for _, invocation in to_route], [invocation.message for _, invocation in to_route]
        )
        for (record, invocation), route in zip(to_route, routes, strict=True):
            entry = self._build(record, invocation, route)
            if entry is None:
                skipped.append((record, "no_mapping"))
            else:
                entries.append(entry)
        _log_skipped(skipped)
        if self._sync_limits is not None:
            self._sync_limits()
        return PreparedBatch(records, skipped, entries)

    def make_unstorable(self, record: R) -> PreparedBatch[R]:
        """In place of a message that the ledger cannot take: its dead letter, without what it holds."""
        return PreparedBatch([record], (), [self._builder.build_unreadable(record, "unstorable")])

    def _classify(self, record: Record) -> Invocation | Skipped | Entry:
        if record.value is not None and len(record.value) > self._message_max_bytes:
            return self._builder.build_unreadable(record, "too_large")
        try:
            result = classify_message(record.value, self._streams.get(record.stream, Stream.OTHER), self._secrets)
            return self._builder.build_refused(record, result) if isinstance(result, Refused) else result
        except Exception as error:  # no message ends ingest, nor does a mistake of ours in reading it
            return self._make_unexpected(record, error)

    def _build(self, record: Record, invocation: Invocation, route: RouteResult) -> Entry | None:
        try:
            return self._builder.build(record, invocation, route)
        except Exception as error:
            return self._make_unexpected(record, error)

    def _make_unexpected(self, record: Record, error: Exception) -> Entry:
        # No traceback and no text of the error: both may quote the payload.
        log.event(events.INGEST_PREPARATION_FAILED, origin=record.origin, error=type(error).__name__)
        return self._builder.build_unreadable(record, "unexpected")


def _log_skipped(skipped: Sequence[tuple[R, str]]) -> None:
    """One line per reason and batch, not per message: a flood of garbage must not flood the log."""
    first: dict[str, str] = {}
    for record, reason in skipped:
        first.setdefault(reason, record.origin)
    counts = Counter(reason for _, reason in skipped)
    for reason, origin in first.items():
        event = events.INGEST_OTHERS_SKIPPED if reason in QUIET_REASONS else events.INGEST_SKIPPED
        log.event(event, reason=reason, count=counts[reason], first=origin)
