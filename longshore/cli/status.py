"""`longshore status`: the agent in ten lines."""

from typing import Annotated, Any

from longshore.cli import options, terminal
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.intake import read_stop
from longshore.ledger.scan import Filter
from longshore.ledger.stats import read_stats
from longshore.operations.ledger_access import LedgerAccess


def status(as_json: Annotated[bool, options.JSON] = False) -> None:
    """Show what waits, what is in flight, what has ended, and who is there to work."""
    summary = read_status(options.connect())
    if as_json:
        terminal.print_json(summary)
        return
    terminal.print_table(
        ("what", "count"), [(name, value) for name, value in summary.items() if not isinstance(value, list)]
    )
    for name in ("dead", "broken"):
        for line in summary[f"{name}_by"]:
            terminal.say(f"{name}: {line}")


def read_status(access: LedgerAccess) -> dict[str, Any]:
    """What is shown; counters are since the ledger began."""
    ledger = access.ledger
    counts_by_reason = access.invocations.count(Filter())
    stop = read_stop(ledger)
    return {
        "intake": f"stopped by {stop.by} since {terminal.format_time(stop.at_ms)}" if stop else "open",
        **{name.replace("_", " "): count for name, count in read_stats(ledger).items()},
        "dead_by": [f"{count} {reason} ({state})" for (state, reason), count in counts_by_reason.most_common(10)],
        "broken_by": [
            f"{line.lane or line.target}: {line.breaker}"
            for line in access.targets.statuses()
            if line.breaker not in (BreakerStatus.CLOSED, BreakerStatus.FAILING)
        ],
    }
