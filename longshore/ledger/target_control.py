"""What holds a target or a lane back: the controls of operators and mappings on it, and its breaker."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from longshore.ledger.breaker import Breaker, BreakerStatus

ControlSource = Literal["operator", "mapping"]
"""Who set a control; an operator's overrides a mapping's. The first letter stands in the field's name."""


class Hold(StrEnum):
    """Why nothing new starts at a target or a lane, or no more than a probe."""

    PAUSED = "paused"
    """An operator has paused it, and has to resume it."""

    BREAKER = "breaker"
    """Its breaker is open, and closes when a probe succeeds."""


@dataclass(frozen=True, slots=True)
class TargetControl:
    """Limits on a target or a lane, set by an operator or a mapping; None leaves a limit as it is."""

    paused: bool = False
    rate: float | None = None
    """Starts per second."""
    concurrency: int | None = None
    """Maximum in flight at once."""

    def to_json(self) -> str:
        """For the scripts: only the keys that are set."""
        values: dict[str, Any] = {"paused": True} if self.paused else {}
        if self.rate is not None:
            values["rate"] = self.rate
        if self.concurrency is not None:
            values["concurrency"] = self.concurrency
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def parse(cls, text: bytes | None) -> "TargetControl":
        """What `to_json` wrote; an empty control for None, and for what is none, as `decode` in the scripts."""
        try:
            values: Any = json.loads(text) if text else {}
        except ValueError:
            values = {}
        if not isinstance(values, dict):
            return cls()
        rate, concurrency = (_number(values.get(name)) for name in ("rate", "concurrency"))
        return cls(values.get("paused") is True, rate, concurrency)


@dataclass(frozen=True, slots=True)
class Controls:
    """Fields of the ledger's hash `gates`, as `fields` lists them; a name without a field is not held back."""

    texts: Mapping[bytes, bytes]

    @staticmethod
    def fields(names: Iterable[bytes]) -> list[bytes]:
        """All fields of the hash that belong to the targets and lanes `names`."""
        return [prefix + name for name in names for prefix in (b"o:", b"m:", b"b:")]

    def operator(self, name: bytes) -> TargetControl:
        """An operator's control of a target or a lane."""
        return TargetControl.parse(self.texts.get(b"o:" + name))

    def mapping(self, name: bytes) -> TargetControl:
        """The mapping's control of it."""
        return TargetControl.parse(self.texts.get(b"m:" + name))

    def breaker(self, name: bytes) -> Breaker:
        """Its breaker."""
        return Breaker.parse(self.texts.get(b"b:" + name))

    def hold(self, name: bytes, now_ms: int) -> Hold | None:
        """What holds it back altogether; None where at most its limits do."""
        if self.operator(name).paused:
            return Hold.PAUSED
        is_open = self.breaker(name).status(now_ms) in (BreakerStatus.OPEN, BreakerStatus.HALF_OPEN)
        return Hold.BREAKER if is_open else None

    def rate(self, name: bytes, default: float) -> float:
        """Starts per second in effect."""
        return effective_rate(self.operator(name), self.mapping(name), default)

    def concurrency(self, name: bytes, default: int) -> int:
        """Maximum in flight at once in effect."""
        return effective_concurrency(self.operator(name), self.mapping(name), default)


def effective_rate(operator: TargetControl, mapping: TargetControl, default: float) -> float:
    """The rate in effect: the operator's, otherwise the mapping's, otherwise the setting's."""
    return next((rate for rate in (operator.rate, mapping.rate) if rate is not None), default)


def effective_concurrency(operator: TargetControl, mapping: TargetControl, default: int) -> int:
    """The maximum in flight in effect, chosen as the rate is."""
    numbers = (operator.concurrency, mapping.concurrency)
    return next((number for number in numbers if number is not None), default)


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
