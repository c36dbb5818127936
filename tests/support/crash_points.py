"""Named points at which a program kills itself, and the launcher of such a program.

A point lies at the edge of a function of the real modules. The launcher wraps that one function and then runs the real
command, so what is shipped knows nothing of points and pays nothing for them. A function that was renamed, or is no
longer passed, is found by tests/unit/test_crash_points.py and tests/faults/test_crash_points.py.

    python -P crash_points.py POINT PASSAGE MARK ROLE

The program kills itself at the PASSAGE-th time, having written the file MARK.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from longshore.delivery.outcome import Outcome
from longshore.ledger.states import FINAL_STATES


def always(_args: Sequence[Any], _result: Any) -> bool:
    """Every call is a passage."""
    return True


def begins_some(_args: Sequence[Any], result: Any) -> bool:
    """Batches of which something may be sent now."""
    return any(isinstance(answer, int) for answer in result)


def claims_something(_args: Sequence[Any], result: Any) -> bool:
    """Pumps and ends of attempts that hand work out."""
    return bool(result.claims)


def has_entries(args: Sequence[Any], _result: Any) -> bool:
    """Batches with invocations in them, not mere looks at the ledger."""
    return bool(args[2])


def has_claims(args: Sequence[Any], _result: Any) -> bool:
    """Publishing of anything at all."""
    return bool(args[1])


def was_answered(_args: Sequence[Any], result: Any) -> bool:
    """Requests that the target answered, redirects aside."""
    return isinstance(result, Outcome) and result.response is not None


def has_ended(_args: Sequence[Any], result: Any) -> bool:
    """Ends of attempts, some of them with no other attempt to follow."""
    return any(state in FINAL_STATES for state in result.states)


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """Where a program kills itself: before a call of `function` in `module`, or when it has done its work."""

    name: str
    role: Literal["ingest", "worker"]
    module: str
    function: str
    when: Literal["before", "after"]
    is_passage: Callable[[Sequence[Any], Any], bool] = always
    """Which calls are passages, by their arguments and result (None before the call)."""
    max_passages: int = 20
    """Passages that come soon at any load: batches are fewer than invocations."""
    expected: str = ""
    """For the page of the faults, where it is more than that nothing is lost."""

    def owner(self) -> tuple[Any, str]:
        """The class that has the function, and the function's name in it."""
        *path, name = self.function.split(".")
        return functools.reduce(getattr, path, importlib.import_module(self.module)), name


_LEDGER = "longshore.ledger.ledger"
_OUTBOX = "longshore.ledger.report_outbox"
_PUBLISH = "tasks.celery.publish"

POINTS = (
    CrashPoint("before accept", "ingest", _LEDGER, "Ledger.accept", "before", has_entries, max_passages=3),
    CrashPoint("after accept", "ingest", _LEDGER, "Ledger.accept", "after", has_entries, max_passages=3),
    CrashPoint(
        "after accept and publish", "ingest", _PUBLISH, "Publisher.publish", "after", has_claims, max_passages=3
    ),
    CrashPoint("during commit", "ingest", "ingest.kafka.consumer", "KafkaReader.commit", "after", max_passages=2),
    CrashPoint(
        "after pump, before publish",
        "worker",
        _LEDGER,
        "Ledger.pump",
        "after",
        claims_something,
        max_passages=3,
        expected="the pump has no owner to lose: any worker hands out again what the killed one had taken",
    ),
    CrashPoint("after publish", "worker", _PUBLISH, "Publisher.publish", "after", has_claims, max_passages=5),
    CrashPoint("at receipt", "worker", "tasks.worker.pipeline.pipeline", "Pipeline.receive", "before", max_passages=3),
    CrashPoint("after load", "worker", _LEDGER, "Ledger.load", "after", max_passages=3),
    CrashPoint(
        "after build, before begin",
        "worker",
        "tasks.worker.attempt_executor",
        "AttemptExecutor.build",
        "after",
        max_passages=3,
    ),
    CrashPoint("after begin", "worker", _LEDGER, "Ledger.begin", "after", begins_some, max_passages=3),
    CrashPoint("begun, before a thread has it", "worker", "tasks.worker.pipeline.send", "Send.put", "before"),
    CrashPoint(
        "after bytes sent", "worker", "longshore.delivery.connection", "_DeadlineConnection.write_request", "after"
    ),
    CrashPoint(
        "while a response is waited for",
        "worker",
        "tasks.worker.pipeline.response_waiter",
        "ResponseWaiter.wait",
        "after",
    ),
    CrashPoint("in the middle of a redirect", "worker", "longshore.delivery.exchange", "Exchange._follow", "before"),
    CrashPoint(
        "after reply, before finish",
        "worker",
        "longshore.delivery.exchange",
        "Exchange.complete",
        "after",
        was_answered,
    ),
    CrashPoint("before finish", "worker", _LEDGER, "Ledger.finish", "before", max_passages=3),
    CrashPoint("after finish, before report", "worker", _LEDGER, "Ledger.finish", "after", has_ended, max_passages=3),
    CrashPoint(
        "after finish, before publish", "worker", _LEDGER, "Ledger.finish", "after", claims_something, max_passages=3
    ),
    CrashPoint(
        "after finish, before Celery's ack",
        "worker",
        "tasks.celery.receipts",
        "Receipt.acknowledge",
        "before",
        max_passages=5,
    ),
    CrashPoint("during report", "worker", "longshore.port.client", "PortClient.call", "after", max_passages=10),
    CrashPoint("after reports, before ack", "worker", _OUTBOX, "ReportOutbox.ack", "before", max_passages=3),
)
"""In the order of an invocation's life, ingest's and then the workers'."""

BY_NAME = {point.name: point for point in POINTS}


def install(point: CrashPoint, passage: int, mark: Path) -> None:
    """From now on this process kills itself at the `passage`-th passage of `point`; `mark` then holds its name."""
    owner, name = point.owner()
    function = getattr(owner, name)
    lock = threading.Lock()
    passages = 0

    def count_passage(args: Sequence[Any], result: Any) -> None:
        nonlocal passages
        if not point.is_passage(args, result):
            return
        with lock:
            passages += 1
            if passages == passage:
                mark.write_text(point.name)
                os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        if point.when == "before":
            count_passage(args, None)
        result = function(*args, **options)
        if point.when == "after":
            count_passage(args, result)
        return result

    setattr(owner, name, wrapper)


def main() -> None:
    """Install the point and become the program; never returns."""
    name, passage, mark, *command = sys.argv[1:]
    install(BY_NAME[name], int(passage), Path(mark))
    sys.argv = ["longshore", *command]
    importlib.import_module("longshore.cli.__main__").start()


if __name__ == "__main__":
    main()
