"""A drill's hold on the ledger: that it is the only one, and its target's pause, which does not outlast it.

A drill that dies resumes nothing; its lease lapses, and a worker's sweep resumes the target (scripts/sweep.lua).
"""

import secrets
from enum import StrEnum

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.scripts import Script
from longshore.ledger.text import decode, encode

LEASE_S = 60.0
"""Longer than a step of a drill takes, reading a large ledger say."""


class DrillStart(StrEnum):
    """How a drill began, or why it did not."""

    OK = "ok"
    OTHER_DRILL = "drill"
    PAUSED = "paused"


class DrillLease:
    """The hold of one drill of `target`. Raises `StoreUnavailable` when Redis is away."""

    def __init__(self, ledger: Ledger, target: str) -> None:
        self._ledger = ledger
        self._target = target
        self._id = secrets.token_hex(8)

    def begin(self) -> DrillStart:
        """Pauses the target; in one step with finding that nobody else has, and that no other drill goes on."""
        return DrillStart(_run(self._ledger, "begin", self._id, self._target))

    def renew(self) -> None:
        """Say that the drill goes on. Nothing where its lease has lapsed, and another one has begun."""
        _run(self._ledger, "renew", self._id, self._target)

    def resume(self) -> None:
        """Take the pause back, unless an operator has paused the target since."""
        _run(self._ledger, "resume", self._id, self._target)

    def end(self) -> None:
        """The same, and another drill may begin."""
        _run(self._ledger, "end", self._id, self._target)


def yield_pause(ledger: Ledger, target: str) -> None:
    """An operator pauses `target`: a drill that has paused it too will not resume it. Raises `StoreUnavailable`."""
    _run(ledger, "yield", "", target)


def _run(ledger: Ledger, act: str, id: str, target: str) -> str:
    values = (ledger.limits.packed(), act, id, encode(target), round(LEASE_S * 1000))
    with reaching_store():
        answer: bytes = Script.get("drill").run(ledger.redis.execute_command, ledger.keys.prefix, *values)
    return decode(answer)
