"""W3C trace context: which trace an invocation belongs to, from its Kafka headers to the headers of its webhook.

What is malformed is dropped (W3C Trace Context, "Processing Model"): a trace that cannot be continued is no reason to
do anything else differently.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PARENT, STATE = "traceparent", "tracestate"

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/]{0,255}(@[a-z0-9][a-z0-9_\-*/]{0,255})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}"
)
_MOST_MEMBERS = 32
_LONGEST = 512
"""Both limits of `tracestate` are those of the specification."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A valid `traceparent`, and the `tracestate` beside it (empty for none)."""

    parent: str
    state: str = ""

    @classmethod
    def read(cls, parent: str, state: str = "") -> "TraceContext | None":
        """The context that these values are; None if `parent` is malformed. A malformed `state` alone is left out."""
        found = _PARENT.fullmatch(parent.strip(" \t"))
        if found is None or (found[5] and found[1] == "00"):
            return None
        return cls(parent.strip(" \t"), _state(state))

    @classmethod
    def of_kafka(cls, headers: Iterable[tuple[str, object]] | None) -> "TraceContext | None":
        """From a Kafka message's headers, whose names are compared without case; two parents are none."""
        if not headers:
            return None
        found: dict[str, list[str]] = {PARENT: [], STATE: []}
        for name, value in headers:
            if isinstance(name, str) and (key := name.lower()) in found and isinstance(value, str | bytes):
                found[key].append(value if isinstance(value, str) else value.decode("latin-1"))
        if len(found[PARENT]) != 1:
            return None
        return cls.read(found[PARENT][0], ",".join(found[STATE]))

    @classmethod
    def loads(cls, stored: bytes) -> "TraceContext | None":
        """What `dumps` wrote; None for anything else."""
        parent, _, state = stored.decode("latin-1").partition("\n")
        return cls.read(parent, state)

    def dumps(self) -> bytes:
        """As bytes to be kept."""
        return f"{self.parent}\n{self.state}".encode("latin-1")

    def headers(self, mapped: Mapping[str, str]) -> dict[str, str]:
        """The headers to send beside `mapped` ones; none if the mapping continues a trace of its own."""
        if any(name.lower() == PARENT for name in mapped):
            return {}
        return {PARENT: self.parent} | ({STATE: self.state} if self.state else {})


def _state(text: str) -> str:
    members = [member.strip(" \t") for member in text.split(",") if member.strip(" \t")]
    keys = [member.partition("=")[0] for member in members]
    kept = ",".join(members)
    fine = len(members) <= _MOST_MEMBERS and len(kept) <= _LONGEST and len(set(keys)) == len(keys)
    return kept if fine and all(map(_MEMBER.fullmatch, members)) else ""
