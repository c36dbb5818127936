"""What the commands of people on call stand on: the ledger, opened with the agent's own settings, as one value."""

import getpass
import math
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

import typer

from config.embedded_redis import settings_beside_an_agent
from config.ledger import open_ledger
from longshore.invocation.kinds import Kind
from longshore.store.ledger import Ledger
from longshore.store.letters import Letters
from longshore.store.requeue import Requeue
from longshore.store.seal import Sealer
from longshore.store.sift import Filter

STATES = ("dead", "unknown")
KINDS = tuple(kind.value for kind in Kind)
SLOWEST = 0.001
"""Starts per second, besides 0 for no limit."""

_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


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
        settings = settings_beside_an_agent()
        ledger = open_ledger(settings)
        sealer = Sealer(settings.port_client_secret, settings.port_client_secret_previous)
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
    if not text:
        return 0
    if found := _SPAN.fullmatch(text):
        return round((time.time() - int(found[1]) * _UNITS[found[2]]) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is no time: give e.g. 2026-01-31T12:00 (UTC) or 2h, 30m, 1d before now"
        raise typer.BadParameter(problem) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def wanted(state: str, reason: str, target: str, lane: str, kind: str, since: str, until: str, text: str) -> Filter:
    """The filter that the options of a command describe."""
    for name, given, known in (("state", state, STATES), ("kind", kind, KINDS)):
        if given and given not in known:
            near = get_close_matches(given, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"give one of {', '.join(known)}"
            raise typer.BadParameter(f"there is no {name} {given!r}; {hint}")
    states = (state,) if state else STATES
    return Filter(states, reason, target, lane, kind, time_ms(since), time_ms(until), text)


def rate_of(value: float | None) -> float | None:
    """`value` if it is a rate; neither nan nor almost nothing is."""
    if value is None or value == 0 or SLOWEST <= value < math.inf:
        return value
    raise typer.BadParameter(f"give 0 for no limit, or at least {SLOWEST} per second")


STATE = typer.Option(help="dead or unknown; both by default.")
REASON = typer.Option(help="Reason code, e.g. http_500.")
TARGET = typer.Option(help="Target, e.g. http://deployer.internal:8080.")
LANE = typer.Option(help="Lane, or the action alone.")
KIND = typer.Option(help="action_run, node_run or change_log.")
SINCE = typer.Option(help="Ended since: an ISO time, or e.g. 2h.")
UNTIL = typer.Option(help="Ended until: an ISO time, or e.g. 30m.")
TEXT = typer.Option(help="Part of the run id, or of what the attempts say.")
JSON = typer.Option("--json", help="Print JSON.")
YES = typer.Option("--yes", "-y", help="Do not ask.")
