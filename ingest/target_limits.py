"""What the mapping and the limits file say of targets, written to the ledger when it changes and never per invocation.

A name that mappings give to a target is limited as they say; a URL's origin as those mappings say that have sent to it.
Where several speak of one target the strictest holds, and where none does, the limits file. Operators overrule all of
it, in the ledger.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from longshore.delivery.host_limits import HostLimits
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.ledger.target_control import TargetControl
from longshore.ledger.targets import PAGE, TargetControls
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

REFRESH_S = 30.0
"""How often the limits of a target that is sent to are compared with the ledger's: it may be another ledger by now, or
have those of another mapping. Well below the time after which sweep.lua drops the limits of what is not used."""
MAX_PAIRS = 10_000
"""Pairs of target and mapping that are kept; targets come from payloads, so their number has no natural end."""

NO_LIMITS = TargetControl()


class TargetLimits:
    """Keeps the mapping's limits of targets in the ledger. For the thread that fills it.

    A crash loses nothing: the next process compares all that the ledger has with the mapping first.
    """

    def __init__(
        self, deliveries: Sequence[DeliveryOptions], file: Callable[[], HostLimits], targets: TargetControls
    ) -> None:
        """`deliveries` are the mapping's entries, `file` gives the limits file of now, `targets` is the ledger's."""
        self._by_entry = [TargetControl(rate=options.rate, concurrency=options.concurrency) for options in deliveries]
        self._by_name: dict[str, TargetControl] = {}
        self._for_origins: list[TargetControl] = []
        """The limits in entries that name no target: those of whatever origins they send to."""
        for options, limits in zip(deliveries, self._by_entry, strict=True):
            if options.target is not None:
                self._by_name[options.target] = strictest(self._by_name.get(options.target, NO_LIMITS), limits)
            elif limits != NO_LIMITS:
                self._for_origins.append(limits)
        self._read_file = file
        self._file = file()
        self._targets = targets
        self._has_entry_limits = any(limits != NO_LIMITS for limits in self._by_entry)
        self._pairs: set[tuple[str, int]] = set()
        self._by_origin: dict[str, TargetControl] = {}
        self._synced_at: dict[str, float] = {}
        self._pending: set[str] = set()
        """Targets whose limits are to be compared with the ledger's."""
        self._refreshed_at = -math.inf

    def note(self, target: str, entry: int) -> None:
        """The mapping `entry` sends to `target`."""
        if not (self._has_entry_limits or self._file):
            return
        if (target, entry) not in self._pairs:
            if len(self._pairs) >= MAX_PAIRS:
                self._pairs.clear()
                self._by_origin.clear()
                self._synced_at.clear()
            self._pairs.add((target, entry))
            if target not in self._by_name and self._by_entry[entry] != NO_LIMITS:
                self._by_origin[target] = strictest(self._by_origin.get(target, NO_LIMITS), self._by_entry[entry])
            self._pending.add(target)
        elif time.monotonic() - self._synced_at.get(target, -math.inf) >= REFRESH_S:
            self._pending.add(target)

    def sync(self) -> None:
        """Write what is new to the ledger, and now and then compare all with what it has. Raises `StoreUnavailable`.

        Where that happens, the rest stays pending for the next call.
        """
        if (file := self._read_file()) is not self._file:
            self._file = file
            self._refreshed_at = -math.inf
            self._pending |= self._synced_at.keys()
        if self._refreshed_at == -math.inf:
            self._pending |= self._targets.all_mapping_controls().keys()
            if self._file:
                self._pending.update(self._targets.names())
        if time.monotonic() - self._refreshed_at >= REFRESH_S:
            self._pending |= self._by_name.keys()
            self._refreshed_at = time.monotonic()
        while self._pending:
            self._write(list(islice(self._pending, PAGE)))

    def _write(self, names: Sequence[str]) -> None:
        stored = self._targets.mapping_controls(names)
        for target in names:
            before = stored.get(target, NO_LIMITS)
            limits = self._choose(target, before)
            if limits != before:
                self._targets.set(target, "", limits, source="mapping")
                log.event(events.TARGET_LIMITS_APPLIED, target=target, rate=limits.rate, concurrency=limits.concurrency)
            self._synced_at[target] = time.monotonic()
            self._pending.discard(target)

    def _choose(self, target: str, stored: TargetControl) -> TargetControl:
        """The limits of `target`, where the ledger has `stored`."""
        limits = self._by_name.get(target) or self._by_origin.get(target, NO_LIMITS)
        if target not in self._by_name and self._may_be_ours(stored):
            # Another process, or this one before its restart, has seen more mappings send to this origin.
            limits = strictest(limits, stored)
        file = self._file.for_target(target)
        return TargetControl(
            rate=file.rate if limits.rate is None else limits.rate,
            concurrency=file.concurrency if limits.concurrency is None else limits.concurrency,
        )

    def _may_be_ours(self, stored: TargetControl) -> bool:
        """Whether this mapping may have set the limits `stored` for an origin; otherwise an older mapping did."""
        rates = {limits.rate for limits in self._for_origins}
        numbers = {limits.concurrency for limits in self._for_origins}
        return stored != NO_LIMITS and stored.rate in {None, *rates} and stored.concurrency in {None, *numbers}


def strictest(one: TargetControl, other: TargetControl) -> TargetControl:
    """The lower of both limits, each by itself; a rate of 0 is no limit, but stronger than saying nothing."""
    rates = sorted(_not_none(one.rate, other.rate), key=lambda rate: rate or math.inf)
    numbers = sorted(_not_none(one.concurrency, other.concurrency))
    return TargetControl(rate=rates[0] if rates else None, concurrency=int(numbers[0]) if numbers else None)


def _not_none(*values: float | None) -> Iterable[float]:
    return (value for value in values if value is not None)
