"""Limits by host pattern: a file that says how fast and how many at once, for targets of which no mapping says it.

    {"*.internal": {"rate": 5, "concurrency": 10}, "https://gw:443": {"rate": 50}, "10.0.0.0/8": {"concurrency": 4}}

A name is a target as `longshore targets list` shows it, or a host, domain, address or network, with or without a port.
Of several that match, only the narrowest counts.
"""

from dataclasses import dataclass

from longshore.delivery.addresses import parse_any_spelling
from longshore.delivery.host_patterns import HostPattern, HostPatterns
from longshore.delivery.send_errors import BadHostPattern, BadUrl
from longshore.delivery.target import origin_of, target_of
from longshore.errors import LongshoreError
from longshore.invocation import json_text
from longshore.invocation.delivery_options import DeliveryOptions
from longshore.invocation.delivery_section import read_limits
from longshore.invocation.urls import mask_login


class BadLimits(LongshoreError):
    """A limits file is no good; `problems` are all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


@dataclass(frozen=True, slots=True)
class _PatternLimits:
    pattern: HostPattern
    limits: DeliveryOptions

    @property
    def specificity(self) -> tuple[bool, int, bool]:
        """Names and networks before domains, long before short, with a port before without."""
        pattern = self.pattern
        if pattern.network is not None:
            width = pattern.network.prefixlen * 100 // pattern.network.max_prefixlen
            return True, width, pattern.port is not None
        exact = bool(pattern.name) and not pattern.name.startswith(".")
        return exact, 1000 if exact else len(pattern.name), pattern.port is not None


class HostLimits:
    """The limits of a file. Empty without one."""

    def __init__(
        self, targets: dict[str, DeliveryOptions] | None = None, patterns: tuple[_PatternLimits, ...] = ()
    ) -> None:
        self._targets = targets or {}
        self._patterns = sorted(patterns, key=lambda entry: entry.specificity, reverse=True)

    @classmethod
    def parse(cls, content: bytes) -> "HostLimits":
        """The limits that a file's content says. Raises BadLimits, which names every problem."""
        try:
            entries = json_text.loads(content)
        except json_text.Malformed as problem:
            words = {"not_utf8": "is not UTF-8", "too_deep": "is nested too deeply"}
            raise BadLimits(
                [words.get(problem.reason) or f"is not JSON ({json_text.describe_fault(content)})"]
            ) from None
        if not isinstance(entries, dict):
            raise BadLimits(["is not an object of host patterns"])
        problems: list[str] = []
        targets: dict[str, DeliveryOptions] = {}
        patterns: list[_PatternLimits] = []
        for name, value in entries.items():
            limits = read_limits(value, problems, repr(mask_login(name)))
            try:
                if "://" in name:
                    targets[target_of(name)] = limits
                else:
                    patterns += [_PatternLimits(pattern, limits) for pattern in _parse_single_pattern(name)]
            except (BadHostPattern, BadUrl) as problem:
                problems.append(f"{mask_login(name)!r}: {problem}")
        if problems:
            raise BadLimits(problems)
        return cls(targets, tuple(patterns))

    def for_target(self, target: str) -> DeliveryOptions:
        """What the file says of a target; of one with a name of its own, nothing."""
        if not self or "://" not in target:
            return DeliveryOptions()
        if (exact := self._targets.get(target)) is not None:
            return exact
        _, host, port = origin_of(target)
        host = host.strip("[]")
        address = parse_any_spelling(host)
        matches = (entry for entry in self._patterns if entry.pattern.matches(host.rstrip("."), port, address))
        match = next(matches, None)
        return match.limits if match is not None else DeliveryOptions()

    def __bool__(self) -> bool:
        return bool(self._targets or self._patterns)


def _parse_single_pattern(name: str) -> HostPatterns:
    patterns = HostPatterns.parse(name)
    if len(patterns) != 1 or "," in name:
        raise BadHostPattern(
            name, "is no single host pattern; give e.g. *.internal, deployer:8080, 10.0.0.0/8 or a target"
        )
    return patterns
