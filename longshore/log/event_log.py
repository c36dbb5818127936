"""A logger that takes registered events only, so that neither a name nor a level can be wrong at a call.

How a line looks is decided in `config/logging.py`; what events there are, in `longshore/log/events.py`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import structlog

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of line in a log."""

    name: str
    """`subject.past_participle`; what a log is searched for."""
    level: Level
    meaning: str
    """One sentence: what has happened."""
    remedy: str = ""
    """What an operator is to do; of warnings and errors only."""


class OutageEvents(NamedTuple):
    """The events of one dependency's outages."""

    started: Event
    continued: Event
    """Once for each try that failed."""
    ended: Event


class EventLog:
    """The log of one module."""

    def __init__(self, module: str) -> None:
        """`module` is its `__name__`; a line shows it as `logger`."""
        self._logger = structlog.get_logger(module)

    def event(self, event: Event, /, **fields: object) -> None:
        """Write a line of `event` at its level. `fields` hold no secret and nothing from a payload."""
        getattr(self._logger, event.level)(event.name, **fields)
