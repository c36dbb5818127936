"""Names on the wire: an old message must find its task, whichever version takes it."""

from config.settings import load
from longshore.ledger.record import READS
from tasks.celery.app import make_app
from tasks.celery.names import DELIVER, QUEUE, REQUEUE, queue_of, queues, task_id
from tests.support.programs import SETTINGS


def test_tasks_and_queues_are_named_as_ever() -> None:
    """Messages of earlier versions lie in Redis under these names, and scripts send to them."""
    app = make_app(load({**SETTINGS, "REDIS_URL": "redis://localhost"}))

    assert ("deliver", "requeue", "deliver") == (DELIVER, REQUEUE, QUEUE)
    assert {DELIVER, REQUEUE} <= app.tasks.keys()
    assert ("deliver", "deliver.2", "deliver.3") == tuple(map(queue_of, (1, 2, 3)))
    assert QUEUE in queues()
    assert {queue_of(format) for format in READS} <= set(queues())


def test_a_requeued_invocation_is_another_task_to_celery() -> None:
    """Celery and Flower never let a finished id live again."""
    assert ("r_1", "r_1~2") == (task_id("r_1", 1), task_id("r_1", 2))
