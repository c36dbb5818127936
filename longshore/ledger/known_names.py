"""Which targets and lanes there are: bounded lists of those in use, read without a scan of all there ever were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longshore.ledger.keys import Keys
from longshore.ledger.text import number

if TYPE_CHECKING:
    from redis.client import Pipeline

MAX_NAMES = 1000
"""Read of each sorted set: those whose turn comes first, and the most recently used."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names of targets and lanes; a lane's is its target, a space, and its action (`<target>!suspects` has no action).

    Whatever waits is found through them: its lane has its turn and so has its target (`ready_targets`), or something in
    flight, or a control or a breaker holds it back. The scripts keep this invariant, so nobody scans for lanes.
    """

    busy_targets: Mapping[bytes, bytes]
    """Target → how many are in flight there, as text."""
    busy_lanes: Mapping[bytes, bytes]
    ready_targets: Sequence[bytes]
    operator_controlled: Sequence[bytes]
    """Targets and lanes with an operator's control."""
    last_used: Sequence[bytes]
    """Targets and lanes with a mapping's control or a breaker, the most recently used first."""

    @staticmethod
    def ask(pipe: "Pipeline", keys: Keys) -> None:
        """Puts five commands into `pipe`, whose answers make a `KnownNames`, in this order."""
        pipe.hgetall(keys.target_busy)
        pipe.hgetall(keys.lane_busy)
        pipe.zrange(keys.targets, 0, MAX_NAMES - 1)
        pipe.zrange(keys.operator_controlled, 0, MAX_NAMES - 1)
        pipe.zrevrange(keys.last_used, 0, MAX_NAMES - 1)

    def targets(self) -> list[bytes]:
        """All targets, each once: those with something in flight first, those with only a controlled lane last."""
        controlled = [name for name in (*self.operator_controlled, *self.last_used) if b" " not in name]
        names = [*self.busy_targets, *self.ready_targets, *controlled, *sorted(self.lanes())]
        return [name for name in dict.fromkeys(names) if name]

    def lanes(self) -> dict[bytes, set[bytes]]:
        """Target → its lanes that are busy or held back. Those that only wait are in the target's own list of lanes."""
        lanes_of: dict[bytes, set[bytes]] = {}
        for name in {*self.busy_lanes, *self.operator_controlled, *self.last_used}:
            target, separator, _ = name.partition(b" ")
            if separator:
                lanes_of.setdefault(target, set()).add(name)
        return lanes_of

    def in_flight(self, name: bytes) -> int:
        """How many are in flight to a target or a lane."""
        return number(self.busy_lanes.get(name) or self.busy_targets.get(name))
