"""Names on the wire: tasks and queues, which programs of all versions know. Moving a module strands no message."""

from longshore.ledger.record import READS

DELIVER = "deliver"
"""The task that makes one attempt."""

REQUEUE = "requeue"
"""The task that sends an ended invocation again."""

QUEUE = "deliver"
"""The queue of both tasks, and the exchange of all queues."""


def queue_of(format: int) -> str:
    """The queue of the messages about records of `format`: only workers that read it listen there."""
    return QUEUE if format == 1 else f"{QUEUE}.{format}"


def format_of(queue: str) -> int:
    """The record format of the messages in `queue`; 1 where its name tells none."""
    prefix, _, number = queue.rpartition(".")
    return int(number) if prefix == QUEUE and number.isdecimal() else 1


def queues() -> tuple[str, ...]:
    """The queues where a worker of this version listens."""
    return tuple(dict.fromkeys([QUEUE, *map(queue_of, READS)]))


def task_id(id: str, generation: int) -> str:
    """Celery's id of an invocation: Port's run id, with the generation behind it after a requeue.

    Celery and Flower never let a finished id live again.
    """
    return id if generation == 1 else f"{id}~{generation}"
