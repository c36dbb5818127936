"""The runs that the fake Port gives out to whoever polls: claimed for a while, and acknowledged for good."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CLAIM_S = 60.0
"""How long a claim keeps a run from others."""


@dataclass(slots=True)
class FakeClaims:
    """All runs offered, in order. `clock` is in seconds; a test may put another one in its place."""

    claim_s: float = CLAIM_S
    clock: Callable[[], float] = time.monotonic
    acknowledged: list[str] = field(default_factory=list)
    """Ids of acknowledged runs, in order."""
    claimed: list[str] = field(default_factory=list)
    """Ids given out, in order; one that was given out twice stands here twice."""
    _objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    _claimed_until: dict[str, float] = field(default_factory=dict)

    def offer(self, *objects: dict[str, Any]) -> None:
        """Add runs. One without an id is given out whenever somebody claims."""
        for run in objects:
            self._objects[str(run.get("identifier") or run.get("id") or f"#{len(self._objects)}")] = run

    def lapse(self) -> None:
        """End all claims that are not acknowledged: these runs are given out again."""
        self._claimed_until.clear()

    def acknowledge_for_others(self, id: str) -> None:
        """Another agent has it."""
        self._objects.pop(id, None)

    def waiting(self) -> list[str]:
        """Ids that are not acknowledged."""
        return list(self._objects)

    def apply(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body of the answer to one of the four calls, its body checked already."""
        match name:
            case "claim_runs":
                return 200, {"ok": True, "runs": self._claim(body["limit"], is_node=False)}
            case "claim_nodes":
                return 200, {"ok": True, "nodeRuns": self._claim(body["limit"], is_node=True)}
            case "ack_runs":
                return 200, {"ok": True, "ackedCount": sum(self._acknowledge(id) for id in body["runIds"])}
            case _:
                return 200, {"ok": True, "acked": self._acknowledge(body["nodeRunIdentifier"])}

    def _claim(self, limit: int, *, is_node: bool) -> list[dict[str, Any]]:
        now = self.clock()
        free = [
            id
            for id, run in self._objects.items()
            if ("identifier" in run) == is_node and self._claimed_until.get(id, 0.0) <= now
        ][:limit]
        self._claimed_until |= dict.fromkeys(free, now + self.claim_s)
        self.claimed += free
        return [self._objects[id] for id in free]

    def _acknowledge(self, id: str) -> bool:
        """Takes a run off the list; false for one that somebody else has, or that is acknowledged already."""
        if self._objects.pop(id, None) is None:
            return False
        self.acknowledged.append(id)
        return True
