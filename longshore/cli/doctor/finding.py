"""What a check found, and what the checks are given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from config.roles import Role
from config.settings import Settings

AREAS = (
    "settings",
    "redis",
    "kafka",
    "polling",
    "port",
    "certificates",
    "proxies",
    "mapping",
    "targets",
    "credentials",
    "notifications",
)
"""What is looked at, in the order in which it is told."""


class Level(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARNING = "warning"
    """The agent works, but something should be looked at."""
    BROKEN = "broken"
    """Something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. Holds no secret."""

    level: Level
    text: str
    remedy: str = ""
    """What to do; empty where nothing is to be done."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The same for programs, where there is more than the text says."""


def ok(text: str, **facts: Any) -> Finding:
    """Something is well."""
    return Finding(Level.OK, text, facts=facts)


def warning(text: str, remedy: str = "", **facts: Any) -> Finding:
    """Something should be looked at."""
    return Finding(Level.WARNING, text, remedy, facts)


def broken(text: str, remedy: str, **facts: Any) -> Finding:
    """Something does not work."""
    return Finding(Level.BROKEN, text, remedy, facts)


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What is examined: the settings as far as they are usable, and what the command was told."""

    role: Role
    settings: Settings
    """Unusable values have been left out: their defaults stand for them."""
    environ: dict[str, str] = field(repr=False)
    """The environment with the `.env` file below it."""
    unread: str
    """Why the `.env` file could not be read; empty if it could, or there is none."""
    urls: Sequence[str]
    """Targets that the command was told, as origins."""
    connect_s: float
    """Seconds for one connection."""
    fetches_tokens: bool = False
    """Whether token servers are asked for tokens."""


Check = Callable[[CheckContext], Iterator[Finding]]
"""Looks at one area; may be cut off between any two findings. What it raises is reported as broken."""
