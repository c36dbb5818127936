"""The order of an invocation: those of one key are delivered one after the other. `scripts/order.lua` keeps it."""

from dataclasses import dataclass
from typing import Any, Literal

import redis

from longshore.ledger.connection import reaching_store
from longshore.ledger.keys import Keys
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.ledger.text import decode, encode

_STATES = frozenset(state.value.encode() for state in State)


@dataclass(frozen=True, slots=True)
class Turn:
    """What an invocation waits behind in its order."""

    ahead: int
    """How many come before it."""
    first: str
    """Id of the first of them: the one that is under way, or holds the others."""
    first_state: State

    @property
    def is_held(self) -> bool:
        """Whether only an operator's requeue or discard of the first one lets the others go on."""
        return self.first_state in (State.DEAD, State.UNKNOWN)


def make_order(sealer: Sealer, target: str, key: str, behind_dead: Literal["go_on", "hold"]) -> str:
    """The field `order` of a record; the key is in it as a digest, which bounds its size and hides what it is."""
    return f"{behind_dead} {sealer.digest('order', target, key)}"


def read_turn(client: "redis.Redis", keys: Keys, id: str, order: str) -> Turn | None:
    """What `id` waits behind in the `order` of its record; None if it is the first, or has no order."""
    if not order:
        return None
    key = keys.order(order.partition(" ")[2])
    with reaching_store():
        ahead: Any = client.zrank(key, encode(id))
        first: Any = client.zrange(key, 0, 0) if ahead else []
        state: Any = client.hget(keys.invocation(decode(first[0])), "state") if first else None
    return Turn(ahead, decode(first[0]), State(decode(state))) if state in _STATES else None
