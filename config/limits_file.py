"""The file that `LIMITS_FILE` names: limits of targets by host pattern."""

from collections.abc import Iterator
from pathlib import Path

from longshore.delivery.host_limits import BadLimits, HostLimits
from longshore.errors import ConfigError

_VARIABLE = "LIMITS_FILE"


def read_host_limits(path: Path | None) -> HostLimits:
    """The limits in the file at `path`; none where it is None. Raises ConfigError with everything that is wrong."""
    if path is None:
        return HostLimits()
    try:
        return HostLimits.parse(path.read_bytes())
    except OSError as problem:
        remedy = "Give the path of a readable JSON file, or unset the variable"
        raise ConfigError(_VARIABLE, f'"{path}" cannot be read: {problem.strerror}', remedy) from None
    except BadLimits as problem:
        remedy = "Correct the file; docs/how-to/rate-limits.md shows one"
        raise ConfigError(_VARIABLE, f"the file of limits is wrong: {problem}", remedy) from None


def find_problems(path: str) -> Iterator[ConfigError]:
    """What is wrong with the file at `path`, if there is one."""
    try:
        read_host_limits(Path(path) if path else None)
    except ConfigError as problem:
        yield problem
