"""`longshore drain`: finishes what is under way, so that Port's own agent can take over again."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from config.settings import Settings
from longshore.cli import drain_output, options, terminal
from longshore.cli.drain_run import DrainRun
from longshore.cli.exit_codes import REFUSED
from longshore.cli.start import start_command
from longshore.operations import drain as operation
from longshore.operations.drain import Group
from longshore.operations.ledger_access import open_ledger
from longshore.runtime import ca_trust


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
        result = DrainRun(access, group, timeout, export).run(dry_run)
    if as_json:
        terminal.print_json(drain_output.as_json(settings, result))
    else:
        drain_output.print_result(settings, result)
    if not dry_run and not result.is_empty:
        raise typer.Exit(REFUSED)


@contextmanager
def _open_group(settings: Settings) -> Iterator[Group | None]:
    if settings.is_polling:
        yield None
        return
    from ingest.wiring import make_group_offsets

    with ca_trust.temporary_bundle(settings, os.environ), closing(make_group_offsets(settings)) as group:
        group.read()
        yield group
