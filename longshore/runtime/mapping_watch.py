"""Looks every few seconds whether the mapping file was changed, and tells what came of it: log, metrics, readiness.

A wrong file makes no program unready: each goes on by the mapping from before, and all would be unready at once.
"""

from collections.abc import Callable

from config.mapping_file import MappingFile
from longshore.invocation.mapping import Mapping
from longshore.log import events
from longshore.log.event_log import EventLog
from longshore.periodic import Periodic
from longshore.telemetry import metrics
from longshore.telemetry.health import MAPPING, PROCESS_HEALTH, CheckResult

log = EventLog(__name__)

CHECK_S = 5.0
"""Between two looks. Kubernetes takes up to a minute to put a changed ConfigMap there."""


class MappingWatch:
    """Follows a mapping file, in a thread of its own; the built-in mapping needs none."""

    def __init__(self, mappings: MappingFile, on_use: Callable[[Mapping], None] = lambda _: None) -> None:
        """`on_use` is called with each mapping that comes into force, the first one too."""
        self._mappings = mappings
        self._on_use = on_use
        self._loop = Periodic("mapping-watch", CHECK_S, self._step, first_s=CHECK_S)
        PROCESS_HEALTH.ready_if(MAPPING, self._check)
        self._measure()

    def start(self) -> None:
        """Log what is likely wrong in the mapping, and look for another from now on."""
        self._use()
        if self._mappings.path is not None:
            self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def _step(self) -> None:
        if not self._mappings.refresh():
            return
        self._measure()
        mapping, problem = self._mappings.current, self._mappings.problem
        if problem is not None:
            log.event(events.MAPPING_REFUSED, problem=str(problem), in_force=mapping.digest)
            return
        log.event(events.MAPPING_RELOADED, fingerprint=mapping.digest, entries=len(mapping.deliveries))
        self._use()

    def _measure(self) -> None:
        metrics.MAPPING_VALID.set(self._mappings.problem is None)
        metrics.MAPPING_LOADED.set(self._mappings.loaded_at)
        metrics.MAPPING_INFO.clear()
        metrics.MAPPING_INFO.labels(self._mappings.current.digest).set(1)

    def _use(self) -> None:
        mapping = self._mappings.current
        for warning in mapping.warnings:
            log.event(events.MAPPING_LINT_WARNED, problem=warning)
        self._on_use(mapping)

    def _check(self) -> CheckResult:
        text = f"the mapping {self._mappings.current.digest} is in force"
        if self._mappings.problem is not None:
            text += f", as the file was changed and is refused: {self._mappings.problem}"
        return CheckResult(True, text)
