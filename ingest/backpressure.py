"""When intake pauses because enough is waiting already: Kafka is the buffer, Redis is not."""

from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

RESUME_SHARE = 0.9
"""Intake resumes below this share of a limit, so that it does not flutter around it."""


class Backpressure:
    """Open while less than `backlog_limit` invocations wait and Redis uses less than `memory_limit` of its memory."""

    def __init__(self, backlog_limit: int, memory_limit: float) -> None:
        self._limits = (backlog_limit, memory_limit)
        self._backlog = 0
        self._memory_share = 0.0
        self.closed = False
        self.cause = ""
        """While closed: `backlog` or `memory`."""

    def backlog(self, waiting: int) -> None:
        """The ledger says that so many invocations wait."""
        self._backlog = waiting
        self._decide()

    def memory(self, share: float) -> None:
        """Redis uses this share of its `maxmemory` (0 where it has none)."""
        self._memory_share = share
        self._decide()

    def _decide(self) -> None:
        share = RESUME_SHARE if self.closed else 1.0
        backlog_limit, memory_limit = self._limits
        closed = self._backlog > share * backlog_limit or self._memory_share > share * memory_limit
        self.cause = "" if not closed else "backlog" if self._backlog > share * backlog_limit else "memory"
        if closed != self.closed:
            self.closed = closed
            log.event(
                events.INGEST_PAUSED if closed else events.INGEST_RESUMED,
                backlog=self._backlog,
                backlog_limit=backlog_limit,
                memory_share=round(self._memory_share, 3),
                redis_memory_limit_ratio=memory_limit,
            )
