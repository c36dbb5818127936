"""Calls that may take long, beside the thread that reads: it goes on turning, and ends as soon as it is asked to."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import TypeVar

T = TypeVar("T")

TURN_S = 0.1
"""Between two heartbeats while a call is waited for."""


def in_background(name: str, work: Callable[[], T]) -> "Future[T]":
    """`work` in a thread that does not keep the process from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def wait_for(future: "Future[T]", stop: threading.Event, turn: Callable[[], None]) -> T | None:
    """The result of `future`, or what it raised; None if `stop` comes first. `turn` is called while it waits.

    What is still under way then ends with the process.
    """
    while not stop.is_set():
        turn()
        try:
            return future.result(TURN_S)
        except NotDone:
            if future.done():  # just now, or the call itself has timed out
                return future.result()
    return None
