"""Tells whether a file that a setting names is in force as it is now: by a metric, and on /readyz.

A wrong file makes no program unready: each goes on by the one from before, and all would be unready at once.
"""

from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH, CheckResult


class SettingsFileStatus:
    """Of the file that the variable `setting` names; says nothing until that is read."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._problem: Exception | None = None

    def note(self, problem: Exception | None) -> None:
        """The file was read; `problem` is why it is refused, None if it is not."""
        self._problem = problem
        metrics.SETTINGS_FILE_VALID.labels(self._setting).set(problem is None)
        PROCESS_HEALTH.ready_if(self._setting, self._check)

    def _check(self) -> CheckResult:
        text = f"the file of {self._setting} is in force"
        if self._problem is not None:
            text = f"the file of {self._setting} was changed and is refused: {self._problem}"
        return CheckResult(True, text)
