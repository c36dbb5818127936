"""Which process of the fleet sends notifications, and its notes for whoever comes next. One script, by Redis's time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.ledger import Ledger
from longshore.ledger.scripts import Script
from longshore.ledger.text import decode, encode


@dataclass(frozen=True, slots=True)
class Notes:
    """What the holder of the lease knows."""

    now_ms: int
    """What ends from now on is given a time that is not before it."""
    fields: Mapping[str, str]

    @property
    def read_ms(self) -> int | None:
        """When an ingest last had all it needs to read its source; None: never."""
        text = self.fields.get("read", "")
        return int(text) if text.isdecimal() and text.isascii() else None


class NotificationLease:
    """The lease as one process sees it. A process that dies leaves it to the others when it lapses.

    Raises `StoreUnavailable`.
    """

    def __init__(self, ledger: Ledger, process: str, lease_s: float) -> None:
        self._ledger = ledger
        self._process = process
        self._lease_ms = round(lease_s * 1000)
        self._script = Script.get("notify")

    def take(self, *, reads: bool) -> Notes | None:
        """Takes or renews the lease; None while another process has it. `reads`: this is an ingest, and it can read."""
        return self._run(int(reads))

    def note(self, field: str, value: str) -> bool:
        """Notes something and renews the lease; False if another process has taken it over."""
        return self._run(0, field, value) is not None

    def _run(self, reads: int, *notes: str) -> Notes | None:
        ledger = self._ledger
        with reaching_store():
            answer: Any = self._script.run(
                ledger.redis.execute_command,
                ledger.keys.prefix,
                *(ledger.limits.packed(), encode(self._process), self._lease_ms, reads, *map(encode, notes)),
            )
        if not answer:
            return None
        now_ms, *texts = map(decode, answer)
        return Notes(int(now_ms), dict(zip(texts[::2], texts[1::2], strict=True)))
