"""What the sample targets received: every attempt of every run, within bounded memory."""

import json
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_REQUESTS = 20_000
"""Requests kept with head and body; older ones are only counted."""

MAX_BODY_BYTES = 16_384
"""Bytes kept of each body."""

MAX_TOTAL_BYTES = 64_000_000
"""Bytes kept of all bodies together."""

MAX_RUNS = 500_000
"""Runs whose attempts are counted; beyond it the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request at a target: `at` in epoch seconds, `attempt` from 1 for this run at this target."""

    target: str
    run_id: str
    attempt: int
    at: float
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class RequestLog:
    """The attempts of all targets. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: OrderedDict[str, Counter[str]] = OrderedDict()
        self._totals: Counter[str] = Counter()
        self._latest: deque[ReceivedRequest] = deque()
        self._bytes = 0

    def add(
        self, target: str, run_id: str, at: float, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> int:
        """Note a request and return which attempt of its run at this target it is."""
        with self._changed:
            counts = self._counts.setdefault(run_id, Counter())
            counts[target] += 1
            self._totals[target] += 1
            body_head = body[:MAX_BODY_BYTES]
            self._latest.append(ReceivedRequest(target, run_id, counts[target], at, method, path, headers, body_head))
            self._bytes += len(body_head)
            while len(self._latest) > MAX_REQUESTS or self._bytes > MAX_TOTAL_BYTES:
                self._bytes -= len(self._latest.popleft().body)
            while len(self._counts) > MAX_RUNS:
                self._counts.popitem(last=False)
            self._changed.notify_all()
            return counts[target]

    def find(self, run_id: str | None = None) -> list[ReceivedRequest]:
        """The kept requests of one run, or of all, oldest first."""
        with self._changed:
            return [request for request in self._latest if run_id is None or request.run_id == run_id]

    def attempts(self) -> dict[str, int]:
        """How often each run arrived, at all targets together."""
        with self._changed:
            return {run_id: counts.total() for run_id, counts in self._counts.items()}

    def totals(self) -> dict[str, int]:
        """How many requests each target had."""
        with self._changed:
            return dict(self._totals)

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `condition` holds, asking after every request. False when it does not in time."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)


def run_id_of(headers: dict[str, str], body: bytes) -> str:
    """The run a request belongs to: its `Idempotency-Key`, else the run id in the message, else empty."""
    key = headers.get("idempotency-key", "")
    if key:
        return key
    try:
        message = json.loads(body)
        run_id = message["context"]["runId"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return run_id if isinstance(run_id, str) else ""
