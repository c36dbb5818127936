"""The handover: at once when idle, together under load, bounded always."""

import threading

from ingest.handover import BATCH_BYTES, WAITING_BYTES, Handover
from ingest.record import Record


def records(count: int, size: int = 1, partition: int = 0) -> list[Record]:
    return [Record("org.runs", partition, offset, 0, b"x" * size) for offset in range(count)]


def test_a_single_message_is_taken_at_once() -> None:
    """Nobody waits for a batch to fill."""
    handover = Handover(500)
    handover.put(records(1))

    assert handover.take() == records(1)


def test_what_came_meanwhile_is_taken_together() -> None:
    """In order, and no more than a batch."""
    handover = Handover(3)
    handover.put(records(2))
    handover.put(records(2))

    assert [record.offset for record in handover.take() or ()] == [0, 1, 0]
    assert [record.offset for record in handover.take() or ()] == [1]


def test_there_is_room_for_two_batches() -> None:
    """One being stored, one waiting: more would only be read again after a rebalance."""
    handover = Handover(2)
    handover.put(records(3))
    assert handover.has_room()
    handover.put(records(1))
    assert not handover.has_room()
    handover.take()
    assert handover.has_room()


def test_large_messages_fill_it_by_their_bytes() -> None:
    """A thousand messages of 5 MB are not held in memory, nor stored in one call."""
    handover = Handover(500)
    handover.put(records(5, BATCH_BYTES))
    assert WAITING_BYTES == 4 * BATCH_BYTES
    assert not handover.has_room()
    assert len(handover.take() or ()) == 1


def test_a_message_larger_than_a_batch_is_taken_alone() -> None:
    """It is no reason to stand still."""
    handover = Handover(500)
    handover.put(records(2, BATCH_BYTES + 1))

    assert len(handover.take() or ()) == 1


def test_tombstones_take_no_room() -> None:
    """A value of None has no size."""
    handover = Handover(500)
    handover.put([Record("org.runs", 0, 0, 0, None)])

    assert len(handover.take() or ()) == 1


def test_what_was_revoked_is_dropped() -> None:
    """It is another consumer's now; the rest stays in order."""
    handover = Handover(500)
    handover.put(records(2, partition=0) + records(1, partition=1))
    handover.drop([("org.runs", 0)])

    assert handover.take() == records(1, partition=1)


def test_an_empty_wait_ends() -> None:
    """Nothing came: an empty batch, no end."""
    assert Handover(500).take(0) == []


def test_closing_ends_every_wait() -> None:
    """The thread that stores is told at once, whatever it waits for."""
    handover = Handover(500)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(handover.take()))
    thread.start()
    handover.close()
    thread.join(10)

    assert taken == [None]


def test_a_partition_that_is_held_back_keeps_up_no_other() -> None:
    """It waits with what was taken of it, gets no more than it has been sent, and goes on in order."""
    handover = Handover(2)
    handover.put(records(4, partition=0))
    taken = handover.take() or []
    handover.hold(("org.runs", 0), taken)
    assert handover.has_room()

    handover.put(records(2, partition=1))
    assert handover.take() == records(2, partition=1)
    handover.put(records(5, partition=0)[4:])
    assert handover.take(0) == []
    assert list(handover.held) == [("org.runs", 0)]
    assert handover.held["org.runs", 0] == records(2)

    handover.put(records(1, partition=1))
    handover.release(("org.runs", 0))
    assert not handover.held
    taken = [record for _ in range(3) for record in handover.take() or ()]
    assert taken == [*records(5), *records(1, partition=1)]


def test_what_is_held_back_is_bounded_too() -> None:
    """Messages of the largest size are not gathered in memory, whatever the number of partitions."""
    handover = Handover(500)
    for partition in range(2):
        handover.put(records(4, BATCH_BYTES, partition))
        handover.hold(("org.runs", partition), ())
    assert not handover.has_room()
    handover.drop([("org.runs", 1)])
    assert handover.has_room()
    assert list(handover.held) == [("org.runs", 0)]


def test_what_is_held_back_in_parts_stays_in_order() -> None:
    """As where a batch was halved to find the message to blame."""
    handover = Handover(500)
    handover.put(records(6)[4:])
    handover.hold(("org.runs", 0), records(2))
    handover.hold(("org.runs", 0), records(4)[2:])

    assert handover.held["org.runs", 0] == records(6)
