"""Following the topics: written first, confirmed then, and no message holds up the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from longshore.invocation.mapping import JqUnavailable
from longshore.invocation.stream import Stream
from longshore.operations.shadow.answers import BadFile, read_lines
from longshore.operations.shadow.follow import Follower
from longshore.operations.shadow.line_file import LineFile
from longshore.operations.shadow.lines import Line, Lines

LINES = Lines(["s3cret-value"], "shadow")


@dataclass
class Record:
    offset: int
    value: bytes | None = b"{}"
    stream: str = "runs"

    @property
    def key(self) -> str:
        return f"runs.0.{self.offset}.0"

    @property
    def origin(self) -> str:
        return f"runs/0/{self.offset}"


@dataclass
class Reader:
    """Hands over batches, and notes what is confirmed and how long the file was then."""

    out: Path
    batches: list[list[Record]]
    confirmed: list[tuple[int, int]] = field(default_factory=list)

    def read(self, count: int, timeout_s: float) -> Sequence[Record]:
        return self.batches.pop(0) if self.batches else []

    def commit(self, records: Sequence[Record]) -> None:
        self.confirmed.append((records[-1].offset, self.out.read_text().count("\n")))


class Shadow:
    """Makes a line of each message, but for the values that tell it otherwise."""

    def process(self, raw: bytes | None, stream: Stream, key: str, origin: str) -> list[Line]:
        if raw == b"bug":
            raise KeyError("a secret")
        if raw == b"no jq":
            raise JqUnavailable("jq is away")
        return [] if raw == b"skip" else [LINES.message("r_1", origin=origin)]


def follow(out: Path, *batches: list[Record]) -> tuple[Follower, Reader]:
    """Everything read that there is."""
    shadow: Any = Shadow()
    reader = Reader(out, list(batches))
    with LineFile(out, last_kind="message") as file:
        follower = Follower(shadow, LINES, {"runs": Stream.RUNS}, file)
        while follower.step(reader, 0):
            pass
    return follower, reader


def test_what_is_confirmed_is_in_the_file(tmp_path: Path) -> None:
    _, reader = follow(tmp_path / "out", [Record(0), Record(1, b"skip")], [Record(2)])

    assert [(1, 1), (2, 2)] == reader.confirmed


def test_a_message_that_breaks_the_shadow_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    """Without the text of the error, which may quote the message."""
    follow(tmp_path / "out", [Record(0, b"bug"), Record(1)])
    first, second = read_lines(tmp_path / "out")

    assert ("failed", "runs/0/1") == (first["result"], second["origin"])
    assert "KeyError at " in first["reason"]
    assert "a secret" not in (tmp_path / "out").read_text()


def test_what_is_read_again_is_not_written_again(tmp_path: Path) -> None:
    """After a crash between the file and the confirmation."""
    follow(tmp_path / "out", [Record(0), Record(1)])
    follower, _ = follow(tmp_path / "out", [Record(1), Record(2)])

    assert ["runs/0/0", "runs/0/1", "runs/0/2"] == [line["origin"] for line in read_lines(tmp_path / "out")]
    assert 1 == follower.counts["in the file already"]


def test_without_jq_nothing_is_confirmed(tmp_path: Path) -> None:
    with pytest.raises(JqUnavailable):
        follow(tmp_path / "out", [Record(0, b"no jq")])

    assert "" == (tmp_path / "out").read_text()


def test_a_file_of_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "other").write_text('{"kind":"webhook"}\n{"a":1}\n')

    with pytest.raises(BadFile, match="line 2"):
        read_lines(tmp_path / "other")
