"""A run claimed from Port, as a record."""

from dataclasses import dataclass
from typing import Any

from ingest.source import RunIdentity
from longshore.invocation import json_text
from longshore.invocation.polling_message import SHAPES
from longshore.invocation.stream import Stream


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """One object that Port gave out. A `Record` of `ingest.source`; `value` is its text, None where it has none."""

    stream: str
    run: RunIdentity
    value: bytes | None
    timestamp_ms: int
    """When it was claimed, as Port does not say when it was published."""

    @property
    def origin(self) -> str:
        """The run itself, as there are no places in an API."""
        return f"polling/{self.run.run_id}"

    @property
    def key(self) -> str:
        """The run's id: the same whenever Port gives it out."""
        return self.run.run_id

    @property
    def trace(self) -> None:
        """None: objects carry no trace context."""
        return None


def make_record(stream: Stream, run: Any, now_ms: int) -> ClaimedRun | None:
    """The record of an object that Port gave out now; None for one without an id, which nobody could acknowledge."""
    shape = SHAPES[stream]
    id = shape.id_of(run)
    if id is None:
        return None
    try:
        value = json_text.dumps(run, ascii=False).encode()
    except json_text.Malformed:  # nested too deeply to be printed; it becomes a dead letter, and Port hears of it
        value = None
    return ClaimedRun(stream.value, RunIdentity(shape.kind, id), value, now_ms)
