"""What `longshore drain` found, for people and for programs."""

from typing import Any

from config.settings import Settings
from longshore.cli import terminal
from longshore.cli.drain_run import MAX_NAMES, DrainRun
from longshore.operations.drain import PartitionEnd
from longshore.operations.leftovers import Leftover


def print_result(settings: Settings, result: DrainRun) -> None:
    """Prints tables of what is left and of the offsets, and says what that means."""
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


def _conclude(result: DrainRun) -> str:
    if result.is_empty:
        return "Nothing is left: stop this agent, then start the other one. To go on here instead, give --cancel."
    if not all(end.is_settled for end in result.ends):
        return "Not all of it is committed: the next reader would do some of it again."
    return (
        "Something is left: wait longer, resume what is paused, requeue or discard what holds its order, or give "
        "--export FILE. --cancel lets intake go on."
    )


def as_json(settings: Settings, result: DrainRun) -> dict[str, Any]:
    """The same as a JSON object."""
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
