"""`longshore audit`: does the ledger add up?"""

from typing import Annotated, Any

import typer

from longshore.cli import options, terminal
from longshore.cli.exit_codes import FAILED
from longshore.ledger.audit import Balance
from longshore.ledger.audit import audit as audit_ledger
from longshore.ledger.states import State


def audit(as_json: Annotated[bool, options.JSON] = False) -> None:
    """Add up every offset that was read and every invocation that was accepted. Only reads; safe while work goes on.

    Exits with 1 if anything is unaccounted for: an accepted invocation in no state, an id in no place or in two.
    """
    ledger = options.connect().ledger
    balance = audit_ledger(ledger)
    if as_json:
        terminal.print_json(_as_json(balance))
    else:
        _print_balance(balance)
    if not balance.is_balanced:
        raise typer.Exit(FAILED)


def _as_json(balance: Balance) -> dict[str, Any]:
    return {
        "adds_up": balance.is_balanced,
        "accepted": balance.accepted,
        "states": {state.value: balance.present[state] for state in State},
        "expired": balance.expired,
        "removed": balance.removed,
        "unaccounted": balance.unaccounted,
        "partitions": {
            name: {**counters, "states": dict(balance.states[name])}
            for name, counters in sorted(balance.partitions.items())
        },
        "problems": [{"what": what, "problem": problem} for what, problem in balance.problems],
        "more_problems": balance.unlisted,
    }


def _print_balance(balance: Balance) -> None:
    names = sorted(balance.partitions)
    terminal.print_table(
        ("partition", "read", "accepted", "repeated", "skipped", "gaps", *(state.value for state in State)),
        [_format_row(name, balance) for name in names],
    )
    present = ", ".join(f"{balance.present[state]} {state}" for state in State if balance.present[state])
    terminal.say(
        f"{balance.accepted} accepted = {present or 'none'} + {balance.expired} delivered and expired"
        f" + {balance.removed} dropped + {balance.unaccounted} unaccounted for"
    )
    for what, problem in balance.problems:
        terminal.say(f"{what} {problem}")
    if balance.unlisted:
        terminal.say(f"and {balance.unlisted} more")
    terminal.say("It adds up." if balance.is_balanced else "It does not add up.")


def _format_row(name: str, balance: Balance) -> tuple[Any, ...]:
    counters = balance.partitions[name]
    repeated = counters.get("repeated", 0) + counters.get("repeated_elsewhere", 0)
    skipped = sum(n for what, n in counters.items() if what.startswith("skipped:"))
    states = balance.states[name]
    numbers = (counters.get("read", 0), counters.get("accepted", 0), repeated, skipped, counters.get("gaps", 0))
    return (name, *numbers, *(states.get(state, 0) for state in State))
