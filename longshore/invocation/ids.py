"""Under which id the ledger keeps an invocation: the same at each reading, as repeats are recognised by it."""

import hashlib
import re
from typing import Protocol

_PLAIN = re.compile(r"[\x21-\x7e]{1,200}")
"""Run ids that Redis keys, Celery task ids and log lines take as they are. Port's own all are."""


class KafkaRecord(Protocol):
    """What tells one Kafka record from all others."""

    @property
    def topic(self) -> str:
        """Its topic."""

    @property
    def partition(self) -> int:
        """Its partition's number."""

    @property
    def offset(self) -> int:
        """Its offset in that partition."""

    @property
    def timestamp_ms(self) -> int:
        """Its time, as the broker tells it; -1 if it has none."""


def run_id(run: str) -> str:
    """The id of a run: Port's own where it is plain, else a hash of it."""
    if _PLAIN.fullmatch(run):
        return run
    return "x-" + hashlib.sha256(run.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def event_id(record: KafkaRecord) -> str:
    """The id of a change log event, which has none of its own: its place in Kafka.

    The timestamp tells apart what stood at the same place before and after the topic was recreated.
    """
    return f"cl.{_place(record)}"


def refused_id(record: KafkaRecord) -> str:
    """The id of what is not proven to come from Port: never the run id it claims.

    Otherwise anybody who can write to the topic could take the place of a run that is still to come.
    """
    return f"bad.{_place(record)}"


def _place(record: KafkaRecord) -> str:
    return f"{record.topic}.{record.partition}.{record.offset}.{record.timestamp_ms}"
