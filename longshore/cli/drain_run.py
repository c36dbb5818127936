"""The steps of `longshore drain` one after the other, with what they say meanwhile."""

import math
import time
from pathlib import Path

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED, INTERRUPTED
from longshore.ledger.intake import IntakeStop, read_stop
from longshore.ledger.unfinished import UnfinishedCounts, count_unfinished
from longshore.operations import drain as operation
from longshore.operations import leftovers
from longshore.operations.drain import Group, PartitionEnd
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.leftovers import Leftover

PROGRESS_S = 5.0
MAX_NAMES = 20
"""How many invocations are named for each reason for which they are left; an export has all."""
COMMIT_S = 30.0
"""How long commits are waited for after `--timeout` is over: COMMIT_DELAY_S, and a turn of ingest."""


class DrainRun:
    """One drain, and what it has found."""

    def __init__(self, access: LedgerAccess, group: Group | None, timeout_s: float | None, export: Path | None) -> None:
        """`group` is None where runs are polled."""
        self._access = access
        self._group = group
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self._printed: tuple[float, str] = (-math.inf, "")
        self.export = export
        self.exported = 0
        self.stop: IntakeStop | None = None
        self.counts: UnfinishedCounts
        self.leftover_counts: dict[str, int] = {}
        self.leftovers: list[Leftover] = []
        self.ends: list[PartitionEnd] = []

    def run(self, dry_run: bool) -> "DrainRun":
        """Drains, or only looks. Ends the command where a person interrupts it, or the file cannot be written."""
        if dry_run:
            self.stop = read_stop(self._access.ledger)
            self.counts = count_unfinished(self._access.ledger)
            self._look()
            self.ends = operation.read_ends(self._access, self._group) if self._group else []
            return self
        self.stop = operation.stop_intake(self._access, options.resolve_actor())
        terminal.say(f"Intake is stopped, by {self.stop.by} since {terminal.format_time(self.stop.at_ms)}.")
        try:
            self._finish()
        except KeyboardInterrupt:
            terminal.say("Interrupted. Intake stays stopped: start again to go on, or give --cancel.")
            raise typer.Exit(INTERRUPTED) from None
        return self

    def _finish(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        self.counts = operation.wait_until_finished(self._access, deadline, self._show_progress)
        self._look()
        if self.export is not None:
            try:
                self.exported = leftovers.export_leftovers(self._access, self.export)
            except OSError as error:
                terminal.say(f"longshore: {self.export} cannot be written: {error.strerror}. Intake stays stopped.")
                raise typer.Exit(FAILED) from None
        if self._group is None:
            return
        if self.counts.total and self.export is None:
            self.ends = operation.read_ends(self._access, self._group)
        else:
            patience_s = COMMIT_S + max(0.0, min(deadline - time.monotonic(), COMMIT_S))
            self.ends = operation.settle_commits(self._access, self._group, time.monotonic() + patience_s)

    def _look(self) -> None:
        records = leftovers.find_leftovers(self._access)
        self.leftover_counts, self.leftovers = leftovers.count_leftovers(records, MAX_NAMES)

    @property
    def is_empty(self) -> bool:
        """Whether the ledger holds nothing that is not exported or committed."""
        is_left = bool(self.leftover_counts or self.counts.total) and self.export is None
        return not is_left and all(end.is_settled for end in self.ends)

    def _show_progress(self, counts: UnfinishedCounts) -> None:
        text = _describe(counts)
        printed_at, printed = self._printed
        if text != printed and (time.monotonic() - printed_at >= PROGRESS_S or not counts.total):
            self._printed = (time.monotonic(), text)
            terminal.say(text)


def _describe(counts: UnfinishedCounts) -> str:
    causes = ", ".join(f"{cause} {number}" for cause, number in sorted(counts.waiting.items()))
    parts = [
        f"{counts.waiting.total()} waiting{f' ({causes})' if causes else ''}",
        f"{counts.in_flight} in flight",
        f"reports of {counts.reports} left",
    ]
    if counts.acknowledgements:
        parts.append(f"{counts.acknowledgements} to acknowledge to Port")
    if counts.jobs:
        parts.append(f"{counts.jobs} requeue jobs")
    if not counts.workers and counts.total:
        parts.append("but no worker is there to finish it")
    return ", ".join(parts) + "."
