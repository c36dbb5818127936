"""`longshore status`: the agent in ten lines."""

from typing import Annotated, Any

from longshore.cli import operator, terminal
from longshore.cli.operator import Operator
from longshore.store.connection import reaching_store
from longshore.store.sift import Filter
from longshore.store.targets import Targets


def status(as_json: Annotated[bool, operator.JSON] = False) -> None:
    """Show what waits, what is in flight, what has ended, and who is there to work."""
    agent = Operator.connect()
    found = numbers(agent)
    if as_json:
        terminal.as_json(found)
        return
    terminal.table(("what", "count"), [(name, value) for name, value in found.items() if not isinstance(value, list)])
    for name in ("dead", "broken"):
        for line in found[f"{name}_by"]:
            terminal.say(f"{name}: {line}")


def numbers(agent: Operator) -> dict[str, Any]:
    """What is shown; counters are since the ledger began."""
    keys, client = agent.ledger.keys, agent.ledger.redis
    with reaching_store():
        pipe = client.pipeline(transaction=False)
        for key in (keys.leased, keys.fleet, keys.dead, keys.unknown, keys.outbox):
            pipe.zcard(key)
        pipe.hgetall(keys.counts)
        pipe.hvals(keys.slots)
        in_flight, workers, dead, unknown, outbox, raw, slots = pipe.execute()
    counts = {name.decode(): int(value) for name, value in raw.items()}
    ended = agent.letters.count(Filter())
    targets = Targets(client, keys, agent.ledger.limits)
    return {
        "waiting": counts.get("backlog", 0),
        "in flight": in_flight,
        "worker processes": workers,
        "slots": sum(int(one) for one in slots),
        "dead letters": dead,
        "unknown outcomes": unknown,
        "runs with reports to send": outbox,
        "accepted in all": counts.get("accepted", 0),
        "delivered in all": counts.get("done", 0),
        "retried in all": counts.get("retried", 0),
        "requeued in all": counts.get("requeued", 0),
        "dead_by": [f"{count} {reason} ({state})" for (state, reason), count in ended.most_common(10)],
        "broken_by": [
            f"{line.lane or line.target}: {line.breaker}"
            for line in targets.lines()
            if line.breaker not in ("closed", "failing")
        ],
    }
