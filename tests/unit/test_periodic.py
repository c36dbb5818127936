"""The one way in which threads of ours do something again and again."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from longshore import periodic
from longshore.errors import StoreUnavailable
from longshore.log import events
from longshore.periodic import Periodic
from longshore.telemetry.health import PROCESS_HEALTH, CheckResult
from tests.support.programs import eventually

ROOT = Path(__file__).parents[2]
SECRET = "sent by a customer"

OTHER_THREADS = {
    "ingest/background.py": "once: asks, and hands over an answer that others wait for",
    "longshore/cli/doctor/runner.py": "once: one check",
    "longshore/notification/destinations.py": "once: one message, which cannot be cut off",
    "longshore/delivery/resolver.py": "once: one look-up, which cannot be cut off",
    "longshore/periodic.py": "the loop itself",
    "longshore/sandbox/http_server.py": "serves: asyncio's loop",
    "longshore/runtime/supervisor.py": "the loop of `run`, beside a sandbox or test: it ends itself",
    "longshore/telemetry/http_server.py": "serves: socketserver's loop",
    "longshore/telemetry/tracing.py": "once: sends the last spans at the end of a process",
    "tasks/worker/drain.py": "once: the end of a worker",
    "tasks/worker/isolation/child_processes.py": "once: a timer that ends one attempt",
    "tasks/worker/pipeline/authorize.py": "once: fetches one access token",
    "tasks/worker/thread_pool.py": "once each: jobs that raise nothing, until it is a spare thread too many",
}
"""The modules that make threads of another kind, and why: they do one thing and end, or serve until the end."""

Start = Callable[..., Periodic]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Periodic] = []

    def start(step: Callable[[], float | None], **options: float) -> Periodic:
        made.append(Periodic("the test's", 0.01, step, **options))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.mark.parametrize("error", [ValueError(SECRET), MemoryError(), SystemExit(1), KeyError(SECRET)])
def test_it_goes_on_whatever_a_step_raises(start: Start, error: BaseException) -> None:
    """Also what ends a program elsewhere. The log says what it was and where, and none of its text."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps < 3:
            raise error

    with structlog.testing.capture_logs() as lines:
        loop = start(step)
        eventually(lambda: steps > 3, "it goes on")
        loop.stop()

    (failed,) = [line for line in lines if line["event"] == events.LOOP_FAILED.name]
    assert (failed["error"], "test_periodic.py" in failed["at"]) == (type(error).__name__, True)
    assert SECRET not in str(lines)


def test_one_that_hangs_or_only_fails_is_not_alive(start: Start) -> None:
    """Liveness tells which thread it is."""
    goes_on, fails = threading.Event(), threading.Event()

    def step() -> None:
        if fails.is_set():
            raise ValueError
        goes_on.wait()

    def threads() -> CheckResult:
        return PROCESS_HEALTH.live().results["threads"]

    loop = start(step, limit_s=0.2)
    eventually(lambda: not threads().ok, "it hangs")
    assert "the thread the test's has done nothing" in threads().text
    goes_on.set()
    eventually(lambda: threads().ok, "it goes on")
    fails.set()
    eventually(lambda: not threads().ok, "it fails and fails")
    loop.stop()
    assert not periodic.stalled()


def test_one_that_waits_for_redis_is_alive(start: Start) -> None:
    """To replace the program would bring nothing."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        raise StoreUnavailable("ConnectionError", "refused")

    start(step, limit_s=3.0)
    eventually(lambda: steps > 5, "it tries again and again")
    assert not periodic.stalled()


def test_no_other_thread_goes_on_and_on() -> None:
    """A loop of its own would end of what nobody thought of, and nothing would tell."""
    makers = {
        str(path.relative_to(ROOT))
        for package in ("config", "ingest", "longshore", "tasks")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\b(Thread|Timer)\(", path.read_text())
    }

    assert set(OTHER_THREADS) == makers
