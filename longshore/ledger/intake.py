"""Whether the ledger takes new invocations. An operator stops intake, for the whole fleet, until one lets it go on.

The stop stands in Redis and `accept.lua` looks at it in the same step in which it would store a batch. So once the stop
is written nothing more is accepted, by no ingest, started or not; what was read and not accepted is not committed.
"""

import json
from dataclasses import asdict, dataclass

from longshore.ledger import scripts
from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class IntakeStop:
    """Who stopped intake, and when (ms since 1970)."""

    by: str
    at_ms: int


def stop_intake(ledger: Ledger, actor: str) -> IntakeStop:
    """From now on the ledger accepts nothing. Returns the stop that holds, which may be an earlier one.

    Raises `StoreUnavailable`.
    """
    return _parse(_set(ledger, json.dumps(asdict(IntakeStop(actor, ledger.clock_ms()))))) or IntakeStop("", 0)


def resume_intake(ledger: Ledger) -> None:
    """Ends a stop, if there is one; ingest reads on within a second. Raises `StoreUnavailable`."""
    _set(ledger, "")


def read_stop(ledger: Ledger) -> IntakeStop | None:
    """The stop that holds now, if any. Raises `StoreUnavailable`."""
    with reaching_store():
        note = ledger.redis.get(ledger.keys.intake)
    return _parse(note)  # type: ignore[arg-type]


def _set(ledger: Ledger, note: str) -> bytes:
    with reaching_store():
        script = scripts.Script.get("stop_intake")
        answer: bytes = script.run(ledger.redis.execute_command, ledger.keys.prefix, "", note)
        return answer


def _parse(note: bytes | None) -> IntakeStop | None:
    """The stop that `note` says; one by nobody where it cannot be read, as it holds all the same."""
    if not note:
        return None
    try:
        return IntakeStop(**json.loads(note))
    except (ValueError, TypeError):
        return IntakeStop("", 0)
