"""The files by host pattern that `LIMITS_FILE` and `TARGETS_FILE` name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from config import target_files
from config.roles import Role
from longshore.delivery.host_limits import HostLimits
from longshore.delivery.host_table import BadHostTable
from longshore.delivery.target_options import TargetTable, no_targets, parse_targets
from longshore.errors import ConfigError, ConfigProblems, LongshoreError
from longshore.log import events
from longshore.log.event_log import Event, EventLog
from longshore.watched_files import WatchedFiles

T = TypeVar("T")

Tell = Callable[[Exception | None], None]
"""Hears of each time that a file is read why it is refused, None if it is not."""

_NO_LIMITS = HostLimits()

log = EventLog(__name__)


def _tell_nobody(problem: Exception | None) -> None:
    """For who only tries things out."""


def read_host_limits(path: Path | None) -> HostLimits:
    """The limits in the file at `path`; none where it is None. Raises ConfigError with everything that is wrong."""
    return HostLimits() if path is None else _read("LIMITS_FILE", path, HostLimits.parse, "rate-limits")


def read_targets(path: Path | None) -> TargetTable:
    """How targets are called, by the file at `path`; empty where it is None. Raises ConfigError as above."""
    return TargetTable() if path is None else _read("TARGETS_FILE", path, parse_targets, "client-certificates")


def follow_limits(path: Path | None, tell: Tell = _tell_nobody) -> Callable[[], HostLimits]:
    """What gives the file at `path` as it is now; a wrong one is logged, and the one from before holds.

    Raises ConfigError for one that is wrong from the beginning.
    """
    if path is None:
        return lambda: _NO_LIMITS
    return _follow(path, lambda: read_host_limits(path), events.LIMITS_FILE_REFUSED, tell)


def follow_targets(
    path: Path | None, tell: Tell = _tell_nobody, *, delivers: bool = False
) -> Callable[[], TargetTable]:
    """The same of how targets are called.

    Who `delivers` needs the files that it names, and warns of what is not safe. Raises ConfigError and ConfigProblems
    for one that is wrong from the beginning.
    """
    if path is None:
        return no_targets

    def read() -> TargetTable:
        table = read_targets(path)
        if delivers:
            if problems := list(target_files.find_problems(table)):
                raise ConfigProblems(problems)
            target_files.log_unsafe(table)
        return table

    return _follow(path, read, events.TARGETS_FILE_REFUSED, tell)


def find_problems(limits: str, targets: str, role: Role) -> Iterator[ConfigError]:
    """What is wrong with the files at these paths, empty for none, and with what they name that `role` needs."""
    try:
        read_host_limits(_path(limits))
    except ConfigError as problem:
        yield problem
    try:
        table = read_targets(_path(targets))
    except ConfigError as problem:
        yield problem
    else:
        if role.delivers:
            yield from target_files.find_problems(table)


def _follow(path: Path, read: Callable[[], T], refused: Event, tell: Tell) -> Callable[[], T]:
    def read_and_tell() -> T:
        table = read()
        tell(None)
        return table

    def refuse(error: LongshoreError | OSError) -> None:
        log.event(refused, problem=str(error))
        tell(error)

    return WatchedFiles((str(path),), read_and_tell, refuse).get


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _read(variable: str, path: Path, parse: Callable[[bytes], T], page: str) -> T:
    try:
        return parse(path.read_bytes())
    except OSError as problem:
        remedy = "Give the path of a readable JSON file, or unset the variable"
        raise ConfigError(variable, f'"{path}" cannot be read: {problem.strerror}', remedy) from None
    except BadHostTable as problem:
        remedy = f"Correct the file; docs/how-to/{page}.md shows one"
        raise ConfigError(variable, f"the file is wrong: {problem}", remedy) from None
