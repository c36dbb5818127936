"""The numbers the scripts work with, passed to each of them as one row of doubles.

Not as JSON: parsing it took a third of a script's time.
"""

import struct
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from longshore.ledger.record import READS

SCHEMA_VERSION = 1
"""Of the ledger, see schema_version.py."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers of the ledger. Times in ms.

    `port_rate`: calls to the Port API per second, of the whole fleet, 0 for no limit.
    `lease`: how long a claim or a begun attempt is somebody's without being renewed.
    `ahead`: how far ahead of its start a rate-limited invocation may be handed out.
    `rate`: starts per second and target, 0 for no limit. `target`, `lane`: maximum in flight at once.
    `late`: by how much younger first attempts may overtake a retry.
    `breaker_failures`: faults in a row that open a breaker; `breaker_open`, `breaker_longest`: for how long, at first
    and at most.
    `suspect`: after so many deaths of workers at which it was under way, an invocation is tried alone; one more ends
    it.
    `report_delay`: how long first reports wait to be merged with later ones.
    `forecast`: how long a run waits before Port is told what is ahead of it, 0 for never.
    `keep_done`, `keep_dead`: how long finished records and dead letters stay; `keep_payload`: how long a delivered
    message can be replayed. `keep_dead_count`: how many dead letters stay at most, and how many unknown outcomes.
    `history`: attempts kept per invocation.
    `open`: keep the offsets of what is not finished, for commits that name them.
    `reads`: the first and the last format of records that this program reads. `layout`: of the ledger it works with.
    """

    lease: int = 15_000
    ahead: int = 200
    rate: float = 0
    target: int = 100
    lane: int = 50
    late: int = 60_000
    breaker_failures: int = 5
    breaker_open: int = 5_000
    breaker_longest: int = 60_000
    suspect: int = 3
    report_delay: int = 3_000
    forecast: int = 0
    keep_done: int = 86_400_000
    keep_payload: int = 3_600_000
    keep_dead: int = 1_209_600_000
    keep_dead_count: int = 100_000
    history: int = 20
    port_rate: float = 0
    open: bool = False
    reads: tuple[int, int] = (READS.start, READS[-1])
    layout: int = SCHEMA_VERSION

    def packed(self) -> bytes:
        """For the scripts, in the order of the fields; `scripts/clock.lua` reads them."""
        numbers = [*_flat(astuple(self))]
        return struct.pack(f"<{len(numbers)}d", *numbers)


def _flat(values: tuple[float | tuple[int, int], ...]) -> Iterator[float]:
    for value in values:
        if isinstance(value, tuple):
            yield from value
        else:
            yield value
