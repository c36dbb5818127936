"""Elements of Celery's lists and channels that no task can be made of: dropped and logged, never a reason to end.

kombu and Celery let such an element end the worker or, worse, keep it among the unacknowledged until the worker takes
nothing any more. Whatever it was, nothing is lost: a wake-up call whose lease lapses comes again.
tests/integration/tasks/test_transport.py holds the methods in place that are taken from kombu's inside.
"""

from typing import Any

from kombu.transport import redis
from redis.exceptions import RedisError

from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)


class TolerantChannel(redis.Channel):
    """A channel that survives every element."""

    def basic_consume(self, queue: str, *args: Any, **options: Any) -> Any:
        """As kombu's, but what fails over a single element drops that element only."""
        tag = super().basic_consume(queue, *args, **options)
        deliver = self.connection._callbacks[queue]

        def deliver_or_drop(raw: Any) -> Any:
            try:
                return deliver(raw)
            except (RedisError, OSError):
                raise
            except Exception as error:
                _log_dropped(error)
                self._forget(raw)

        self.connection._callbacks[queue] = deliver_or_drop
        return tag

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, RecursionError, MemoryError) as error:  # no JSON; all that follows has been dealt with
            _log_dropped(error)
            return False

    def _receive(self) -> Any:
        try:
            return super()._receive()
        except (ValueError, RecursionError, MemoryError) as error:
            _log_dropped(error)
            return False

    def _forget(self, raw: Any) -> None:
        """Acknowledge what was taken of the list: the number of those that are not is limited."""
        try:
            tag = raw["properties"]["delivery_tag"]
            if tag in self.qos._delivered:
                self.qos.ack(tag)
        except (TypeError, KeyError):  # it did not get that far
            return


def _log_dropped(error: Exception) -> None:
    # Neither the text of the error nor its traceback: both may quote the element.
    log.event(
        events.CELERY_MESSAGE_DROPPED,
        error=type(error).__name__,
    )
