"""What the commands of people on call share: the ledger, opened with the agent's own settings; options."""

import getpass
import math
import os

import typer

from longshore.cli.start import begin_command
from longshore.ledger import filter_parsing
from longshore.operations.ledger_access import LedgerAccess, open_ledger

SLOWEST = 0.001
"""Starts per second, besides 0 for no limit."""


def connect() -> LedgerAccess:
    """The agent's ledger, with the settings of a worker: the client secret opens what is sealed."""
    return open_ledger(begin_command())


def actor() -> str:
    """Who runs this command: `LONGSHORE_ACTOR`, else the login name."""
    given = os.environ.get("LONGSHORE_ACTOR", "")
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container's user often has no name


def time_ms(text: str) -> int:
    """`text` as ms since 1970: an ISO time (UTC unless it says otherwise), or a span before now such as `2h`."""
    try:
        return filter_parsing.time_ms(text)
    except filter_parsing.InvalidFilter as problem:
        raise typer.BadParameter(str(problem)) from None


def rate_of(value: float | None) -> float | None:
    """`value` if it is a rate; neither nan nor almost nothing is."""
    if value is None or value == 0 or SLOWEST <= value < math.inf:
        return value
    raise typer.BadParameter(f"give 0 for no limit, or at least {SLOWEST} per second")


JSON = typer.Option("--json", help="Print JSON.")
YES = typer.Option("--yes", "-y", help="Do not ask.")
