"""The mapping file that the settings name: loaded, and followed while a program runs."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from config.settings import Settings
from longshore.errors import ConfigError, ConfigProblems
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.mapping import Mapping, MappingFileError
from longshore.watched_files import file_version

T = TypeVar("T")


def load_mapping(settings: Settings, processes: int = 1, path: Path | None = None) -> Mapping:
    """The mapping in effect, or the one at `path`, ready to be evaluated; `processes` as for `Mapping`.

    Raises ConfigError and JqUnavailable.
    """
    mapping = Mapping.load(path or settings.mapping_path, settings.mapping_env(), processes)
    for entry, delivery in enumerate(mapping.deliveries):
        if delivery.standard_webhooks and not settings.standard_webhooks_secret:
            mapping.close()
            raise MappingFileError(
                "STANDARD_WEBHOOKS_SECRET",
                f"is not set, but mapping {entry}, delivery, signature, standard_webhooks is true",
                "Set it, or leave that out; docs/how-to/verify-requests.md says how to make one",
            )
    return mapping


class MappingFile:
    """The mapping in force. Any thread may ask for `current`, one may refresh it.

    Who works with a mapping keeps it until that work is done; the jq processes of one end when nobody has it any more.
    """

    def __init__(
        self, settings: Settings, processes: int = 1, check: Callable[[Sequence[DeliveryOptions]], None] | None = None
    ) -> None:
        """Loads the file; see `load_mapping`, also for what is raised.

        `check` raises ConfigProblems for entries that do not do here.
        """
        self._settings = settings
        self._processes = processes
        self._check = check
        self.path = settings.mapping_path
        """None is the built-in mapping, which never changes."""
        # Taken before the file is read: a change in between is noticed.
        self._version = self._look()
        self.current = self._load()
        self.loaded_at = time.time()
        """When the mapping in force was loaded, in seconds since 1970."""
        self.problem: ConfigError | ConfigProblems | None = None
        """Why the file, as it is now, is not in force."""

    def refresh(self) -> bool:
        """Look at the file, and put it in force if it was changed and is right; returns whether one of both happened.

        A wrong file changes `problem`, and nothing else. Raises JqUnavailable: to be tried again.
        """
        version = self._look()
        if version == self._version:
            return False
        try:
            mapping = self._load()
        except (ConfigError, ConfigProblems) as error:
            self._version, self.problem = version, error
            return True
        had_problem, self._version, self.problem = self.problem is not None, version, None
        if mapping.digest == self.current.digest:
            mapping.close()
            return had_problem
        self.current, self.loaded_at = mapping, time.time()
        return True

    def close(self) -> None:
        """End the jq processes."""
        self.current.close()

    def _load(self) -> Mapping:
        mapping = load_mapping(self._settings, self._processes, self.path)
        try:
            if self._check is not None:
                self._check(mapping.deliveries)
        except BaseException:
            mapping.close()
            raise
        return mapping

    def _look(self) -> object:
        return None if self.path is None else file_version(str(self.path))


class MappingSource(Protocol):
    """Says which mapping is in force."""

    current: Mapping


class PerMapping(Generic[T]):
    """What is made of the mapping in force, and again once that is another."""

    def __init__(self, mappings: MappingSource, make: Callable[[Mapping], T]) -> None:
        self._mappings = mappings
        self._make = make
        self._latest = (mappings.current, make(mappings.current))

    def get(self) -> T:
        """From any thread; some may make it at once, and one for each mapping is kept."""
        mapping = self._mappings.current
        of, value = self._latest
        if of is not mapping:
            value = self._make(mapping)
            self._latest = mapping, value
        return value
