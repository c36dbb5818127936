"""Celery's options: what carries wake-up calls, and nothing more. Reasons: docs/explanation/architecture.md."""

from typing import Any

from kombu.entity import Exchange, Queue

from config.settings import Settings
from tasks.celery.names import QUEUE, queues
from tasks.celery.pool import RequeuePool
from tasks.celery.transport import Transport


def celery_options(settings: Settings) -> dict[str, Any]:
    """The configuration of the Celery app for `settings`."""
    return {
        # Only to be shown, so it holds no password: the transport has an option of its own for the address.
        "broker_url": str(settings.redis),
        # Restores nothing on a lost connection: the ledger's leases do that, and kombu's way ends the worker.
        "broker_transport": Transport,
        "broker_transport_options": {
            "address": settings.redis,
            "global_keyprefix": f"longshore:{{{settings.namespace}}}:celery:",
            # One command per message instead of nine; a message lost in a worker's death is a lease that lapses.
            "ack_emulation": False,
            "priority_steps": [0],
            "max_connections": settings.worker_slots + 50,
            # With the socket's timeout of 10 s: found out in about 11 s when the other side is gone without a word.
            "health_check_interval": 5,
        },
        # Redis may come later than we do, and go for as long as it likes.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 3,
        # A delivery under way need not die with a socket.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_default_queue": QUEUE,
        "task_queues": [Queue(name, Exchange(QUEUE), routing_key=name) for name in queues()],
        "task_ignore_result": True,
        "result_backend": None,
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": True,
        "worker_send_task_events": settings.worker_events,
        "task_send_sent_event": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Claims held over a lost connection still count, see receipts.py.
        "worker_enable_prefetch_count_reduction": False,
        "worker_concurrency": settings.worker_slots,
        "worker_pool": RequeuePool,
        "task_serializer": "json",
        "accept_content": ["json"],
        "enable_utc": True,
    }
