"""`longshore drain`: finishes what is under way, so that Port's own agent can take over again."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings
from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED, INTERRUPTED, REFUSED
from longshore.cli.start import start_command
from longshore.ledger.intake import IntakeStop, read_stop
from longshore.ledger.unfinished import UnfinishedCounts, count_unfinished
from longshore.operations import drain as operation
from longshore.operations import leftovers
from longshore.operations.drain import Group, PartitionEnd
from longshore.operations.ledger_access import LedgerAccess, open_ledger
from longshore.operations.leftovers import Leftover
from longshore.runtime import ca_trust

PROGRESS_S = 5.0
MAX_NAMES = 20
"""How many invocations are named for each reason for which they are left; an export has all."""
COMMIT_S = 30.0
"""How long commits are waited for after `--timeout` is over: COMMIT_DELAY_S, and a turn of ingest."""


def drain(
    to_empty: Annotated[bool, typer.Option("--to-empty", help="Stop intake, and wait until all is finished.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Let intake go on.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to wait at most; without it, as long as it takes.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write what is left over to this file, one JSON object per line, without payloads."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only show what is there.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
) -> None:
    """Finish everything, so that Port's own agent can take over. Intake stops, until --cancel, in all of the fleet.

    Then waits until nothing is unfinished and all is committed, and says from which offset each partition is read on.
    Succeeds only if the ledger holds nothing that is not in the export too: then it may be deleted.
    """
    if to_empty == cancel:
        raise typer.BadParameter("give --to-empty or --cancel")
    if cancel:
        operation.cancel(options.connect(), options.resolve_actor())
        terminal.say("Intake goes on.")
        return
    settings = start_command()
    access = open_ledger(settings)
    # Whoever cannot ask Kafka should learn it before anything has changed.
    with _open_group(settings) as group:
        result = _Drain(access, group, timeout, export).run(dry_run)
    if as_json:
        terminal.print_json(_as_json(settings, result))
    else:
        _print(settings, result)
    if not dry_run and not result.is_empty:
        raise typer.Exit(REFUSED)


class _Drain:
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

    def run(self, dry_run: bool) -> "_Drain":
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


@contextmanager
def _open_group(settings: Settings) -> Iterator[Group | None]:
    if settings.is_polling:
        yield None
        return
    from ingest.wiring import make_group_offsets

    with ca_trust.temporary_bundle(settings, os.environ), closing(make_group_offsets(settings)) as group:
        group.read()
        yield group


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


def _print(settings: Settings, result: _Drain) -> None:
    if result.leftovers:
        terminal.print_table(
            ("left", "id", "run", "origin", "target", "reason"),
            [(each.why, *_name(each), each.record.target, each.record.reason) for each in result.leftovers],
        )
    for why, count in result.leftover_counts.items():
        terminal.say(f"{count} left: {why}{f', {MAX_NAMES} of them shown' if count > MAX_NAMES else ''}.")
    if result.exported:
        terminal.say(f"{result.exported} exported to {result.export}.")
    if result.ends:
        terminal.say(f"The consumer group {settings.kafka_consumer_group_id} goes on, whoever its members are, at:")
        terminal.print_table(
            ("topic", "partition", "offset", "read again"), [_format_end(settings, end) for end in result.ends]
        )
    terminal.say(_conclude(result))


def _name(leftover: Leftover) -> tuple[str, str, str]:
    return leftover.record.id, leftover.record.run, leftover.record.origin


def _format_end(settings: Settings, end: PartitionEnd) -> tuple[object, ...]:
    offset = f"none: {settings.kafka_consumer_auto_offset_reset}" if end.committed is None else end.committed
    return (*end.partition, offset, _read_again(end))


def _read_again(end: PartitionEnd) -> int:
    return 0 if end.is_settled or end.ledger_next is None else end.ledger_next - (end.committed or 0)


def _conclude(result: _Drain) -> str:
    if result.is_empty:
        return "Nothing is left: stop this agent, then start the other one. To go on here instead, give --cancel."
    if not all(end.is_settled for end in result.ends):
        return "Not all of it is committed: the next reader would do some of it again."
    return (
        "Something is left: wait longer, resume what is paused, requeue or discard what holds its order, or give "
        "--export FILE. --cancel lets intake go on."
    )


def _as_json(settings: Settings, result: _Drain) -> dict[str, Any]:
    counts = result.counts
    return {
        "empty": result.is_empty,
        "stopped": {"by": result.stop.by, "at_ms": result.stop.at_ms} if result.stop else None,
        "unfinished": {
            "waiting": dict(counts.waiting),
            "in_flight": counts.in_flight,
            "to_acknowledge": counts.acknowledgements,
            "reports": counts.reports,
            "jobs": counts.jobs,
        },
        "left": dict(result.leftover_counts),
        "first_left": [{**each.as_dict(), "acknowledged": each.why != "unacknowledged"} for each in result.leftovers],
        "exported": result.exported,
        "group": None if settings.is_polling else settings.kafka_consumer_group_id,
        "offsets": [
            {
                "topic": end.partition[0],
                "partition": end.partition[1],
                "offset": end.committed,
                "read_again": _read_again(end),
            }
            for end in result.ends
        ],
    }
