"""Whether this worker process is ending, and with which exit code: known to every part of it, decided in one place."""

import os
import signal
import threading

from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

DRAINED = "drained"
"""Reason code of an attempt that the end of its worker cut off."""

RESTART = 1
"""Exit code of a process that asks for another in its place."""


class Shutdown:
    """The end of this process, which begins once and is not taken back. Thread safe."""

    def __init__(self) -> None:
        self.draining = threading.Event()
        """Set as soon as the process drains."""
        self.exit_code = 0
        """What the process ends with; not 0 asks a supervisor for another."""

    def restart(self, reason: str, limit: int) -> None:
        """Ends this process in order, because `limit` was exceeded; whoever keeps it alive starts another."""
        if not self.draining.is_set():
            log.event(events.WORKER_RESTART_REQUESTED, reason=reason, limit=limit)
            self.exit_code = RESTART
            os.kill(os.getpid(), signal.SIGTERM)
