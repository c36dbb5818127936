"""Everything a ledger holds, counted from outside: where each invocation stands, and what the counters should say."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import redis

from longshore.ledger.due_scores import NEVER_MS
from longshore.ledger.keys import Keys

SUSPECTS = "!suspects"


@dataclass
class Census:
    """One look at a ledger that stands still."""

    records: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    """Id → the sets it stands in: `wait:<lane>`, `leased`, `dead`, `unknown`."""
    target_busy: dict[str, int] = field(default_factory=dict)
    lane_busy: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    partitions: list[dict[str, int]] = field(default_factory=list)
    visited: dict[str, set[str]] = field(default_factory=dict)
    """Target → its lanes that are on the round; only targets that are on it themselves."""
    reports: dict[str, int] = field(default_factory=dict)
    """Id → in how many of the outbox's sets it stands, for those with reports."""
    orders: dict[str, list[str]] = field(default_factory=dict)
    """Hash → the ids in that order, the first one first."""
    orders_looked_at: set[str] = field(default_factory=set)
    turns_awaited: set[str] = field(default_factory=set)
    """Ids that are due never."""

    @property
    def states(self) -> dict[str, str]:
        """Id → state."""
        return {id: record["state"] for id, record in self.records.items()}

    def problems(self) -> list[str]:
        """Everything that must not be."""
        return [
            *self._wrong_places(),
            *self._wrong_counters(),
            *self._forgotten_lanes(),
            *self._wrong_orders(),
            *(f"reports of {id} stand in {sets} sets" for id, sets in self.reports.items() if sets != 1),
        ]

    def _wrong_places(self) -> list[str]:
        wrong = [f"{id} has a place but no record" for id in self.places.keys() - self.records.keys()]
        for id, record in self.records.items():
            state = record["state"]
            expected = {
                "waiting": [f"wait:{record['lane']}"],
                "claimed": ["leased"],
                "begun": ["leased"],
                "dead": ["dead"],
                "unknown": ["unknown"],
            }.get(state, [])
            if self.places.get(id, []) != expected:
                wrong.append(f"{id} is {state} but stands in {self.places.get(id)}")
            tried_alone = "home" in record and state in ("waiting", "claimed", "begun")
            if tried_alone != record["lane"].endswith(SUSPECTS):
                wrong.append(f"{id} is in {record['lane']}, its own lane is {record.get('home')}")
        return wrong

    def _wrong_counters(self) -> list[str]:
        leased = [record for record in self.records.values() if record["state"] in ("claimed", "begun")]
        lanes = Counter(SUSPECTS if r["lane"] == r["target"] + SUSPECTS else r["lane"] for r in leased)
        wrong = []
        if (targets := Counter(record["target"] for record in leased)) != self.target_busy:
            wrong.append(f"in flight {dict(targets)}, counted {self.target_busy}")
        if lanes != self.lane_busy:
            wrong.append(f"in flight {dict(lanes)}, counted {self.lane_busy}")
        waiting = list(self.states.values()).count("waiting")
        if waiting != self.counts.get("backlog", 0):
            wrong.append(f"{waiting} wait, counted {self.counts.get('backlog')}")
        if len(self.records) != self.counts.get("accepted", 0):
            wrong.append(f"{len(self.records)} records, accepted {self.counts.get('accepted')}")
        for partition in self.partitions:
            parts = sum(n for name, n in partition.items() if name not in ("read", "next"))
            if partition.get("read", 0) != parts:
                wrong.append(f"{partition} does not add up")
        return wrong

    def _wrong_orders(self) -> list[str]:
        """Of each order only the first may start, and nobody waits behind what has ended, unless it is held there."""
        wrong: list[str] = []
        expected: dict[str, set[str]] = {}
        for id, record in self.records.items():
            policy, _, hash = record.get("order", "").partition(" ")
            is_there = record["state"] in ("held", "waiting", "claimed", "begun") or (
                policy == "hold" and record["state"] in ("dead", "unknown")
            )
            if hash and is_there:
                expected.setdefault(hash, set()).add(id)
        if (found := {hash: set(ids) for hash, ids in self.orders.items()}) != expected:
            wrong.append(f"in orders are {found}, expected {expected}")
        if forgotten := self.orders.keys() - self.orders_looked_at:
            wrong.append(f"nobody looks at {forgotten}")
        for hash, (first, *others) in self.orders.items():
            if first in self.turns_awaited:
                wrong.append(f"{first} is the first of {hash} and waits for its turn")
            wrong += [
                f"{id} is {self.states[id]} behind {first}"
                for id in others
                if self.states[id] in ("claimed", "begun")
                or (self.states[id] == "waiting") != (id in self.turns_awaited)
            ]
        return wrong

    def _forgotten_lanes(self) -> list[str]:
        """Lanes in which something waits, that nobody will visit though nothing of theirs is in flight."""
        busy = set(self.lane_busy)
        return [
            f"nobody visits {record['lane']}"
            for id, record in self.records.items()
            if record["state"] == "waiting"
            and record["target"] not in self.target_busy
            and record["lane"] not in busy
            and id not in self.turns_awaited
            and record["lane"] not in self.visited.get(record["target"], set())
        ]


def census(client: "redis.Redis", keys: Keys) -> Census:
    """Looks at everything."""
    found = Census()
    names: Any = client.keys(f"{keys.prefix}*")
    on_the_round = set(_texts(client.zrange(keys.targets, 0, -1)))
    for name in sorted(_texts(names)):
        rest = name.removeprefix(keys.prefix)
        kind, _, what = rest.partition(":")
        if kind == "inv":
            found.records[what] = _hash(client, name)
        elif kind == "order":
            found.orders[what] = _texts(client.zrange(name, 0, -1))
        elif kind == "wait" or rest in ("leased", "dead", "unknown"):
            for id in _texts(client.zrange(name, 0, -1)):
                found.places.setdefault(id, []).append(rest)
            found.turns_awaited |= (
                set(_texts(client.zrangebyscore(name, NEVER_MS, "+inf"))) if kind == "wait" else set()
            )
        elif kind == "part":
            found.partitions.append(_numbers(client, name))
        elif kind == "lanes" and what in on_the_round:
            found.visited[what] = set(_texts(client.zrange(name, 0, -1)))
        elif kind == "out":
            sets = (keys.outbox, keys.outbox_leases)
            found.reports[what] = sum(client.zscore(one, what) is not None for one in sets)
    found.orders_looked_at = set(_texts(client.zrange(keys.orders, 0, -1)))
    found.target_busy, found.lane_busy = _numbers(client, keys.target_busy), _numbers(client, keys.lane_busy)
    found.counts = _numbers(client, keys.counts)
    return found


def _texts(values: Any) -> list[str]:
    return [value.decode() for value in values]


def _hash(client: "redis.Redis", name: str) -> dict[str, str]:
    values: Any = client.hgetall(name)
    return {key.decode(): value.decode("utf-8", "replace") for key, value in values.items()}


def _numbers(client: "redis.Redis", name: str) -> dict[str, int]:
    return {key: int(value) for key, value in _hash(client, name).items()}
