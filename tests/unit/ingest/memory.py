"""What stands in for a source's records and for the ledger, in memory."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from opentelemetry.trace import SpanContext

from ingest.source import Progress, RunIdentity
from longshore.errors import IntakeStopped
from longshore.ledger.entry import Accepted, Claim, Entry
from longshore.sandbox.publisher import action_run, as_text

SECRET = "secret-0123456789"
URL = "http://deployer.internal:8080/hook"


@dataclass(frozen=True)
class PolledRun:
    """A record of no topic: its place is the run's own id."""

    run_id: str
    value: bytes | None
    stream: str = "polling"
    timestamp_ms: int = -1
    run: RunIdentity | None = None
    trace: SpanContext | None = None

    @property
    def origin(self) -> str:
        return f"polling/{self.run_id}"

    @property
    def key(self) -> str:
        return self.run_id


def polled(number: int) -> PolledRun:
    return PolledRun(f"r_{number}", as_text(action_run(f"r_{number}", URL), SECRET))


class MemoryLedger:
    """Stores entries by id; each of `answers` is, once, what `accept` does instead with a batch that is not empty."""

    format = 1

    def __init__(self) -> None:
        self.stored: dict[str, Entry] = {}
        self.refused: set[str] = set()
        self.answers: deque[Exception | Accepted | Callable[[], None]] = deque()
        self.results: list[str] = []
        self.backlog = 0
        self.is_stopped = False

    def accept(self, progress: Progress, entries: Sequence[Entry], want: int = 0) -> Accepted:
        if entries and self.is_stopped:
            raise IntakeStopped("stopped")
        if entries and self.answers:
            answer = self.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, Accepted):
                return answer
            answer()
        if any(entry.id in self.refused for entry in entries):
            raise ValueError("the script fails")
        results = tuple("repeated" if entry.id in self.stored else "accepted" for entry in entries)
        self.results += results
        self.stored |= {entry.id: entry for entry in entries}
        claims = tuple(Claim(entry.id, 1, 0, entry.target, 0, 1) for entry in entries if not entry.dead)
        return Accepted(results, (), claims, self.backlog)

    def is_intake_stopped(self) -> bool:
        return self.is_stopped

    def memory_share(self) -> float:
        return 0.0
