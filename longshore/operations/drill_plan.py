"""What a drill does, and what it needs before it may."""

from dataclasses import dataclass
from typing import Protocol

from longshore.ledger.audit import audit
from longshore.ledger.target_control import Hold
from longshore.operations.ledger_access import LedgerAccess
from longshore.operations.leftovers import find_unfinished_records
from longshore.operations.refusals import Conflict, NotFound
from longshore.operations.steer import check_target


class Workers(Protocol):
    """The worker processes of the fleet."""

    def names(self) -> list[str]:
        """Those that answer now."""

    def end(self, name: str) -> None:
        """Tell one to end in order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a drill does."""

    target: str
    worker: str
    alive: int
    """Workers that answer now."""
    pause_s: float
    limit_s: float
    """For all of it."""
    under_way: int
    """Invocations that wait or are in flight, of all targets."""
    at_target: int
    """Those of them that are the target's."""


def plan_drill(
    access: LedgerAccess, workers: Workers, target: str, worker: str, pause_s: float, limit_s: float
) -> Plan:
    """Checks what a drill needs; an empty `worker` stands for the first one. Changes nothing.

    Raises `Invalid`, `NotFound`, `Conflict`, `StoreUnavailable`.
    """
    check_target(target)
    names = workers.names()
    if worker and worker not in names:
        raise NotFound(f"no worker {worker} answers; there are: {', '.join(names) or 'none'}")
    if len(names) < 2:
        raise Conflict(f"{len(names)} worker answers: a drill ends one, so it needs two or more")
    hold = access.targets.holds([target]).get(target)
    if hold is Hold.PAUSED:
        raise Conflict(f"{target} is paused already, and a drill would resume it")
    if hold is Hold.BREAKER:
        raise Conflict(f"the breaker of {target} is open: choose a target that is well, or wait")
    if not audit(access.ledger).is_balanced:
        raise Conflict("the ledger does not add up even now, see `longshore audit`")
    under_way = [leftover.record.target for leftover in find_unfinished_records(access)]
    return Plan(target, worker or names[0], len(names), pause_s, limit_s, len(under_way), under_way.count(target))
