"""Nothing in a foreign text acts on a terminal: not in what commands print, not in a log."""

import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

import longshore.cli
from config import logging as our_logging
from longshore.cli import terminal
from longshore.printable import printable

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\x7f\u202e\u2028\x00\udcffz é\u00a0日本 🚀"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_acts_is_spelled_out_and_the_rest_stays() -> None:
    """Letters of any language, and spaces of any width."""
    assert (
        "a\\u001b]0;owned\\u0007\\u001b[2J\\u009b31m\\u000d\\u007f\\u202e\\u2028\\u0000\\udcffz é\u00a0日本 🚀"
        == printable(HOSTILE)
    )
    assert "one\ntwo\\u000d" == printable("one\ntwo\r", keep="\n")


@pytest.mark.parametrize(
    "put",
    [
        lambda: terminal.print_table(("id", "target"), [(HOSTILE, HOSTILE)]),
        lambda: terminal.print_json({"a": [HOSTILE]}),
        lambda: terminal.print_json_line({HOSTILE: HOSTILE}),
        lambda: terminal.print_lines(HOSTILE),
        lambda: terminal.say(HOSTILE),
    ],
)
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_commands_print_nothing_that_acts(
    put: Callable[[], None], stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a table, as JSON, as lines; on a terminal and elsewhere."""
    monkeypatch.setenv("NO_COLOR", "1")  # the colours of a table's head are ours
    monkeypatch.setenv("TERM", "dumb")
    out, err = stream(), stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    put()
    said = out.getvalue() + err.getvalue()

    assert "owned" in said
    assert not set("\x1b\x07\x9b\r\x7f\u202e\u2028\x00\udcff") & set(said)


def test_every_command_prints_through_one_module() -> None:
    """The linter forbids `print` elsewhere; these are the other ways."""
    modules = [path for path in Path(longshore.cli.__file__).parent.rglob("*.py") if path.name != "terminal.py"]

    assert not [path for path in modules if "typer.echo" in path.read_text() or "stdout.write" in path.read_text()]


@pytest.mark.parametrize("stream_class", [io.StringIO, Terminal])
def test_nor_does_a_log(stream_class: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """In values, nested values, names, messages of other libraries and tracebacks; secrets stay masked."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(structlog.dev, "_has_colors", False, raising=False)
    stream = stream_class()
    secret = "pä\x1bss"
    try:
        our_logging.configure("INFO", [secret], stream)
        log: Any = structlog.get_logger("a")
        log.info("said", text=HOSTILE, nested={"k": [HOSTILE]}, secret_of=secret, **{HOSTILE: 1})
        logging.getLogger("b").warning("library says %s", HOSTILE)
        try:
            raise ValueError(HOSTILE + secret)
        except ValueError:
            log.exception("failed")
    finally:
        logging.captureWarnings(False)
        structlog.reset_defaults()
    said = stream.getvalue()
    ours = said.replace("\x1b[", "") if stream_class is Terminal else said  # its colours

    assert 4 <= said.count("owned")
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said
    assert not set("\x1b\x07\x9b\r\x7f\u202e\u2028\x00\udcff") & set(ours)
    assert "ss" not in {word[-2:] for word in said.replace('"', " ").split() if "pä" in word}
