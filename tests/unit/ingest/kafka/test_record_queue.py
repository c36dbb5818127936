"""The queue: at once when idle, together under load, bounded always."""

import threading

from ingest.kafka.record import KafkaRecord
from ingest.kafka.record_queue import BATCH_BYTES, WAITING_BYTES, RecordQueue


def records(count: int, size: int = 1, partition: int = 0) -> list[KafkaRecord]:
    return [KafkaRecord("org.runs", partition, offset, 0, b"x" * size) for offset in range(count)]


def test_a_single_message_is_taken_at_once() -> None:
    """Nobody waits for a batch to fill."""
    queue = RecordQueue(500)
    queue.put(records(1))

    assert queue.take() == records(1)


def test_what_came_meanwhile_is_taken_together() -> None:
    """In order, and no more than a batch."""
    queue = RecordQueue(3)
    queue.put(records(2))
    queue.put(records(2))

    assert [record.offset for record in queue.take() or ()] == [0, 1, 0]
    assert [record.offset for record in queue.take() or ()] == [1]


def test_there_is_room_for_two_batches() -> None:
    """One being stored, one waiting: more would only be read again after a rebalance."""
    queue = RecordQueue(2)
    queue.put(records(3))
    assert queue.has_room()
    queue.put(records(1))
    assert not queue.has_room()
    queue.take()
    assert queue.has_room()


def test_large_messages_fill_it_by_their_bytes() -> None:
    """A thousand messages of 5 MB are not held in memory, nor stored in one call."""
    queue = RecordQueue(500)
    queue.put(records(5, BATCH_BYTES))
    assert WAITING_BYTES == 4 * BATCH_BYTES
    assert not queue.has_room()
    assert len(queue.take() or ()) == 1


def test_a_message_larger_than_a_batch_is_taken_alone() -> None:
    """It is no reason to stand still."""
    queue = RecordQueue(500)
    queue.put(records(2, BATCH_BYTES + 1))

    assert len(queue.take() or ()) == 1


def test_tombstones_take_no_room() -> None:
    """A value of None has no size."""
    queue = RecordQueue(500)
    queue.put([KafkaRecord("org.runs", 0, 0, 0, None)])

    assert len(queue.take() or ()) == 1


def test_what_was_revoked_is_dropped() -> None:
    """It is another consumer's now; the rest stays in order."""
    queue = RecordQueue(500)
    queue.put(records(2, partition=0) + records(1, partition=1))
    queue.drop([("org.runs", 0)])

    assert queue.take() == records(1, partition=1)


def test_an_empty_wait_ends() -> None:
    """Nothing came: an empty batch, no end."""
    assert RecordQueue(500).take(0) == []


def test_closing_ends_every_wait() -> None:
    """The thread that stores is told at once, whatever it waits for."""
    queue = RecordQueue(500)
    batch: list[object] = []
    thread = threading.Thread(target=lambda: batch.append(queue.take()))
    thread.start()
    queue.close()
    thread.join(10)

    assert batch == [None]


def test_a_partition_that_is_held_back_keeps_up_no_other() -> None:
    """It waits with what was taken of it, gets no more than it has been sent, and goes on in order."""
    queue = RecordQueue(2)
    queue.put(records(4, partition=0))
    batch = queue.take() or []
    queue.hold(("org.runs", 0), batch)
    assert queue.has_room()

    queue.put(records(2, partition=1))
    assert queue.take() == records(2, partition=1)
    queue.put(records(5, partition=0)[4:])
    assert queue.take(0) == []
    assert list(queue.on_hold) == [("org.runs", 0)]
    assert queue.on_hold["org.runs", 0] == records(2)

    queue.put(records(1, partition=1))
    queue.release(("org.runs", 0))
    assert not queue.on_hold
    batch = [record for _ in range(3) for record in queue.take() or ()]
    assert batch == [*records(5), *records(1, partition=1)]


def test_what_is_held_back_is_bounded_too() -> None:
    """Messages of the largest size are not gathered in memory, whatever the number of partitions."""
    queue = RecordQueue(500)
    for partition in range(2):
        queue.put(records(4, BATCH_BYTES, partition))
        queue.hold(("org.runs", partition), ())
    assert not queue.has_room()
    queue.drop([("org.runs", 1)])
    assert queue.has_room()
    assert list(queue.on_hold) == [("org.runs", 0)]


def test_what_is_held_back_in_parts_stays_in_order() -> None:
    """As where a batch was halved to find the message to blame."""
    queue = RecordQueue(500)
    queue.put(records(6)[4:])
    queue.hold(("org.runs", 0), records(2))
    queue.hold(("org.runs", 0), records(4)[2:])

    assert queue.on_hold["org.runs", 0] == records(6)
