"""Looks every few seconds whether the mapping file was changed, and tells what came of it: log, metrics, readiness.

A wrong file makes no program unready: each goes on by the mapping from before, and all would be unready at once.
"""

from config.mapping_file import MappingFile
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

    def __init__(self, mappings: MappingFile) -> None:
        self._mappings = mappings
        self._loop = Periodic("mapping-watch", CHECK_S, self._step, first_s=CHECK_S)
        PROCESS_HEALTH.ready_if(MAPPING, self._check)

    def start(self) -> None:
        """Say what the mapping is like, and look for another from now on."""
        self._tell()
        if self._mappings.path is not None:
            self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def _step(self) -> None:
        if self._mappings.refresh():
            if self._mappings.problem is None:
                fingerprint, entries = self._mappings.current.digest, len(self._mappings.current.deliveries)
                log.event(events.MAPPING_RELOADED, fingerprint=fingerprint, entries=entries)
            self._tell()

    def _tell(self) -> None:
        mapping, problem = self._mappings.current, self._mappings.problem
        metrics.MAPPING_VALID.set(problem is None)
        metrics.MAPPING_LOADED.set(self._mappings.loaded_at)
        metrics.MAPPING_INFO.clear()
        metrics.MAPPING_INFO.labels(mapping.digest).set(1)
        if problem is not None:
            log.event(events.MAPPING_REFUSED, problem=str(problem), in_force=mapping.digest)
            return
        for warning in mapping.warnings:
            log.event(events.MAPPING_LINT_WARNED, problem=warning)

    def _check(self) -> CheckResult:
        text = f"the mapping {self._mappings.current.digest} is in force"
        if self._mappings.problem is not None:
            text += f", as the file was changed and is refused: {self._mappings.problem}"
        return CheckResult(True, text)
