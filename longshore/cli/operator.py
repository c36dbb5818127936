"""What the commands of people on call stand on: the ledger, opened with the agent's own settings, as one value."""

import getpass
import math
import os
from dataclasses import dataclass

import typer

from config.ledger import open_ledger, sealer_of
from longshore.cli.start import begin_command
from longshore.store import asking
from longshore.store.ledger import Ledger
from longshore.store.letters import Letters
from longshore.store.requeue import Requeue

SLOWEST = 0.001
"""Starts per second, besides 0 for no limit."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The ledger, and what reads and requeues in it."""

    ledger: Ledger
    letters: Letters
    requeue: Requeue
    worker_slots: int

    @classmethod
    def connect(cls) -> "Operator":
        """With the settings of a worker: the client secret opens what is sealed."""
        settings = begin_command()
        ledger = open_ledger(settings)
        sealer = sealer_of(settings)
        return cls(
            ledger,
            Letters(ledger.redis, ledger.keys, sealer),
            Requeue(ledger.redis, ledger.keys, ledger.limits, sealer),
            settings.worker_slots,
        )


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
        return asking.time_ms(text)
    except asking.Senseless as problem:
        raise typer.BadParameter(str(problem)) from None


def rate_of(value: float | None) -> float | None:
    """`value` if it is a rate; neither nan nor almost nothing is."""
    if value is None or value == 0 or SLOWEST <= value < math.inf:
        return value
    raise typer.BadParameter(f"give 0 for no limit, or at least {SLOWEST} per second")


JSON = typer.Option("--json", help="Print JSON.")
YES = typer.Option("--yes", "-y", help="Do not ask.")
