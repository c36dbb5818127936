"""Adds up the ledger: every offset that was read, every invocation that was accepted, every id in its one place.

Only reads, a page at a time, so memory and the time for which a script holds Redis do not grow with the ledger.
Each page is checked by one script (`scripts/audit.lua`), so that work in progress never looks like a fault.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from longshore.ledger import scripts
from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.states import FAILED_STATES, State
from longshore.ledger.text import decode, encode, number

NOT_OURS = "not_ours"
"""Counter of claims that were stored, and dropped because Port has given them to another agent."""
PAGE = 500
"""Ids looked at in one call: about 2 ms."""
MAX_PROBLEMS = 1000
"""Problems that are listed; the rest is only counted."""
_SETS = ("leased", *FAILED_STATES)


@dataclass
class Balance:
    """The result of an audit. Counters run since the ledger began; states are as of now."""

    partitions: dict[str, dict[str, int]] = field(default_factory=dict)
    """`topic/number` → its counters: read, accepted, repeated, skipped:<reason>, gaps, ... and `next`."""
    states: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """`topic/number` → how many of the invocations accepted from it are in which state."""
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Id or partition, and what is wrong; at most `MAX_PROBLEMS`."""
    unlisted: int = 0
    """Further problems."""

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
        """What was dropped on purpose: dead letters, unknown outcomes, and claims that Port said are not ours."""
        return sum(n for name, n in self.counts.items() if name.startswith(("pruned:", "purged:", NOT_OURS)))

    @property
    def expired(self) -> int:
        """Delivered ones whose record has expired. A replay takes one out of `done`; its next delivery counts again."""
        delivered = self.counts.get(State.DONE, 0) - self.counts.get("replayed", 0)
        return max(0, min(self._absent, delivered - self.present[State.DONE]))

    @property
    def unaccounted(self) -> int:
        """Accepted, with no record, and neither expired nor removed. More than 0 is a loss."""
        return max(0, self._absent - self.expired)

    @property
    def _absent(self) -> int:
        return self.accepted - self.present.total() - self.removed

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is lost and nothing is wrong."""
        return not self.unaccounted and not self.problems

    def add_problem(self, name: str, problem: str) -> None:
        """Adds a problem of an id or a partition."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((name, problem))
        else:
            self.unlisted += 1


def audit(ledger: Ledger) -> Balance:
    """Audits the whole ledger once. Raises StoreUnavailable."""
    with reaching_store():
        return _Audit(ledger).run()


class _Audit:
    def __init__(self, ledger: Ledger) -> None:
        self._client = ledger.redis
        self._keys = ledger.keys
        self._script = scripts.Script.get("audit")
        self._balance = Balance()

    def run(self) -> Balance:
        # `accepted` and `replayed` are from before the scan, which may miss later ones; the other counters from after
        # it, as what has ended or was removed meanwhile may be missing from the scan.
        before = self._counts()
        ids: list[str] = []
        for name in self._names():
            kind, _, rest = name.partition(":")
            if kind == "inv":
                ids.append(rest)
                if len(ids) >= PAGE:
                    self._check_records(ids)
                    ids = []
            elif kind in ("wait", "order") or name in _SETS:
                self._check_set(name)
            elif kind == "part":
                self._check_partition(rest)
        self._check_records(ids)
        self._balance.counts = self._counts() | {name: before.get(name, 0) for name in ("accepted", "replayed")}
        return self._balance

    def _names(self) -> Iterator[str]:
        pattern = self._keys.prefix.replace("\\", r"\\").replace("[", r"\[").replace("*", r"\*").replace("?", r"\?")
        for name in self._client.scan_iter(match=f"{pattern}*", count=1000):
            yield decode(name).removeprefix(self._keys.prefix)

    def _check_records(self, ids: Sequence[str]) -> None:
        for id, (state, origin, problem) in zip(ids, self._run_script("", ids), strict=True):
            if not state:
                continue  # it has expired since the scan
            self._balance.states[origin.rpartition("/")[0]][state] += 1
            if problem:
                self._balance.add_problem(id, problem)

    def _check_set(self, set_name: str) -> None:
        page: list[str] = []
        for member, _ in self._client.zscan_iter(f"{self._keys.prefix}{set_name}", count=PAGE):
            page.append(decode(member))
            if len(page) >= PAGE:
                self._check_members(set_name, page)
                page = []
        self._check_members(set_name, page)

    def _check_members(self, set_name: str, ids: Sequence[str]) -> None:
        for id, (_, _, problem) in zip(ids, self._run_script(set_name, ids), strict=True):
            if problem:
                self._balance.add_problem(id, problem)

    def _run_script(self, set_name: str, ids: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        if not ids:
            return iter(())
        values = (encode(set_name), *map(encode, ids))
        row: Any = self._script.run(self._client.execute_command, self._keys.prefix, "", *values)
        return zip(*[iter([decode(value) for value in row])] * 3, strict=True)

    def _check_partition(self, name: str) -> None:
        counters = self._numbers(f"{self._keys.prefix}part:{name}")
        self._balance.partitions[name] = counters
        accounted = sum(n for counter, n in counters.items() if counter not in ("read", "next"))
        if counters.get("read", 0) != accounted:
            self._balance.add_problem(name, f"{counters.get('read', 0)} offsets read, {accounted} accounted for")

    def _counts(self) -> dict[str, int]:
        return self._numbers(self._keys.counts)

    def _numbers(self, name: str) -> dict[str, int]:
        values: Any = self._client.hgetall(name)
        return {decode(key): number(value) for key, value in values.items()}
