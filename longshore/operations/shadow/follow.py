"""Reads messages, writes what Longshore would send for them, and confirms them: in this order, so none is left out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from longshore.errors import place_of
from longshore.invocation.mapping import JqUnavailable
from longshore.invocation.stream import Stream
from longshore.operations.shadow.line_file import LineFile
from longshore.operations.shadow.lines import Line, Lines
from longshore.operations.shadow.shadow import Shadow

BATCH = 100


class ShadowRecord(Protocol):
    """One Kafka message."""

    @property
    def stream(self) -> str:
        """Its topic."""

    @property
    def value(self) -> bytes | None:
        """The message."""

    @property
    def key(self) -> str:
        """Names it and no other message."""

    @property
    def origin(self) -> str:
        """`topic/partition/offset`."""


R = TypeVar("R", bound=ShadowRecord)


class Reader(Protocol[R]):
    """Where messages come from."""

    def read(self, count: int, timeout_s: float) -> Sequence[R]:
        """Up to `count` records, as soon as there are any."""

    def commit(self, records: Sequence[R]) -> None:
        """These need not be read again."""


class Follower:
    """Follows the topics. A crash costs nothing: what is not in the file yet is read again, what is in it is known."""

    def __init__(self, shadow: Shadow, lines: Lines, streams: Mapping[str, Stream], file: LineFile) -> None:
        """`streams` says how each topic is read; `file` was opened with `message` as the last kind."""
        self._shadow = shadow
        self._lines = lines
        self._streams = streams
        self._file = file
        self.counts: Counter[str] = Counter()
        """Messages read, and lines of each kind."""

    def step(self, reader: Reader[R], timeout_s: float) -> bool:
        """Take one batch; returns whether there was any. Raises `JqUnavailable`, and OSError of the file."""
        records = reader.read(BATCH, timeout_s)
        lines = [line for record in records for line in self._process(record)]
        if lines:
            self._file.write(lines)
            self._file.sync()
        if records:
            reader.commit(records)
        self.counts["read"] += len(records)
        self.counts.update(line["kind"] for line in lines)
        return bool(records)

    def _process(self, record: ShadowRecord) -> list[Line]:
        partition, _, offset = record.origin.rpartition("/")
        if int(offset) < self._file.positions.get(partition, 0):
            self.counts["in the file already"] += 1
            return []
        stream = self._streams.get(record.stream, Stream.OTHER)
        try:
            lines = self._shadow.process(record.value, stream, record.key, record.origin)
        except JqUnavailable:
            raise
        except Exception as error:  # whatever it is, it is in this message: the others are compared all the same
            reason = f"{type(error).__name__} at {place_of(error)}"
            lines = [self._lines.message(None, origin=record.origin, result="failed", reason=reason)]
        self.counts["not for the agent"] += not lines
        return lines
