"""`longshore shadow`: what Longshore would send, written down beside an agent that goes on."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from longshore.cli import options, terminal
from longshore.cli.shadow_diff import diff
from longshore.cli.shadow_record import record
from longshore.cli.shadow_start import as_unwritable, describe_counts, start
from longshore.errors import ConfigError

PROGRESS_S = 10.0
POLL_S = 1.0

commands = typer.Typer(invoke_without_command=True)


@commands.callback(invoke_without_command=True)
def shadow(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="The file of lines to append to.")] = Path("shadow.jsonl"),
    group: Annotated[
        str, typer.Option(help="Its own consumer group; default: KAFKA_CONSUMER_GROUP_ID and `.shadow`.")
    ] = "",
    since: Annotated[
        str, typer.Option(help="Where a new group begins: an ISO time (UTC unless it says otherwise), or e.g. 2h.")
    ] = "",
    answers: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="What `shadow record` wrote: the answers of the targets."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all that is in the topics was read.")] = False,
) -> None:
    """Write what Longshore would send for each message, beside an agent that goes on. Sends nothing.

    Reads the topics in a consumer group of its own, with the settings and the mapping file of the agent, and appends
    the webhook and the calls to Port of each message to a file. No value is in it, only fingerprints. What the target
    would answer is not known: without a recorded answer, a 200 with an empty body is assumed. Ctrl-C ends it; started
    again, it continues.
    """
    if context.invoked_subcommand is not None:
        return
    since_ms = options.parse_time_ms(since) if since else None
    with ExitStack() as stack:
        settings = stack.enter_context(start())
        if settings.is_polling:
            raise ConfigError("STREAMER_NAME", "POLLING gives each run to one agent only", "Only Kafka can be shadowed")
        group = group or f"{settings.kafka_consumer_group_id}.shadow"
        if group == settings.kafka_consumer_group_id:
            raise ConfigError("--group", "is the agent's own group, which would lose messages to it", "Give another")
        from config.mapping_file import load_mapping
        from ingest.wiring import make_shadow_reader, streams
        from longshore.operations.shadow.answers import Answers, read_lines
        from longshore.operations.shadow.follow import Follower
        from longshore.operations.shadow.line_file import LineFile
        from longshore.operations.shadow.lines import Lines
        from longshore.operations.shadow.shadow import Shadow

        stack.enter_context(as_unwritable(out))
        file = stack.enter_context(LineFile(out, last_kind="message"))
        lines = Lines(settings.secrets, "shadow")
        mapping = load_mapping(settings)
        stack.callback(mapping.close)
        known_answers = Answers(read_lines(answers) if answers else (), lines)
        follower = Follower(Shadow(mapping, settings, known_answers, lines), lines, streams(settings), file)
        reader = make_shadow_reader(settings, group, since_ms)
        stack.callback(reader.close)
        terminal.say(f"Shadow of {settings.runs_topic} and {settings.change_log_topic} as group {group}, into {out}.")
        next_print_s = 0.0
        try:
            while follower.step(reader, POLL_S) or not (once and reader.has_reached_end):
                if time.monotonic() >= next_print_s:
                    next_print_s = time.monotonic() + PROGRESS_S
                    terminal.say(describe_counts(follower.counts))
        except KeyboardInterrupt:
            pass
        terminal.say(f"Ended. {describe_counts(follower.counts)}")


commands.command()(record)
commands.command()(diff)
