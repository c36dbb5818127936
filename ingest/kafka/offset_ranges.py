"""What a batch covers of each partition: the ledger keeps it as the next expected offset and the counters."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from ingest.kafka.record import KafkaRecord, Partition
from longshore.ledger.entry import OffsetRange


def build_ranges(
    records: Sequence[KafkaRecord],
    expected: Mapping[Partition, int],
    skipped: Sequence[tuple[KafkaRecord, str]],
    mode: Literal["group", "replay"] = "group",
) -> list[OffsetRange]:
    """One range per partition in `records`, which stand in the order they were read.

    `expected` is the next offset that the ledger has, as far as this consumer knows; a range begins there, so that
    offsets which Kafka never shows (transaction markers, compacted records) are counted as gaps and not missing.
    `skipped` are those of the records that were not for us, with the reason.
    """
    first: dict[Partition, int] = {}
    last: dict[Partition, KafkaRecord] = {}
    reasons: defaultdict[Partition, Counter[str]] = defaultdict(Counter)
    for record in records:
        first.setdefault(record.topic_partition, record.offset)
        last[record.topic_partition] = record
    for record, reason in skipped:
        reasons[record.topic_partition][reason] += 1
    return [
        OffsetRange(
            topic=partition[0],
            partition=partition[1],
            first=min(start, expected.get(partition, start)),
            next=last[partition].offset + 1,
            expected=expected.get(partition),
            skipped=dict(reasons[partition]),
            mode=mode,
            newest_ms=max(0, last[partition].timestamp_ms),
        )
        for partition, start in first.items()
    ]
