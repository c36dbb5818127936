"""Where the ledger stands with partitions of Kafka: what it expects next of each, and what of it is not finished."""

from collections.abc import Collection
from typing import Any

from longshore.ledger.connection import reaching_store
from longshore.ledger.entry import PartitionOffsets
from longshore.ledger.ledger import Ledger
from longshore.ledger.text import decode, number

REPORT_PATIENCE_MS = 2_000
"""For so long an ended invocation counts as unfinished while its reports are unsent. Usually enough to send them; and
short, as an unfinished invocation is delivered again if the ledger is lost."""

Partition = tuple[str, int]
"""Topic and number."""


def read_partition_offsets(ledger: Ledger, partitions: Collection[Partition]) -> PartitionOffsets:
    """Where the ledger stands with `partitions`. Raises `StoreUnavailable`."""
    keys = ledger.keys
    with reaching_store(), ledger.redis.pipeline(transaction=False) as pipe:
        pipe.get(keys.name)
        pipe.hgetall(keys.newest)
        pipe.time()
        for topic, partition in partitions:
            pipe.hget(keys.partition(topic, partition), "next")
        name, newest, (now_s, _), *following = pipe.execute()
    times = {decode(field): number(value) for field, value in newest.items()}
    offsets = dict(zip(partitions, map(_offset, following), strict=True))
    fields = {(topic, partition): f"{topic}/{partition}" for topic, partition in partitions}
    return PartitionOffsets(
        ledger=decode(name or b""),
        next={partition: offset for partition, offset in offsets.items() if offset is not None},
        newest_ms={
            partition: times[field]
            for partition, field in fields.items()
            # A time in the future means nothing: an older version stored what the publisher's clock said.
            if 0 < times.get(field, 0) <= 1000 * (now_s + 1)
        },
        topics=frozenset(field.rpartition("/")[0] for field in times),
    )


def read_unfinished_offsets(
    ledger: Ledger, partitions: Collection[Partition]
) -> tuple[str, dict[Partition, list[int]]]:
    """The ledger's name, and the offsets of `partitions` that are not finished, in order (`Limits.open`).

    Raises `StoreUnavailable`.
    """
    fields = [f"{topic}/{partition}" for topic, partition in partitions]
    (name,), *offsets = ledger.run_script("unfinished", REPORT_PATIENCE_MS, *fields)
    return decode(name), {partition: list(map(number, row)) for partition, row in zip(partitions, offsets, strict=True)}


def _offset(text: Any) -> int | None:
    """The offset that `text` says; None for none, as accept.lua: then the partition is read as if it knew nothing."""
    return int(text) if text is not None and text.isdigit() else None
