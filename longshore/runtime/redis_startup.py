"""The first thing a program does with Redis: wait until it answers, and see whether it may hold the ledger."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from config.settings import Settings
from longshore.errors import StoreUnavailable
from longshore.ledger.connection import connect
from longshore.ledger.keys import Keys
from longshore.ledger.redis_requirements import check_requirements
from longshore.ledger.schema_version import check_schema_version
from longshore.log import events
from longshore.log.event_log import EventLog

log = EventLog(__name__)

_LONGEST_PAUSE_S = 2.0


def wait_for_usable_redis(settings: Settings, *, say_warnings: bool = True, wait: bool = True) -> None:
    """Returns once Redis answers and is fit; warnings are logged. Raises ConfigError if it is not fit.

    Without `wait` it logs that Redis does not answer, and returns.

    Told to stop meanwhile (SIGTERM, SIGINT), it raises SystemExit(0): there is nothing yet to save.
    """
    client = connect(settings.redis, 1)
    pause_s, waited = 0.1, False
    with client, _stoppable():
        while True:
            try:
                warnings = check_requirements(client)
                check_schema_version(client, Keys.of(settings.namespace))
            except StoreUnavailable as error:
                if not wait:
                    log.event(events.REDIS_CHECK_FAILED, error=str(error))
                    return
                if not waited:
                    log.event(events.REDIS_AWAITED, error=str(error))
                waited = True
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                break
    if waited:
        log.event(events.REDIS_ANSWERED)
    for text in warnings if say_warnings else ():
        log.event(events.REDIS_ADVICE_GIVEN, text=text)


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
