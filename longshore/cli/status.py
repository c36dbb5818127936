"""`longshore status`: the agent in ten lines."""

from typing import Annotated, Any

from longshore.cli import options, terminal
from longshore.ledger.breaker import BreakerStatus
from longshore.ledger.scan import Filter
from longshore.ledger.stats import read_stats as counted
from longshore.operations.ledger_access import LedgerAccess


def status(as_json: Annotated[bool, options.JSON] = False) -> None:
    """Show what waits, what is in flight, what has ended, and who is there to work."""
    found = numbers(options.connect())
    if as_json:
        terminal.as_json(found)
        return
    terminal.table(("what", "count"), [(name, value) for name, value in found.items() if not isinstance(value, list)])
    for name in ("dead", "broken"):
        for line in found[f"{name}_by"]:
            terminal.say(f"{name}: {line}")


def numbers(access: LedgerAccess) -> dict[str, Any]:
    """What is shown; counters are since the ledger began."""
    ledger = access.ledger
    ended = access.invocations.count(Filter())
    return {
        **{name.replace("_", " "): count for name, count in counted(ledger).items()},
        "dead_by": [f"{count} {reason} ({state})" for (state, reason), count in ended.most_common(10)],
        "broken_by": [
            f"{line.lane or line.target}: {line.breaker}"
            for line in access.targets.statuses()
            if line.breaker not in (BreakerStatus.CLOSED, BreakerStatus.FAILING)
        ],
    }
