"""A file of entries by host pattern: which one holds for a target.

    {"*.internal": {...}, "https://gw:443": {...}, "10.0.0.0/8": {...}}

A name is a target as `longshore targets list` shows it, or a host, domain, address or network, with or without a port.
Of several that match, only the narrowest counts.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from longshore.delivery.addresses import parse_any_spelling
from longshore.delivery.host_patterns import HostPattern, HostPatterns
from longshore.delivery.send_errors import BadHostPattern, BadUrl
from longshore.delivery.target import origin_of, target_of
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.urls import mask_login

T = TypeVar("T")

EntryReader = Callable[[Any, list[str], str], T]
"""Makes an entry of a JSON value; appends what is wrong, beginning with the place, to the list."""


class BadHostTable(LongshoreError):
    """A file by host pattern is no good; `problems` are all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


class HostTable(Generic[T]):
    """The entries of a file. Empty, and false, without one."""

    def __init__(
        self, targets: dict[str, T] | None = None, patterns: list[tuple[HostPattern, T]] | None = None
    ) -> None:
        self._targets = targets or {}
        self._patterns = sorted(patterns or (), key=lambda entry: _specificity(entry[0]), reverse=True)

    @classmethod
    def parse(cls, content: bytes, read_entry: EntryReader[T]) -> "HostTable[T]":
        """The entries that a file's content says. Raises BadHostTable, which names every problem."""
        try:
            entries = json_text.loads(content)
        except json_text.Malformed as problem:
            words = {"not_utf8": "is not UTF-8", "too_deep": "is nested too deeply"}
            raise BadHostTable(
                [words.get(problem.reason) or f"is not JSON ({json_text.describe_fault(content)})"]
            ) from None
        if not isinstance(entries, dict):
            raise BadHostTable(["is not an object of host patterns"])
        problems: list[str] = []
        if isinstance(json_text.loads(content, keep_repeated=True), list):
            problems.append("has a host pattern twice, of which the first would not count: put them together")
        targets: dict[str, T] = {}
        patterns: list[tuple[HostPattern, T]] = []
        for name, value in entries.items():
            entry = read_entry(value, problems, repr(mask_login(name)))
            try:
                if "://" in name:
                    is_repeated = (target := target_of(name)) in targets
                    targets[target] = entry
                else:
                    pattern = _parse_single_pattern(name)
                    is_repeated = any(pattern.means_the_same(other) for other, _ in patterns)
                    patterns.append((pattern, entry))
                if is_repeated:
                    problems.append(f"{name!r} is there twice, in another spelling: put them together")
            except (BadHostPattern, BadUrl) as problem:
                problems.append(f"{mask_login(name)!r}: {problem}")
        if problems:
            raise BadHostTable(problems)
        return cls(targets, patterns)

    def find(self, target: str) -> T | None:
        """The entry for a target; None where the file has none, and for a target with a name of its own."""
        if not self or "://" not in target:
            return None
        if (exact := self._targets.get(target)) is not None:
            return exact
        _, host, port = origin_of(target)
        host = host.strip("[]")
        address = parse_any_spelling(host)
        matches = (entry for pattern, entry in self._patterns if pattern.matches(host.rstrip("."), port, address))
        return next(matches, None)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Name, as in the file, and entry of all."""
        yield from self._targets.items()
        yield from ((pattern.text, entry) for pattern, entry in self._patterns)

    def __bool__(self) -> bool:
        return bool(self._targets or self._patterns)


def _specificity(pattern: HostPattern) -> tuple[bool, int, bool]:
    """Names and networks before domains, long before short, with a port before without."""
    if pattern.network is not None:
        width = pattern.network.prefixlen * 100 // pattern.network.max_prefixlen
        return True, width, pattern.port is not None
    exact = bool(pattern.name) and not pattern.name.startswith(".")
    return exact, 1000 if exact else len(pattern.name), pattern.port is not None


def _parse_single_pattern(name: str) -> HostPattern:
    patterns = list(HostPatterns.parse(name))
    if len(patterns) != 1 or "," in name:
        raise BadHostPattern(
            name, "is no single host pattern; give e.g. *.internal, deployer:8080, 10.0.0.0/8 or a target"
        )
    return patterns[0]
