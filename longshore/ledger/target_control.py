"""What holds a target or a lane back: the words of operators and mappings on it, and its breaker."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from longshore.ledger.breaker import Breaker

ControlSource = Literal["operator", "mapping"]
"""Whose word a gate is; an operator's is the stronger one."""


@dataclass(frozen=True, slots=True)
class TargetControl:
    """An operator's word, or a mapping's, on a target or a lane; None says nothing."""

    paused: bool = False
    rate: float | None = None
    """Starts per second."""
    concurrency: int | None = None
    """Most in flight at once."""

    def json(self) -> str:
        """For the scripts: only what is said."""
        said: dict[str, Any] = {"paused": True} if self.paused else {}
        if self.rate is not None:
            said["rate"] = self.rate
        if self.concurrency is not None:
            said["concurrency"] = self.concurrency
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def read(cls, text: bytes | None) -> "TargetControl":
        """What `json` wrote; nothing for None."""
        said = json.loads(text) if text else {}
        return cls(bool(said.get("paused")), said.get("rate"), said.get("concurrency"))


@dataclass(frozen=True, slots=True)
class Controls:
    """Fields of the ledger's hash `gates`, as `fields` names them; of a name without a field nothing is said."""

    texts: Mapping[bytes, bytes]

    @staticmethod
    def fields(names: Iterable[bytes]) -> list[bytes]:
        """The fields of the hash that tell all about the targets and lanes `names`."""
        return [prefix + name for name in names for prefix in (b"o:", b"m:", b"b:")]

    def operator(self, name: bytes) -> TargetControl:
        """An operator's word on a target or a lane."""
        return TargetControl.read(self.texts.get(b"o:" + name))

    def mapping(self, name: bytes) -> TargetControl:
        """The mapping's word on it."""
        return TargetControl.read(self.texts.get(b"m:" + name))

    def breaker(self, name: bytes) -> Breaker:
        """Its breaker."""
        return Breaker.read(self.texts.get(b"b:" + name))

    def rate(self, name: bytes, default: float) -> float:
        """Starts per second in effect."""
        return effective_rate(self.operator(name), self.mapping(name), default)

    def concurrency(self, name: bytes, default: int) -> int:
        """Most in flight at once in effect."""
        return effective_concurrency(self.operator(name), self.mapping(name), default)


def effective_rate(operator: TargetControl, mapping: TargetControl, default: float) -> float:
    """The rate that holds: the operator's word, otherwise the mapping's, otherwise the setting's."""
    return next((rate for rate in (operator.rate, mapping.rate) if rate is not None), default)


def effective_concurrency(operator: TargetControl, mapping: TargetControl, default: int) -> int:
    """The number in flight that holds, chosen as the rate is."""
    numbers = (operator.concurrency, mapping.concurrency)
    return next((number for number in numbers if number is not None), default)
