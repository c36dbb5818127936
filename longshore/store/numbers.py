"""The agent in numbers, for people and programs."""

from collections import Counter

import redis

from longshore.store.connection import reaching_store
from longshore.store.keys import Keys
from longshore.store.states import State


def numbers(client: "redis.Redis", keys: Keys) -> dict[str, int]:
    """Counts: those that end in `_in_all` since the ledger began, the others now. Raises `StoreUnavailable`."""
    with reaching_store():
        pipe = client.pipeline(transaction=False)
        for key in (keys.leased, keys.fleet, keys.dead, keys.unknown, keys.outbox):
            pipe.zcard(key)
        pipe.hgetall(keys.counts)
        pipe.hvals(keys.slots)
        in_flight, workers, dead, unknown, outbox, raw, slots = pipe.execute()
    counts = Counter({name.decode(): int(value) for name, value in raw.items()})
    return {
        "waiting": counts["backlog"],
        "in_flight": in_flight,
        "worker_processes": workers,
        "slots": sum(int(one) for one in slots),
        "dead_letters": dead,
        "unknown_outcomes": unknown,
        "runs_with_reports_to_send": outbox,
        "accepted_in_all": counts["accepted"],
        "delivered_in_all": counts[State.DONE],
        "retried_in_all": counts["retried"],
        "requeued_in_all": counts["requeued"],
    }
