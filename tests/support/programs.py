"""Waiting for what other processes do, without guessing how long it takes."""

import time
from collections.abc import Callable

PATIENCE_S = 30.0
"""Long enough for a busy machine; only a failing test waits this long."""


def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Return as soon as `condition()` is true; fail with `what` if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what or condition}"
        time.sleep(0.02)
