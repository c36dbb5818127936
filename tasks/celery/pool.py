"""Celery's pool, which runs the tasks `requeue` only: what a worker delivers is in no pool."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.concurrency.thread import TaskPool

THREADS = 2
"""Requeues are rare, and each takes a few milliseconds."""


class RequeuePool(TaskPool):
    """A few threads. `limit` is the slots of the worker, and not theirs: what Flower shows as its concurrency."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.executor = ThreadPoolExecutor(THREADS)
