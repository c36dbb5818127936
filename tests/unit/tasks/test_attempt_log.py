"""The line of an attempt is the one that structlog would write, masked the same, and none is lost."""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from config import logging as our_logging
from longshore.delivery.outcome import Outcome, Verdict
from longshore.delivery.policy import Dead, Done, Park, RetryAfter, Step
from longshore.invocation.kinds import Kind
from longshore.invocation.masking import Mask, use_mask
from longshore.ledger.entry import StartedAttempt
from longshore.log import events
from longshore.log.event_log import EventLog
from tasks.worker import attempt_log
from tasks.worker.attempt_log import AttemptLog
from tests.support.log_streams import Terminal, logging_restored

SECRET = "pä\x9bss-wörd/1"
ATTEMPT = StartedAttempt(
    id="r_1", token=1, payload=b"", kind=Kind.ACTION_RUN, run="r_1", synchronized=False, target="http://a:80",
    lane="http://a:80 deploy", number=1, generation=1, published_ms=5, accepted_ms=7, first_ms=0,
    origin="org.runs/0/0", mapping="", unknown_outcome="park", max_attempts=8,
)  # fmt: skip
DELIVERED = Outcome(Verdict.DELIVERED, True, "delivered", "HTTP 200", 200, duration_ms=12.34)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    with logging_restored():
        yield


def lines_of(stream: io.StringIO) -> list[str]:
    """What was written, without the time of each line."""
    return re.sub(r"(?m)^(\x1b\[\S*?m)?(time=)?\S+Z", "", stream.getvalue()).split("\n")


texts = st.text(max_size=30) | st.sampled_from(
    [SECRET, "token=abcdefgh", 'say "hi"', "a\\b c", "a\nb", "x=1", "\x1b[2J", "own-secret-1", "Bearer abcdefgh", ""]
)
steps = st.sampled_from([Done(), RetryAfter(1.25), Dead("http_500"), Park("read_timeout")])
outcomes = st.builds(
    Outcome,
    st.sampled_from(Verdict),
    st.booleans(),
    st.sampled_from(["delivered", "http_500", "dns"]),
    texts,
    st.none() | st.integers(100, 599),
    duration_ms=st.floats(0, 1e6),
    redirected=st.sampled_from(["", "redirected to a:80, asked with GET"]),
)


def written(
    write: Any, program: str = "", level: str = "INFO", stream: io.StringIO | None = None, plain: bool = True
) -> list[str]:
    """The lines that `write` makes an `AttemptLog` write; by structlog where not `plain`."""
    stream = stream or io.StringIO()
    our_logging.configure(level, [SECRET], stream, program=program)
    with pytest.MonkeyPatch.context() as patch:
        # Loggers keep the processors of their first use.
        patch.setattr(attempt_log, "log", EventLog(attempt_log.__name__))
        if not plain:
            patch.setattr(our_logging, "plain_lines", lambda: None)
        assert (our_logging.plain_lines() is not None) == (plain and not stream.isatty())
        with use_mask(Mask([SECRET, "own-secret-1"], ["guess-1234"])):
            write(AttemptLog())
    return lines_of(stream)


@settings(deadline=None)
@given(outcomes, steps, texts, texts, st.sampled_from(["", "worker", "a b"]))
def test_it_is_the_line_that_structlog_writes(outcome: Outcome, step: Step, run: str, lane: str, program: str) -> None:
    """For whatever outcome, whatever stands in it."""
    attempt = replace(ATTEMPT, run=run, lane=lane)

    def write(log: AttemptLog) -> None:
        log.write(attempt, outcome, step, 8, 100.0)

    lines = written(write, program)

    assert written(write, program, plain=False) == lines
    assert "event=delivery.attempted" in lines[-2]
    assert SECRET not in "".join(lines)


def test_on_a_terminal_it_looks_as_every_line() -> None:
    """And the level holds."""
    write = lambda log: log.write(ATTEMPT, DELIVERED, Done(), 8, 100.0)  # noqa: E731

    assert written(write, stream=Terminal(), plain=False) == written(write, stream=Terminal())
    assert [""] == written(write, level="WARNING")


def test_whoever_else_listens_gets_it_too() -> None:
    """A handler of a library, or the tests' capture of structlog."""
    our_logging.configure("INFO", [], io.StringIO())
    with structlog.testing.capture_logs() as captured:
        assert our_logging.plain_lines() is None
        EventLog("x").event(events.DELIVERY_ATTEMPTED, status=1)
    assert 1 == len(captured)
    logging.getLogger().addHandler(logging.NullHandler())
    assert our_logging.plain_lines() is None


def test_lines_wait_for_each_other_and_come_before_others() -> None:
    """So a line that cannot wait, such as the last one of a drain, brings along what waits."""
    stream = io.StringIO()
    our_logging.configure("INFO", [], stream)
    lines = our_logging.plain_lines()
    assert lines is not None
    lines.add(events.DELIVERY_ATTEMPTED, "x", {"n": 1})
    lines.add(events.DELIVERY_ATTEMPTED, "x", {"n": 2})
    assert "" == stream.getvalue()
    EventLog("x").event(events.WORKER_STOPPED)
    assert ["n=1", "n=2", "logger=x"] == [line.split(" ")[-1] for line in stream.getvalue().splitlines()]
    lines.add(events.DELIVERY_ATTEMPTED, "x", {"n": 3})
    lines.handler.flush()
    assert "n=3" in stream.getvalue()


def test_a_started_log_writes_by_itself_and_at_its_end() -> None:
    """Within its interval, and what waits when it stops."""
    stream = io.StringIO()
    our_logging.configure("INFO", [], stream)
    log = AttemptLog()
    log.start()
    log.write(ATTEMPT, DELIVERED, Done(), 8, 100.0)
    log.stop()

    assert 1 == stream.getvalue().count("event=delivery.attempted")
