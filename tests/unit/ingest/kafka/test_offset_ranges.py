"""Spans: what a batch covers, so that every offset is accounted for."""

from ingest.kafka.offset_ranges import build_ranges
from ingest.kafka.record import KafkaRecord
from longshore.ledger.entry import OffsetRange


def read(*offsets: int, partition: int = 0) -> list[KafkaRecord]:
    return [KafkaRecord("org.runs", partition, offset, 0, b"") for offset in offsets]


def test_a_span_covers_what_was_read_of_its_partition() -> None:
    """First and next offset, with what was not for us by reason."""
    others = read(0, 1, partition=1)

    ranges = build_ranges(read(5, 6) + others + read(7), {}, [(record, "not_json") for record in others])

    assert ranges == [OffsetRange("org.runs", 0, 5, 8), OffsetRange("org.runs", 1, 0, 2, skipped={"not_json": 2})]


def test_offsets_that_kafka_never_shows_belong_to_the_next_span() -> None:
    """Transaction markers and compacted records between two batches are gaps, and no offset is missing."""
    assert build_ranges(read(9), {("org.runs", 0): 5}, ()) == [OffsetRange("org.runs", 0, 5, 10, 5)]


def test_what_is_read_again_makes_a_span_of_its_own() -> None:
    """After a rebalance the last seconds come again, although the ledger is ahead of them."""
    assert build_ranges(read(3), {("org.runs", 0): 5}, ()) == [OffsetRange("org.runs", 0, 3, 4, 5)]
