"""The workers of an agent, from outside of them: which are there, and the end of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from longshore.errors import StoreUnavailable

ANSWER_S = 2.0
"""How long answers are waited for; a worker under full load answers within a few hundred ms."""


class RemoteControl:
    """Celery's remote control of the workers of `app`. Raises `StoreUnavailable` when Redis is away."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def names(self) -> list[str]:
        """The workers that answer now, `longshore-<process id>@<host>` each, in order."""
        with self._connection() as connection:
            answers: list[dict[str, Any]] = self._app.control.ping(timeout=ANSWER_S, connection=connection) or []
        return sorted(name for answer in answers for name in answer)

    def end(self, name: str) -> None:
        """Tells one worker to end as SIGTERM does: it takes nothing more and finishes what it has begun."""
        with self._connection() as connection:
            self._app.control.shutdown(destination=[name], connection=connection)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._app.connection_for_write() as connection:
            try:
                connection.ensure_connection(max_retries=1)
                yield connection
            except (OperationalError, *connection.connection_errors) as error:
                raise StoreUnavailable(type(error).__name__) from error
