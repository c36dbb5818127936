"""The background audit: one process of the fleet does it for all, and publishes the result in Redis."""

import json
from dataclasses import dataclass
from typing import Any

from longshore.ledger.audit import Balance, audit
from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of the last audit."""

    unaccounted: int
    problems: int
    at_ms: int
    """When it ended, in ms since 1970."""


class FleetAudit:
    """Audits in turn with the other processes of the fleet. Raises `StoreUnavailable` when Redis is away.

    A process that dies in its turn delays the next audit until the turn lapses, and nothing else.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._client = ledger.redis
        self._keys = ledger.keys

    def take_turn(self, lapse_s: float) -> bool:
        """Whether the caller is to audit now; if so, nobody else is for `lapse_s`."""
        with reaching_store():
            return bool(self._client.set(self._keys.audit_turn, b"1", nx=True, px=round(lapse_s * 1000)))

    def audit(self) -> Balance:
        """Adds up the ledger, see `longshore.ledger.audit`."""
        return audit(self._ledger)

    def publish(self, balance: Balance, next_s: float) -> None:
        """Publishes the result of an audit; the next turn is in `next_s`."""
        with reaching_store():
            seconds: Any = self._client.time()[0]
            self._client.set(self._keys.audit_result, _text(balance, int(seconds) * 1000))
            self._client.set(self._keys.audit_turn, b"1", px=round(next_s * 1000))


def parse_result(text: bytes | None) -> AuditResult | None:
    """What `publish` wrote; None before the first audit, or if it cannot be read."""
    try:
        result: Any = json.loads(text or b"")
        return AuditResult(int(result["unaccounted"]), int(result["problems"]), int(result["at_ms"]))
    except (ValueError, KeyError, TypeError):
        return None


def _text(balance: Balance, at_ms: int) -> str:
    return json.dumps(
        {"unaccounted": balance.unaccounted, "problems": len(balance.problems) + balance.unlisted, "at_ms": at_ms}
    )
