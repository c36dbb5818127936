"""Claims that are to be acknowledged to Port: who asks Port now, and what its answer makes of them.

The ledger has a run before Port hears that we take it. What Port answers decides: only what may be ours is delivered,
and what may be ours is never dropped. A run that is held is in `Keys.acks`; so a process that dies at any point leaves
it there, and another one asks in its place when the lease has lapsed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis

from longshore.invocation.kinds import Kind
from longshore.ledger.connection import reaching_store
from longshore.ledger.entry import Claim
from longshore.ledger.faults import LedgerFault, with_faults
from longshore.ledger.keys import Keys
from longshore.ledger.ledger import MAX_CLAIMS
from longshore.ledger.limits import Limits
from longshore.ledger.record import parse_claims
from longshore.ledger.scripts import Script
from longshore.ledger.text import decode, encode, number

RETRY_MS = 2_000
"""Before Port is asked again about a run of which it has not heard."""


@dataclass(frozen=True, slots=True)
class PendingAck:
    """A run that the caller, and nobody else, is to acknowledge now."""

    id: str
    kind: Kind
    run: str
    token: int
    is_first: bool
    """Whether Port can have heard no acknowledgement before: only then a refusal means that it is not ours."""


class AckVerdict(StrEnum):
    """What Port's answer means."""

    OURS = "ours"
    """It is ours, or may be: deliver it."""

    NOT_OURS = "not_ours"
    """Somebody else has it: forget it."""

    NOT_HEARD = "not_heard"
    """Port has surely not taken the acknowledgement: ask again."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What has become of the runs, in their order, and what may start at once."""

    outcomes: tuple[str | LedgerFault, ...]
    """Of each its state; `gone`, it has no record; `stale`, somebody else asks; or what is wrong with its record."""
    claims: tuple[Claim, ...]
    workers: int
    """How many worker processes the fleet has."""


class Acknowledgements:
    """The runs to acknowledge. Thread safe; raises `StoreUnavailable` when Redis is away.

    Then nobody knows whether the script ran. Either may be called again.
    """

    def __init__(self, client: "redis.Redis", keys: Keys, limits: Limits) -> None:
        self._redis = client
        self._keys = keys
        self._limits = limits.packed()
        self._lease = Script.get("lease_acks")
        self._settle = Script.get("settle_acks")
        self._room = Script.get("poll_room")

    def lease(self, max_runs: int, lease_ms: int) -> list[PendingAck]:
        """Up to `max_runs` that are due. Port is to be asked at once, as each counts as asked from now on."""
        rows = iter(self._run(self._lease, max_runs, lease_ms))
        return [
            PendingAck(decode(id), Kind(decode(kind)), decode(run), int(token), first == b"1")
            for id, kind, run, token, first in zip(*[rows] * 5, strict=True)
        ]

    def settle(self, verdicts: Sequence[tuple[PendingAck, AckVerdict]], max_claims: int = MAX_CLAIMS) -> Settlement:
        """Applies what Port said of each, and claims what may start at once."""
        values = [value for ack, verdict in verdicts for value in (encode(ack.id), ack.token, verdict.value)]
        answers, claims, workers = self._run(self._settle, max_claims, RETRY_MS, *values)
        outcomes = with_faults("settle_acks", answers)
        return Settlement(
            tuple(outcome if isinstance(outcome, LedgerFault) else decode(outcome) for outcome in outcomes),
            parse_claims(claims),
            int(workers),
        )

    def room(self) -> int:
        """How many more runs could start soon: the fleet's free slots, less what is still to be acknowledged."""
        return int(self._run(self._room))

    def count(self) -> int:
        """How many are to be acknowledged."""
        with reaching_store():
            return int(self._redis.zcard(self._keys.acks))

    def count_overdue(self, seconds: float) -> int:
        """How many of them have been due for longer than `seconds`."""
        with reaching_store():
            lease_now: Any = self._redis.hget(self._keys.clock, "lease")
            return int(self._redis.zcount(self._keys.acks, "-inf", number(lease_now) - 1000 * seconds))

    def _run(self, script: Script, *values: Any) -> Any:
        with reaching_store():
            return script.run(self._redis.execute_command, self._keys.prefix, self._limits, *values)
