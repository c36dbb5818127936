"""What the fleet did in the last hour and the last day, without any other program that stores numbers.

Workers add to it with their heartbeats (`scripts/activity.lua`), so it trails by some seconds. Moves of invocations are
exact. Durations and counts per target are summed up in the worker: one that is killed takes the sums since its last
heartbeat with it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from longshore.ledger import clock
from longshore.ledger.connection import reaching_store
from longshore.ledger.latency import bucket_of, quantile_ms
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import State
from longshore.ledger.text import decode, number

MINUTE_MS, QUARTER_MS, HOUR_MS = 60_000, 900_000, 3_600_000
HOUR_MINUTES, DAY_QUARTERS, DAY_HOURS = 60, 96, 24
"""How many spans make the last hour and the last day, the current one included."""

_LATENCY = re.compile("l[0-9]{1,2}")
"""A field of `latency_field`."""


def latency_field(duration_ms: float) -> str:
    """The field for a delivery that took so long."""
    return f"l{bucket_of(duration_ms)}"


def target_field(target: str, state: str) -> str:
    """The field for an invocation that ended in `state`; without a name it is for all that have none of their own."""
    return f"{'d' if state == State.DONE else 'f'} {target}"


@dataclass(frozen=True, slots=True)
class Span:
    """What happened in a span of time that began at `start_ms` (since 1970)."""

    start_ms: int
    accepted: int = 0
    delivered: int = 0
    dead: int = 0
    unknown: int = 0
    retried: int = 0
    latencies: Mapping[int, int] = field(default_factory=dict)
    """Histogram of the time from Port's message to the delivery, waits and retries included; requeues are not."""

    @property
    def failed(self) -> int:
        """Those that did not end well: dead letters and unknown outcomes."""
        return self.dead + self.unknown

    @property
    def ended(self) -> int:
        """All that ended."""
        return self.delivered + self.failed

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happened."""
        return not (self.accepted or self.ended or self.retried)

    @property
    def success_rate(self) -> float | None:
        """Share of what ended that was delivered; None if nothing ended."""
        return self.delivered / self.ended if self.ended else None

    def latency_ms(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of the deliveries did not exceed, to a fifth; None without any."""
        return quantile_ms(self.latencies, share)


@dataclass(frozen=True, slots=True)
class Activity:
    """The last hour by minutes and the last day by quarters of an hour, the current one last."""

    now_ms: int
    hour: Sequence[Span]
    day: Sequence[Span]


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """How many invocations were delivered to a target in the last day, and how many failed there."""

    delivered: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Both."""
        return self.delivered + self.failed


def read_activity(ledger: Ledger) -> Activity:
    """Reads it in two round trips. Raises `StoreUnavailable`."""
    now_ms = clock.now_ms(ledger.redis, ledger.keys)
    hour = _numbers(now_ms, MINUTE_MS, HOUR_MINUTES)
    day = _numbers(now_ms, QUARTER_MS, DAY_QUARTERS)
    hashes = iter(_read_hashes(ledger, [*(f"m:{minute}" for minute in hour), *(f"q:{quarter}" for quarter in day)]))
    return Activity(
        now_ms,
        [_span(minute * MINUTE_MS, next(hashes)) for minute in hour],
        [_span(quarter * QUARTER_MS, next(hashes)) for quarter in day],
    )


def read_target_counts(ledger: Ledger) -> dict[str, TargetCounts]:
    """Target → what came of its invocations in the last 24 hours of the clock; under "" those of targets left out.

    Raises `StoreUnavailable`.
    """
    hours = _numbers(clock.now_ms(ledger.redis, ledger.keys), HOUR_MS, DAY_HOURS)
    sums: Counter[str] = Counter()
    for fields in _read_hashes(ledger, [f"h:{hour}" for hour in hours]):
        sums.update(fields)
    names = sorted({name[2:] for name in sums})
    return {name: TargetCounts(sums[f"d {name}"], sums[f"f {name}"]) for name in names}


def sum_up(spans: Iterable[Span]) -> Span:
    """All of `spans` as one that begins with the first of them."""
    rows = list(spans)
    return Span(
        rows[0].start_ms,
        accepted=sum(span.accepted for span in rows),
        delivered=sum(span.delivered for span in rows),
        dead=sum(span.dead for span in rows),
        unknown=sum(span.unknown for span in rows),
        retried=sum(span.retried for span in rows),
        latencies=sum((Counter(span.latencies) for span in rows), Counter()),
    )


def _numbers(now_ms: int, length_ms: int, count: int) -> range:
    last = now_ms // length_ms
    return range(last - count + 1, last + 1)


def _read_hashes(ledger: Ledger, names: Sequence[str]) -> Iterator[dict[str, int]]:
    with reaching_store(), ledger.redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(ledger.keys.activity(name))
        answers: list[dict[bytes, bytes]] = pipe.execute()
    for answer in answers:
        yield {decode(name): number(value) for name, value in answer.items()}


def _span(start_ms: int, fields: Mapping[str, int]) -> Span:
    counts: Counter[str] = Counter(fields)
    return Span(
        start_ms,
        accepted=counts["accepted"],
        delivered=counts[State.DONE],
        dead=counts[State.DEAD],
        unknown=counts[State.UNKNOWN],
        retried=counts["retried"],
        latencies={int(name[1:]): count for name, count in fields.items() if _LATENCY.fullmatch(name)},
    )
