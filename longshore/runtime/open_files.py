"""How many files and sockets this process may have open."""

import resource

from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

BESIDES = 300
"""Files that a program has open besides those it is asked for: to Redis, Port and Kafka, to child processes, pages."""


def allow_open_files(count: int) -> None:
    """Raises the process's limit so that it may have `count` sockets open, as far as it may itself (setrlimit(2)).

    Many systems start a process with a soft limit of 1,024, for programs that use select(2), which none of ours does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + BESIDES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        log.event(events.WORKER_OPEN_FILES_LIMITED, limit=hard, needed=needed)
        needed = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
