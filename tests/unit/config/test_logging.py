"""One line per event, the same for every logger, and no secret in any."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from config.logging import configure
from longshore.invocation import trace
from tests.support.log_streams import Terminal, logging_restored


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.mark.parametrize("stream_class", [io.StringIO, Terminal])
def test_secrets_are_masked_whoever_logs_them(stream_class: type[io.StringIO]) -> None:
    """In values, nested values, messages of other libraries, tracebacks; plain, escaped and URL-quoted."""
    stream = stream_class()
    secret = 'pa"ss/wörd'
    configure("INFO", [secret], stream)

    structlog.get_logger("a").info(
        "said", text=f"x {secret} y", nested={"k": [secret]}, url="http://h/pa%22ss%2Fw%C3%B6rd"
    )
    logging.getLogger("b").warning("library says %s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        structlog.get_logger("a").exception("failed")
    lines = stream.getvalue()

    assert "wörd" not in lines
    assert "w%C3%B6rd" not in lines
    assert 5 <= lines.count("***")


def test_trace_headers_that_are_dropped_are_not_quoted() -> None:
    """Whoever publishes to Kafka writes them."""
    stream = io.StringIO()
    configure("DEBUG", (), stream)
    trace.from_kafka([("traceparent", "x" * 1_000)])
    trace.from_kafka([("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"), ("tracestate", "no member")])

    assert "" == stream.getvalue()


def test_away_from_a_terminal_an_event_is_one_line() -> None:
    """Also with line breaks in its values, a traceback, or odd keys of a library."""
    stream = io.StringIO()
    configure("INFO", (), stream)

    structlog.get_logger("longshore.x").info("delivery.attempted", run_id="r_1", status=200, text="two\nlines", ok=True)
    logging.getLogger("celery").warning("hi", extra={"odd key": 1})
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger("y").exception("failed")
    first, *rest = stream.getvalue().splitlines()

    assert 2 == len(rest)
    assert "event=delivery.attempted logger=longshore.x run_id=r_1 status=200 text=two\\nlines ok=true" in first
    assert "odd_key=1" in rest[0]


def test_the_level_holds_and_celery_stays_quiet_below_warning() -> None:
    """Celery's two lines per task say less than our one."""
    stream = io.StringIO()
    configure("INFO", (), stream)

    structlog.get_logger("a").debug("hidden")
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).info("hidden")
        logging.getLogger(name).warning("shown")

    assert "hidden" not in stream.getvalue()
    assert 2 == stream.getvalue().count("shown")


def test_whole_urls_of_urllib3_are_never_logged() -> None:
    """It prints paths with their query, where tokens may stand; at DEBUG each, in warnings those in trouble."""
    stream = io.StringIO()
    configure("DEBUG", (), stream)

    logging.getLogger("urllib3.connectionpool").debug("GET /hook?token=abc")
    logging.getLogger("urllib3.connection").warning("Failed to parse headers (url=http://h/hook?token=abc)")
    structlog.get_logger("a").debug("shown")

    assert "token" not in stream.getvalue()
    assert "shown" in stream.getvalue()


def test_tracebacks_show_no_local_variables() -> None:
    """They hold payloads."""
    for stream in (io.StringIO(), Terminal()):
        configure("INFO", (), stream)
        payload = "inputs of " + "somebody"
        try:
            raise ValueError(len(payload))
        except ValueError:
            structlog.get_logger("a").exception("failed")

        assert "somebody" not in stream.getvalue().replace('"inputs of " + "somebody"', "")


@pytest.mark.parametrize(
    "text",
    [
        "GET /hook?code=canary-1234&x=1",
        "GET /hook?a=b&sig=canary-1234",
        "{'Ocp-Apim-Subscription-Key': 'canary-1234'}",
        'x-functions-key: canary-1234',
        "secretKey=canary-1234",
        "pwd=canary-1234",
        '{"passphrase": "canary-1234"}',
        '{"jwt":"canary-1234"}',
        "Authorization: Bearer canary-1234",
        "{'Proxy-Authorization': 'Basic canary-1234'}",
        "Invalid header value b'Bearer canary-1234'",
        "reserved character(s) in header value: 'Basic canary-1234'",
    ],
)  # fmt: skip
def test_what_follows_the_name_of_a_secret_is_masked(text: str) -> None:
    """In lines of libraries too, which quote headers, queries and settings."""
    for log in (
        lambda: logging.getLogger("b").warning("said %s", text),
        lambda: structlog.get_logger().info("e", k=text),
    ):
        stream = io.StringIO()
        configure("INFO", (), stream)
        log()
        assert "canary" not in stream.getvalue()
        assert "***" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "certificate verify failed: Basic Constraints of CA cert not marked critical",
        "Bearer authentication is required",
        "code=http_400 keys=some-values",
        "author=somebody-else",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    """Basic and Bearer are schemes in a header, and words elsewhere."""
    stream = io.StringIO()
    configure("INFO", (), stream)
    logging.getLogger("b").warning("said %s", text)

    assert text in stream.getvalue()
