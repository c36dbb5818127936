"""The kinds of what Port is told of a run: the one table for Python, the scripts and the outbox.

The scripts get it too, so this module is the truth for both languages. A new kind is a line here with the sets it
belongs to, whoever writes it (`port/reports.py`, or a script), and whoever sends it (`port/api_calls.py`).
"""

from enum import StrEnum


class ReportKind(StrEnum):
    """What a report is, in one character: the outbox keeps it in clear, so that logs can be shed before statuses."""

    LOG = "L"
    """A line in the log of an action run."""

    RESPONSE = "R"
    """The target's response, shown by Port; overwrites the one before."""

    PATCH = "P"
    """Link, summary or external id of an action run that goes on."""

    STATUS = "S"
    """The terminal status of an action run, with whatever is patched along. Nothing can change the run afterwards."""

    NODE_LOG = "N"
    """A line in the log of a workflow node run."""

    NODE_COMPLETED = "C"
    """The end of a workflow node run, with its result."""

    LOST_ENDED = "!"
    """A worker was lost at a synchronous run, which ends as unknown: nothing else would ever end it."""

    LOST = "?"
    """The same of an asynchronous run: its backend may be at work, so only its log hears of it."""

    DEAD_LETTER = "#"
    """Given up by a script."""

    WAITING = "F"
    """What is ahead of a run that has waited long: why, how many, starts per second, when about (report_waits.lua)."""


BY_SCRIPTS = frozenset({ReportKind.LOST_ENDED, ReportKind.LOST, ReportKind.DEAD_LETTER, ReportKind.WAITING})
"""Written by scripts, which cannot seal: a reason code or numbers in clear, which the sender puts into words."""

CLOSING = frozenset({ReportKind.STATUS, ReportKind.NODE_COMPLETED, ReportKind.LOST_ENDED, ReportKind.DEAD_LETTER})
"""They close Port's record of the run: after one of them nothing but `SEALED_LOGS` may follow."""

SEALED_LOGS = frozenset({ReportKind.LOG, ReportKind.NODE_LOG})

LOGS = SEALED_LOGS | {ReportKind.WAITING}
"""Lines in a run's log: all of a run share one call, and they are dropped first when Port's rate limit is too low."""

TWO_CALLS = frozenset({ReportKind.LOST_ENDED, ReportKind.DEAD_LETTER})
"""What takes two calls, a line and a status; each other kind takes one. `PATCH` goes with `STATUS`."""


def lua_report_kinds() -> str:
    """The table as Lua text: each kind as `REPORT_<NAME>`, each set as a text to look in (see `states.lua_table`)."""
    sets = {"CLOSING": CLOSING, "SEALED_LOGS": SEALED_LOGS, "LOGS": LOGS, "TWO_CALLS": TWO_CALLS}
    names = [f"REPORT_{kind.name}" for kind in ReportKind] + [f"REPORTS_{name}" for name in sets]
    values = [kind.value for kind in ReportKind] + ["".join(sorted(kinds)) for kinds in sets.values()]
    return f"local {', '.join(names)} = {', '.join(repr(value) for value in values)}\n"
