"""A file of lines that is only ever appended to, so that a crash costs at most what was being written."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from longshore.operations.shadow.lines import Line


class LineFile:
    """Open for appending; for one process and thread. Only its user may read it."""

    def __init__(self, path: Path, last_kind: str | None = None) -> None:
        """Drops what a crash has left at the end: a line that was cut, and whatever is not closed by a `last_kind`.

        Raises OSError.
        """
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        self.positions: dict[str, int] = {}
        """The next offset of each `topic/partition`, behind the last message in the file."""
        end = at = 0
        for text in self._file:
            at += len(text)
            line = _parse(text)
            if not text.endswith(b"\n") or last_kind not in (None, line.get("kind")):
                continue
            end = at
            partition, _, offset = str(line.get("origin", "")).rpartition("/")
            if offset.isdecimal():
                self.positions[partition] = int(offset) + 1
        self._file.seek(end)
        self._file.truncate()

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines in one go. Raises OSError, e.g. where the disk is full."""
        texts = (json.dumps(line, separators=(",", ":")) for line in lines)
        self._file.write("".join(f"{text}\n" for text in texts).encode())
        self._file.flush()

    def sync(self) -> None:
        """Have the disk know it all. Raises OSError."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _parse(text: bytes) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
