"""Adds up the ledger: every offset that was read, every invocation that was accepted, every id in its one place.

Only reads, a page at a time, so that memory and the time for which Redis is held stay the same however much there is.
Each page is looked at in one moment (`scripts/audit.lua`), so work under way meanwhile is never taken for a fault.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.ledger import scripts
from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import FAILED_STATES, State

PAGE = 500
"""Ids looked at in one call: about 2 ms."""
MOST_NAMED = 1000
"""Problems that are named; the rest is only counted."""
_SETS = ("leased", *FAILED_STATES)


@dataclass
class Balance:
    """What was found. The counters are those since the ledger began; the states are as of now."""

    partitions: dict[str, dict[str, int]] = field(default_factory=dict)
    """`topic/number` → its counters: read, accepted, repeated, skipped:<reason>, gaps, ... and `next`."""
    states: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """`topic/number` → how many of the invocations accepted from it are in which state."""
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Id or partition, and what is wrong; at most `MOST_NAMED`."""
    unnamed: int = 0

    @property
    def accepted(self) -> int:
        """Invocations accepted in all."""
        return self.counts.get("accepted", 0)

    @property
    def present(self) -> Counter[str]:
        """State → how many have a record."""
        return sum(self.states.values(), Counter())

    @property
    def removed(self) -> int:
        """Dead letters and unknown outcomes that were dropped on purpose."""
        return sum(n for name, n in self.counts.items() if name.startswith(("pruned:", "purged:")))

    @property
    def expired(self) -> int:
        """Delivered ones whose record's time is over. One that was replayed has left `done`, and counts once more."""
        delivered = self.counts.get(State.DONE, 0) - self.counts.get("replayed", 0)
        return max(0, min(self._absent, delivered - self.present[State.DONE]))

    @property
    def unaccounted(self) -> int:
        """Accepted, and neither in a state nor gone for a reason. More than 0 is a loss."""
        return max(0, self._absent - self.expired)

    @property
    def _absent(self) -> int:
        return self.accepted - self.present.total() - self.removed

    @property
    def adds_up(self) -> bool:
        """Whether nothing is lost and nothing is wrong."""
        return not self.unaccounted and not self.problems

    def found(self, what: str, problem: str) -> None:
        """Notes a problem."""
        if len(self.problems) < MOST_NAMED:
            self.problems.append((what, problem))
        else:
            self.unnamed += 1


def audit(ledger: Ledger) -> Balance:
    """Looks at everything once. Raises StoreUnavailable."""
    with reaching_store():
        return _Audit(ledger).run()


class _Audit:
    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.redis
        self._keys = ledger.keys
        self._script = scripts.Script.named("audit")
        self._balance = Balance()

    def run(self) -> Balance:
        # What is accepted or replayed from now on is not asked for; what ends or is dropped from now on may be missing.
        before = self._counts()
        ids: list[str] = []
        for name in self._names():
            kind, _, what = name.partition(":")
            if kind == "inv":
                ids.append(what)
                if len(ids) >= PAGE:
                    self._records(ids)
                    ids = []
            elif kind == "wait" or name in _SETS:
                self._members(name)
            elif kind == "part":
                self._partition(what)
        self._records(ids)
        self._balance.counts = self._counts() | {name: before.get(name, 0) for name in ("accepted", "replayed")}
        return self._balance

    def _names(self) -> Iterator[str]:
        pattern = self._keys.prefix.replace("\\", r"\\").replace("[", r"\[").replace("*", r"\*").replace("?", r"\?")
        for name in self._client.scan_iter(match=f"{pattern}*", count=1000):
            yield _text(name).removeprefix(self._keys.prefix)

    def _records(self, ids: Sequence[str]) -> None:
        for id, (state, origin, problem) in zip(ids, self._look("", ids), strict=True):
            if not state:
                continue  # its time was over between the two looks
            self._balance.states[origin.rpartition("/")[0]][state] += 1
            if problem:
                self._balance.found(id, problem)

    def _members(self, place: str) -> None:
        page: list[str] = []
        for member, _ in self._client.zscan_iter(f"{self._keys.prefix}{place}", count=PAGE):
            page.append(_text(member))
            if len(page) >= PAGE:
                self._places(place, page)
                page = []
        self._places(place, page)

    def _places(self, place: str, ids: Sequence[str]) -> None:
        for id, (_, _, problem) in zip(ids, self._look(place, ids), strict=True):
            if problem:
                self._balance.found(id, problem)

    def _look(self, place: str, ids: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        if not ids:
            return iter(())
        values = (_bytes(place), *map(_bytes, ids))
        found: Any = self._script.run(self._client.execute_command, self._keys.prefix, "", *values)
        return zip(*[iter([_text(value) for value in found])] * 3, strict=True)

    def _partition(self, name: str) -> None:
        counters = self._numbers(f"{self._keys.prefix}part:{name}")
        self._balance.partitions[name] = counters
        told = sum(n for what, n in counters.items() if what not in ("read", "next"))
        if counters.get("read", 0) != told:
            self._balance.found(name, f"{counters.get('read', 0)} offsets read, {told} accounted for")

    def _counts(self) -> dict[str, int]:
        return self._numbers(self._keys.counts)

    def _numbers(self, name: str) -> dict[str, int]:
        values: Any = self._client.hgetall(name)
        return {_text(key): int(value) for key, value in values.items()}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
