"""What tests of log lines share: a terminal to write to, and logging as it was before them."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def logging_restored() -> Iterator[None]:
    """What is configured within is gone behind it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)
        structlog.reset_defaults()
