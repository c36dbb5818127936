"""The sandbox's two commands: a stream to watch, and a demo that checks how each invocation ended."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from longshore.errors import LongshoreError, StoreUnavailable
from longshore.ledger.states import State
from longshore.sandbox.environment import Environment
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.operator_script import OperatorScript, Watched
from longshore.sandbox.scenario import Scenario
from longshore.sandbox.table import Screen
from longshore.sandbox.tracker import Followed

LOOK_S = 0.25
"""How often the table is brought up to date."""
PUBLISH_S = 0.5
"""Between two invocations of the stream."""
SHOWN = 20
"""Invocations of the stream that are shown, the last ones."""
DEMO_LIMIT_S = 52.0
"""When the demo gives up: it promises to end within a minute, and needs some seconds to stop everything."""
REPORTS_LIMIT_S = 10.0
"""How much later than the last delivery Port may have heard of all."""
INTERRUPTED = 130
"""The exit code of a demo that was stopped before it knew (128 + SIGINT, as shells say it)."""


def run(demo: bool) -> int:
    """Run the sandbox in the foreground until Ctrl-C or SIGTERM, or until the demo is over; returns the exit code.

    The demo's is 0 only if every invocation ended as it should. No process is left in any case. Main thread only.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no arrows gets question marks
    folder = Path(tempfile.mkdtemp(prefix="longshore-sandbox-"))
    stop = threading.Event()
    code = 1
    with Screen() as screen, Environment(folder, screen.say) as stage, _signals_to(stop, stage.hurry):
        try:
            screen.say(f"Starting the sandbox; its logs are in {folder}")
            stage.start()
            _say_addresses(stage, screen)
            code = _demo(stage, screen, stop) if demo else _stream(stage, screen, stop)
        except LongshoreError as error:
            screen.close()
            screen.say(f"The sandbox cannot go on: {error}")
        finally:
            screen.close()
            screen.say("Stopping ...")
            stage.stop()
            if demo and code == 0:
                shutil.rmtree(folder, ignore_errors=True)
                screen.say("Stopped.")
            else:
                screen.say(f"Stopped. The logs stay in {folder}")
    return code


def _demo(stage: Environment, screen: Screen, stop: threading.Event) -> int:
    began = time.monotonic()
    person = OperatorScript(stage.settings, stage.targets, screen.say)
    followed = [stage.publish(case) for case in _scenario(stage, "demo").demo()]
    screen.say(f"Published {len(followed)} messages; now waiting for each to end, {DEMO_LIMIT_S:.0f} s at the most.")
    ended_at = None
    while not stop.wait(LOOK_S):
        if _look(stage, followed):
            person.act(followed)
        open_ones = [each for each in followed if not each.ended]
        screen.show(followed, _progress(followed, time.monotonic() - began), checked=True)
        ended_at = (ended_at or time.monotonic()) if not open_ones else None
        if not any(each.differences() for each in followed):
            break
        reports_late = ended_at is not None and time.monotonic() > ended_at + REPORTS_LIMIT_S
        if reports_late or time.monotonic() > began + DEMO_LIMIT_S:
            break
    screen.close(followed, checked=True)
    if stop.is_set():
        return INTERRUPTED
    return _judge(stage, screen, followed, person.seen(followed), time.monotonic() - began)


def _judge(
    stage: Environment, screen: Screen, followed: Sequence[Followed], watched: Sequence[Watched], took_s: float
) -> int:
    screen.say("")
    for each in watched:
        screen.say(f"{'ok ' if each.ok else 'NO '} {each.claim}: {each.seen}")
    problems = [f"{each.claim}: {each.seen}" for each in watched if not each.ok]
    problems += [f"{each.case.title}: {found}" for each in followed for found in each.differences()]
    problems += [f"a call the real Port would refuse: {violation}" for violation in stage.port.violations]
    screen.say("")
    if not problems:
        screen.say(f"All {len(followed)} ended as they should, after {took_s:.0f} s.")
        return 0
    screen.say(f"Not as it should be after {took_s:.0f} s:")
    for problem in problems:
        screen.say(f"  {problem}")
    return 1


def _stream(stage: Environment, screen: Screen, stop: threading.Event) -> int:
    cases = _scenario(stage, "run").stream(random.Random())
    followed: deque[Followed] = deque(maxlen=SHOWN)
    screen.say("Publishing two invocations a second. Ctrl-C ends everything.")
    publish_at = time.monotonic()
    while not stop.wait(LOOK_S):
        if time.monotonic() >= publish_at:
            publish_at += PUBLISH_S
            followed.append(stage.publish(next(cases)))
        counts = _look(stage, list(followed))
        screen.show(list(followed), _totals(counts), checked=False)
    return 0


def _look(stage: Environment, followed: Sequence[Followed]) -> dict[str, int]:
    """Bring all up to date; returns the ledger's counts, none while Redis is away."""
    stage.check()
    try:
        stage.follower.look(followed)
        return stage.follower.counts()
    except StoreUnavailable:
        return {}  # the next look is a moment away, and `check` tells of a Redis that died


def _progress(followed: Sequence[Followed], took_s: float) -> str:
    waiting = [each.case.title for each in followed if not each.ended]
    late = [each.case.title for each in followed if each.ended and each.differences()]
    text = f"{len(followed) - len(waiting)} of {len(followed)} have ended after {took_s:.0f} s"
    if waiting:
        return f"{text}; under way: {', '.join(waiting[:3])}{' ...' if len(waiting) > 3 else ''}"
    return f"{text}; Port is still to hear of: {', '.join(late[:3])}" if late else text


def _totals(counts: dict[str, int]) -> str:
    names = {
        "accepted": "accepted", State.DONE: "delivered", State.DEAD: "dead", State.UNKNOWN: "unknown",
        "backlog": "waiting",
    }  # fmt: skip
    if not counts:
        return "Waiting for the first invocation to be read from Kafka ..."
    return " · ".join(f"{counts.get(key, 0)} {name}" for key, name in names.items())


def _scenario(stage: Environment, prefix: str) -> Scenario:
    return Scenario({name: stage.targets.url(name) for name in FakeTargets.NAMES}, stage.secret, prefix)


def _say_addresses(stage: Environment, screen: Screen) -> None:
    screen.say(f"  Flower            {stage.flower}")
    screen.say(f"  fake Port's page  {stage.port.url}")
    screen.say(f"  Redis, Kafka      {stage.redis.url}  {stage.kafka.bootstrap}")


@contextmanager
def _signals_to(stop: threading.Event, hurry: Callable[[], None]) -> Iterator[None]:
    """The first signal ends things in order, a second one in a hurry."""

    def told(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            hurry()
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
