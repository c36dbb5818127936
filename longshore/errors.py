"""The errors that stop Longshore, or make it wait.

LongshoreError
├── ConfigError         a setting is missing or unusable: do not start
├── ConfigProblems      all of them at once
├── StoreUnavailable    Redis cannot be asked: nothing lost, do not acknowledge, come back
├── PortUnavailable     the Port API cannot be asked: the same
└── PortRefused         Port refuses a call for good: asking again gives the same answer

What only one room raises lives in that room. What a target answers is never an error but an `Outcome`.
Every class takes its parts as positional arguments, because Celery pickles errors and an error that cannot be rebuilt
can bring a worker down. No message ever holds a secret or a payload.
"""

import traceback
from collections.abc import Sequence
from pathlib import Path

EX_CONFIG = 78
"""The exit code of a program that was configured wrongly (sysexits.h): restarting it does not help."""


def place_of(error: BaseException) -> str:
    """Where an error was raised, as `file.py:line` of the innermost calls, last one last.

    With its type that is what may be logged of an unexpected one. Its text may not: it can quote a payload.
    """
    frames = traceback.extract_tb(error.__traceback__, limit=-3)
    return " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames) or "?"


class LongshoreError(Exception):
    """Whatever Longshore itself raises."""


class ConfigError(LongshoreError):
    """A setting is missing or unusable; names the variable, the problem and the remedy."""

    def __init__(self, variable: str, problem: str, remedy: str) -> None:
        super().__init__(variable, problem, remedy)
        self.variable = variable
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        end = "" if self.problem.endswith("?") else "."
        return f"{self.variable}: {self.problem}{end} {self.remedy.removesuffix('.')}."


class ConfigProblems(LongshoreError):
    """Everything that is wrong with the settings, so that it takes one look and not one start per mistake."""

    def __init__(self, problems: Sequence[ConfigError], notes: Sequence[str] = ()) -> None:
        super().__init__(tuple(problems), tuple(notes))
        self.problems = tuple(problems)
        self.notes = tuple(notes)

    def __str__(self) -> str:
        count = len(self.problems)
        headline = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        return "\n".join([f"{headline}:", *(f"  {line}" for line in (*self.problems, *self.notes))])


class StoreUnavailable(LongshoreError):
    """Redis cannot be reached or cannot answer now. Nothing is lost: do not acknowledge, come back later."""

    def __str__(self) -> str:
        return "Redis cannot be asked now: " + ", ".join(str(part) for part in self.args)


class IntakeStopped(LongshoreError):
    """The ledger took nothing of a batch, as an operator has stopped intake."""


class PortUnavailable(LongshoreError):
    """The Port API cannot be reached or is overloaded; `retry_after_s` is the wait it asked for, if it did.

    `status` is what it answered, None for no answer. `may_be_taken`: the call may have reached Port, which may have
    done what it asked for, although nobody said so; otherwise it surely has not.
    """

    def __init__(
        self,
        reason: str,
        retry_after_s: float | None = None,
        status: int | None = None,
        may_be_taken: bool = False,
    ) -> None:
        super().__init__(reason, retry_after_s, status, may_be_taken)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.status = status
        self.may_be_taken = may_be_taken

    def __str__(self) -> str:
        return self.reason


class PortRefused(LongshoreError):
    """Port answered a call with a final 4xx: asking again gives the same answer.

    `code` is Port's own short error code, or empty. `detail` is what Port says about it; it may quote what we sent, so
    it is for the run's log at Port alone, and in no text or repr of this error.
    """

    def __init__(self, call: str, status: int, code: str = "", detail: str = "") -> None:
        super().__init__(call, status, code)
        self.detail = detail
        self.call = call
        self.status = status
        self.code = code

    def __str__(self) -> str:
        return f"Port refused {self.call}: HTTP {self.status}" + (f" ({self.code})" if self.code else "")
