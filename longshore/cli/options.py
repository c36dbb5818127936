"""What operator commands share: the ledger, opened with the agent's settings; the actor; parsed option values."""

import getpass
import math
import os

import typer

from longshore.cli.start import start_command
from longshore.ledger import filter_parsing
from longshore.operations.ledger_access import LedgerAccess, open_ledger

MIN_RATE = 0.001
"""Starts per second, besides 0 for no limit."""


def connect() -> LedgerAccess:
    """The agent's ledger, with the settings of a worker: the client secret decrypts its values."""
    return open_ledger(start_command())


def resolve_actor() -> str:
    """Who runs this command: `LONGSHORE_ACTOR`, or the login name."""
    name = os.environ.get("LONGSHORE_ACTOR", "")
    if name:
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container's user often has no name


def parse_time_ms(text: str) -> int:
    """`text` as ms since 1970: an ISO time (UTC unless it says otherwise), or a span before now such as `2h`."""
    try:
        return filter_parsing.time_ms(text)
    except filter_parsing.InvalidFilter as problem:
        raise typer.BadParameter(str(problem)) from None


def parse_rate(value: float | None) -> float | None:
    """`value` if it is a valid rate: neither nan nor between 0 and `MIN_RATE`."""
    if value is None or value == 0 or MIN_RATE <= value < math.inf:
        return value
    raise typer.BadParameter(f"give 0 for no limit, or at least {MIN_RATE} per second")


JSON = typer.Option("--json", help="Print JSON.")
YES = typer.Option("--yes", "-y", help="Do not ask.")
