"""The agent in numbers, for people and programs."""

from collections import Counter
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.ledger.text import decode, number


def read_stats(ledger: Ledger) -> dict[str, int]:
    """Counts: those that end in `_in_all` since the ledger began, the others now. Raises `StoreUnavailable`."""
    keys = ledger.keys
    with reaching_store():
        pipe = ledger.redis.pipeline(transaction=False)
        for key in (keys.leases, keys.fleet, keys.dead, keys.unknown, keys.outbox, keys.acks):
            pipe.zcard(key)
        pipe.hgetall(keys.counts)
        pipe.hvals(keys.slots)
        in_flight, workers, dead, unknown, outbox, held_runs, fields, slots = pipe.execute()
    counts = Counter({decode(name): number(value) for name, value in fields.items()})
    return {
        "waiting": counts["backlog"],
        "held_runs": held_runs,
        "in_flight": in_flight,
        "worker_processes": workers,
        "slots": sum(map(number, slots)),
        "dead_letters": dead,
        "unknown_outcomes": unknown,
        "runs_with_reports_to_send": outbox,
        "accepted_in_all": counts["accepted"],
        "delivered_in_all": counts[State.DONE],
        "retried_in_all": counts["retried"],
        "requeued_in_all": counts["requeued"],
    }


def move_counts(ledger: Ledger) -> Counter[str]:
    """How many invocations made each move since the ledger began, and how many wait (`backlog`).

    Raises `StoreUnavailable`.
    """
    with reaching_store():
        counts: Any = ledger.redis.hgetall(ledger.keys.counts)
    return Counter({decode(name): number(count) for name, count in counts.items()})
