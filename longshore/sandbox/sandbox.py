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
from longshore.sandbox.operator_script import Observation, OperatorScript
from longshore.sandbox.scenario import Scenario
from longshore.sandbox.table import Screen
from longshore.sandbox.tracker import TrackedMessage

UPDATE_S = 0.25
"""How often the table is brought up to date."""
PUBLISH_S = 0.5
"""Between two invocations of the stream."""
MAX_ROWS = 20
"""Invocations of the stream that are shown, the last ones."""
DEMO_LIMIT_S = 52.0
"""When the demo gives up: it promises to end within a minute, and needs some seconds to stop everything."""
REPORTS_LIMIT_S = 10.0
"""How much later than the last delivery Port may have heard of all."""
INTERRUPTED = 130
"""The exit code of a demo that was stopped before it knew (128 + SIGINT, as shells say it)."""


def run(demo: bool, polling: bool = False) -> int:
    """Run the sandbox in the foreground until Ctrl-C or SIGTERM, or until the demo is over; returns the exit code.

    With `polling` the agent polls the fake Port, and there is no Kafka; not for the demo, which needs both topics.
    The demo's is 0 only if every invocation ended as it should. No process is left in any case. Main thread only.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no arrows gets question marks
    folder = Path(tempfile.mkdtemp(prefix="longshore-sandbox-"))
    stop = threading.Event()
    code = 1
    with (
        Screen() as screen,
        Environment(folder, screen.say, polling) as environment,
        _signals_to(stop, environment.hurry),
    ):
        try:
            screen.say(f"Starting the sandbox; its logs are in {folder}")
            environment.start()
            _say_addresses(environment, screen)
            code = _demo(environment, screen, stop) if demo else _stream(environment, screen, stop)
        except LongshoreError as error:
            screen.close()
            screen.say(f"The sandbox cannot go on: {error}")
        finally:
            screen.close()
            screen.say("Stopping ...")
            environment.stop()
            if demo and code == 0:
                shutil.rmtree(folder, ignore_errors=True)
                screen.say("Stopped.")
            else:
                screen.say(f"Stopped. The logs stay in {folder}")
    return code


def _demo(environment: Environment, screen: Screen, stop: threading.Event) -> int:
    started_at = time.monotonic()
    operator = OperatorScript(environment.settings, environment.targets, screen.say)
    messages = [environment.publish(case) for case in _scenario(environment, "demo").demo()]
    screen.say(f"Published {len(messages)} messages; now waiting for each to end, {DEMO_LIMIT_S:.0f} s at the most.")
    all_final_at = None
    while not stop.wait(UPDATE_S):
        if _update(environment, messages):
            operator.act(messages)
        open_messages = [message for message in messages if not message.is_final]
        screen.show(messages, _progress(messages, time.monotonic() - started_at), show_verdicts=True)
        all_final_at = (all_final_at or time.monotonic()) if not open_messages else None
        if not any(message.differences() for message in messages):
            break
        is_report_overdue = all_final_at is not None and time.monotonic() > all_final_at + REPORTS_LIMIT_S
        if is_report_overdue or time.monotonic() > started_at + DEMO_LIMIT_S:
            break
    screen.close(messages, show_verdicts=True)
    if stop.is_set():
        return INTERRUPTED
    return _judge(environment, screen, messages, operator.observe(messages), time.monotonic() - started_at)


def _judge(
    environment: Environment,
    screen: Screen,
    messages: Sequence[TrackedMessage],
    observations: Sequence[Observation],
    elapsed_s: float,
) -> int:
    screen.say("")
    for each in observations:
        screen.say(f"{'ok ' if each.ok else 'NO '} {each.promise}: {each.evidence}")
    problems = [f"{each.promise}: {each.evidence}" for each in observations if not each.ok]
    problems += [f"{message.case.title}: {difference}" for message in messages for difference in message.differences()]
    problems += [f"a call the real Port would refuse: {violation}" for violation in environment.port.violations]
    screen.say("")
    if not problems:
        screen.say(f"All {len(messages)} ended as they should, after {elapsed_s:.0f} s.")
        return 0
    screen.say(f"Not as it should be after {elapsed_s:.0f} s:")
    for problem in problems:
        screen.say(f"  {problem}")
    return 1


def _stream(environment: Environment, screen: Screen, stop: threading.Event) -> int:
    cases = _scenario(environment, "run").stream(random.Random(), polling=environment.polling)
    messages: deque[TrackedMessage] = deque(maxlen=MAX_ROWS)
    screen.say("Publishing two invocations a second. Ctrl-C ends everything.")
    publish_at = time.monotonic()
    while not stop.wait(UPDATE_S):
        if time.monotonic() >= publish_at:
            publish_at += PUBLISH_S
            messages.append(environment.publish(next(cases)))
        counts = _update(environment, list(messages))
        screen.show(list(messages), _totals(counts), show_verdicts=False)
    return 0


def _update(environment: Environment, messages: Sequence[TrackedMessage]) -> dict[str, int]:
    """Bring all up to date; returns the ledger's counts, none while Redis is away."""
    environment.check()
    try:
        environment.tracker.update(messages)
        return environment.tracker.counts()
    except StoreUnavailable:
        return {}  # the next look is a moment away, and `check` tells of a Redis that died


def _progress(messages: Sequence[TrackedMessage], elapsed_s: float) -> str:
    in_progress = [message.case.title for message in messages if not message.is_final]
    unreported = [message.case.title for message in messages if message.is_final and message.differences()]
    text = f"{len(messages) - len(in_progress)} of {len(messages)} have ended after {elapsed_s:.0f} s"
    if in_progress:
        return f"{text}; under way: {', '.join(in_progress[:3])}{' ...' if len(in_progress) > 3 else ''}"
    return f"{text}; Port is still to hear of: {', '.join(unreported[:3])}" if unreported else text


def _totals(counts: dict[str, int]) -> str:
    names = {
        "accepted": "accepted", State.DONE: "delivered", State.DEAD: "dead", State.UNKNOWN: "unknown",
        "backlog": "waiting",
    }  # fmt: skip
    if not counts:
        return "Waiting for the first invocation to reach the ledger ..."
    return " · ".join(f"{counts.get(key, 0)} {name}" for key, name in names.items())


def _scenario(environment: Environment, prefix: str) -> Scenario:
    return Scenario({name: environment.targets.url(name) for name in FakeTargets.NAMES}, environment.secret, prefix)


def _say_addresses(environment: Environment, screen: Screen) -> None:
    screen.say(f"  Flower            {environment.flower}")
    screen.say(f"  fake Port's page  {environment.port.url}")
    if environment.kafka is None:
        screen.say(f"  Redis             {environment.redis.url}  (no Kafka: the agent polls the fake Port)")
    else:
        screen.say(f"  Redis, Kafka      {environment.redis.url}  {environment.kafka.bootstrap}")


@contextmanager
def _signals_to(stop: threading.Event, hurry: Callable[[], None]) -> Iterator[None]:
    """The first signal ends things in order, a second one in a hurry."""

    def handle_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            hurry()
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, handle_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
