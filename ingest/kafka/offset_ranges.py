"""What a batch covers of each partition: the ledger keeps it as the next expected offset and the counters."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ingest.kafka.record import Partition, Record
from longshore.store.entry import Span


def spans_of(
    records: Sequence[Record], expected: Mapping[Partition, int], skipped: Mapping[Partition, Counter[str]]
) -> list[Span]:
    """One span per partition in `records`.

    `expected` is the next offset that the ledger has, as far as this consumer knows; a span begins there, so that
    offsets which Kafka never shows (transaction markers, compacted records) are counted as gaps and not missing.
    `skipped` counts by reason what was not for us.
    """
    first: dict[Partition, int] = {}
    last: dict[Partition, Record] = {}
    for record in records:
        first.setdefault(record.topic_partition, record.offset)
        last[record.topic_partition] = record
    return [
        Span(
            topic=place[0],
            partition=place[1],
            first=min(start, expected.get(place, start)),
            next=last[place].offset + 1,
            expected=expected.get(place),
            skipped=dict(skipped.get(place, {})),
            newest_ms=max(0, last[place].timestamp_ms),
        )
        for place, start in first.items()
    ]
