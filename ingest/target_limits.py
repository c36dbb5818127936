"""What the mapping and the limits file say of targets, told to the ledger when it changes and never per invocation.

A name that mappings give to a target is limited as they say; a URL's origin as those mappings say that have sent to it.
Where several speak of one target the strictest holds, and where none does, the limits file. Operators overrule all of
it, in the ledger.
"""

import math
import time
from collections.abc import Iterable, Sequence
from itertools import islice

from longshore.delivery.host_limits import HostLimits
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import PAGE, TargetControls
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

REFRESH_S = 30.0
"""How often the ledger is asked for its word on a target that is sent to: it may be another one, or hold the words of
another mapping. Well below the time after which sweep.lua drops the word on what is not used."""
REMEMBERED = 10_000
"""Pairs of target and mapping that are remembered; targets come from payloads, so their number has no natural end."""


class TargetLimits:
    """Keeps the mapping's word on targets in the ledger. For the thread that fills it."""

    def __init__(self, deliveries: Sequence[DeliveryOptions], limits: HostLimits, targets: TargetControls) -> None:
        self._gates = [TargetControl(rate=said.rate, concurrency=said.concurrency) for said in deliveries]
        self._by_name: dict[str, TargetControl] = {}
        for said, gate in zip(deliveries, self._gates, strict=True):
            if said.target is not None:
                self._by_name[said.target] = strictest(self._by_name.get(said.target, TargetControl()), gate)
        self._of_origins = [
            gate
            for said, gate in zip(deliveries, self._gates, strict=True)
            if said.target is None and gate != TargetControl()
        ]
        self._limits = limits
        self._targets = targets
        self._says_nothing = (
            not self._of_origins and not limits and all(gate == TargetControl() for gate in self._gates)
        )
        self._heard: set[tuple[str, int]] = set()
        self._by_origin: dict[str, TargetControl] = {}
        self._told_at: dict[str, float] = {}
        self._news: set[str] = set()
        self._refreshed_at = -math.inf

    def note(self, target: str, entry: int) -> None:
        """The mapping `entry` sends to `target`."""
        if self._says_nothing:
            return
        if (target, entry) not in self._heard:
            if len(self._heard) >= REMEMBERED:
                self._heard.clear()
                self._by_origin.clear()
                self._told_at.clear()
            self._heard.add((target, entry))
            if target not in self._by_name and self._gates[entry] != TargetControl():
                self._by_origin[target] = strictest(self._by_origin.get(target, TargetControl()), self._gates[entry])
            self._news.add(target)
        elif time.monotonic() - self._told_at.get(target, -math.inf) >= REFRESH_S:
            self._news.add(target)

    def sync(self) -> None:
        """Tell the ledger what is new, and now and then look at what it has. Raises StoreUnavailable."""
        if self._refreshed_at == -math.inf:
            self._news |= self._targets.all_mapping_controls().keys()
            if self._limits:
                self._news.update(self._targets.names())
        if time.monotonic() - self._refreshed_at >= REFRESH_S:
            self._news |= self._by_name.keys()
            self._refreshed_at = time.monotonic()
        while self._news:
            self._tell(list(islice(self._news, PAGE)))

    def _tell(self, news: Sequence[str]) -> None:
        stored = self._targets.mapping_controls(news)
        for target in news:
            before = stored.get(target, TargetControl())
            said = self._said(target, before)
            if said != before:
                self._targets.set(target, "", said, source="mapping")
                log.event(events.TARGET_LIMITS_APPLIED, target=target, rate=said.rate, concurrency=said.concurrency)
            self._told_at[target] = time.monotonic()
            self._news.discard(target)

    def _said(self, target: str, stored: TargetControl) -> TargetControl:
        said = self._by_name.get(target) or self._by_origin.get(target, TargetControl())
        if target not in self._by_name and self._may_have_said(stored):
            # Another process, or this one before its restart, has heard more of this origin.
            said = strictest(said, stored)
        file = self._limits.for_target(target)
        return TargetControl(
            rate=file.rate if said.rate is None else said.rate,
            concurrency=file.concurrency if said.concurrency is None else said.concurrency,
        )

    def _may_have_said(self, stored: TargetControl) -> bool:
        rates = {gate.rate for gate in self._of_origins}
        numbers = {gate.concurrency for gate in self._of_origins}
        return stored != TargetControl() and stored.rate in {None, *rates} and stored.concurrency in {None, *numbers}


def strictest(one: TargetControl, other: TargetControl) -> TargetControl:
    """The lower of both limits, each by itself; a rate of 0 is no limit, but stronger than saying nothing."""
    rates = sorted(_given(one.rate, other.rate), key=lambda rate: rate or math.inf)
    numbers = sorted(_given(one.concurrency, other.concurrency))
    return TargetControl(rate=rates[0] if rates else None, concurrency=int(numbers[0]) if numbers else None)


def _given(*values: float | None) -> Iterable[float]:
    return (value for value in values if value is not None)
