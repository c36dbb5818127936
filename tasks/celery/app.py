"""The Celery app of an agent: its options, its tasks."""

from celery import Celery, signals

from config.settings import Settings
from tasks.celery.deliver import Deliver
from tasks.celery.options import celery_options
from tasks.celery.requeue import RequeueTask
from tasks.celery.transport import QuickAMQP


@signals.setup_logging.connect
def _leave_logging_alone(**_: object) -> None:
    """Celery configures no logging where this signal has a receiver; config/logging.py has done it."""


def make_app(settings: Settings) -> Celery:
    """An app whose names all stand under the agent's namespace, so that two agents may share one Redis."""
    app = Celery("longshore", amqp=QuickAMQP, set_as_current=False)
    app.config_from_object(celery_options(settings))
    app.register_task(Deliver())
    app.register_task(RequeueTask())
    return app
