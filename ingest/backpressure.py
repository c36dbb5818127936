"""When ingest pauses: enough is waiting already (the source is the buffer, Redis is not), or an operator stopped it."""

from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

RESUME_RATIO = 0.9
"""Ingest resumes below this share of a limit, so that it does not flutter around it."""


class Backpressure:
    """Open while less than `backlog_limit` invocations wait and Redis uses less than `memory_limit` of its memory.

    And only while no operator has stopped intake.
    """

    def __init__(self, backlog_limit: int, memory_limit: float) -> None:
        self._limits = (backlog_limit, memory_limit)
        self._backlog = 0
        self._memory_share = 0.0
        self.is_stopped = False
        """Whether an operator has stopped intake."""
        self.is_closed = False
        self.cause = ""
        """While closed: `operator`, `backlog` or `memory`."""

    def note_stop(self, is_stopped: bool) -> None:
        """Whether an operator has stopped intake."""
        self.is_stopped = is_stopped
        self._decide()

    def note_backlog(self, waiting: int) -> None:
        """The ledger says that so many invocations wait."""
        self._backlog = waiting
        self._decide()

    def note_memory(self, share: float) -> None:
        """Redis uses this share of its `maxmemory` (0 where it has none)."""
        self._memory_share = share
        self._decide()

    def _decide(self) -> None:
        ratio = RESUME_RATIO if self.is_closed else 1.0
        backlog_limit, memory_limit = self._limits
        if self.is_stopped:
            self.cause = "operator"
        elif self._backlog > ratio * backlog_limit:
            self.cause = "backlog"
        elif self._memory_share > ratio * memory_limit:
            self.cause = "memory"
        else:
            self.cause = ""
        is_closed = bool(self.cause)
        if is_closed != self.is_closed:
            self.is_closed = is_closed
            log.event(
                events.INGEST_PAUSED if is_closed else events.INGEST_RESUMED,
                cause=self.cause or None,
                backlog=self._backlog,
                backlog_limit=backlog_limit,
                memory_share=round(self._memory_share, 3),
                redis_memory_limit_ratio=memory_limit,
            )
