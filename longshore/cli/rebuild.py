"""`longshore rebuild`: after a total loss of Redis, read Kafka again and store what the ledger does not know."""

import time
from typing import Annotated

import typer

from config.roles import Role
from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED, REFUSED
from longshore.cli.start import start_program
from longshore.errors import ConfigError

PROGRESS_S = 1.0


def rebuild(
    since: Annotated[str, typer.Option(help="An ISO time (UTC unless it says otherwise), or e.g. 2h before now.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing, only count.")] = False,
    as_json: Annotated[bool, options.JSON] = False,
    yes: Annotated[bool, options.YES] = False,
) -> None:
    """Read Kafka again from a time on, and store what the ledger does not know. For a Redis that was lost.

    Reads all partitions of both topics, outside the consumer group and without committing; the agent may go on. What
    the ledger knows is left alone. What was delivered before Redis was lost is forgotten, and so delivered again.
    """
    since_ms = options.parse_time_ms(since)
    if since_ms > time.time() * 1000 + 1:
        raise typer.BadParameter("the time lies ahead", param_hint="--since")
    settings = start_program(Role.INGEST)
    if settings.is_polling:
        raise ConfigError("STREAMER_NAME", "POLLING leaves nothing to read again", "Only Kafka keeps what was read")
    from ingest.kafka.rebuild import RebuildProgress
    from ingest.wiring import make_rebuild

    rebuild_job = make_rebuild(settings, dry=dry_run)
    try:
        ranges = rebuild_job.ranges(since_ms)
        total = sum(offset_range.next - offset_range.first for offset_range in ranges)
        partitions = sum(offset_range.next > offset_range.first for offset_range in ranges)
        terminal.say(
            f"Since {terminal.format_time(since_ms)}: {total} messages on {partitions} of {len(ranges)} partitions of "
            f"{settings.runs_topic} and {settings.change_log_topic}."
        )
        for offset_range in ranges:
            if offset_range.is_truncated:
                topic, partition = offset_range.partition
                terminal.say(f"{topic}/{partition}: Kafka has nothing before offset {offset_range.first} any more.")
        terminal.say(
            "What this ledger knows stays as it is. All else is stored and delivered, also what was delivered before "
            f"and is forgotten: at most {total} invocations, each at most once more. What was published before that "
            "time does not come back."
        )
        if not dry_run and not terminal.confirm(f"Read {total} messages again?", yes):
            raise typer.Exit(REFUSED)
        printed_at = 0.0

        def print_progress(progress: RebuildProgress) -> None:
            nonlocal printed_at
            if time.monotonic() - printed_at >= PROGRESS_S:
                printed_at = time.monotonic()
                waits = f", waiting for {progress.waits_for}" if progress.waits_for else ""
                counts = ", ".join(f"{word} {number}" for word, number in sorted(progress.counts.items()))
                terminal.say(f"{progress.read} of {progress.total} read: {counts or 'nothing yet'}{waits}")

        counts = rebuild_job.run(ranges, print_progress, dry=dry_run)
    except KeyboardInterrupt:
        terminal.say("Interrupted. What is stored stays; start again with the same time.")
        raise typer.Exit(FAILED) from None
    finally:
        rebuild_job.close()
    if as_json:
        terminal.print_json({"read": total, **counts})
    else:
        terminal.print_table(("messages", "number"), [("read", total), *sorted(counts.items())])
