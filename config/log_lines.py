"""Lines that are logged all the time, made without the processors and written with others."""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TextIO

from longshore.log.event_log import Event
from longshore.printable import printable


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream; those that can wait (`add`) together, and before any other line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._pending: list[str] = []

    def add(self, line: str) -> None:
        """Takes a line that is written with the next one that cannot wait, with `flush`, or when logging is shut down.

        A process that is killed before loses it.
        """
        self._pending.append(line + self.terminator)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line after those that wait."""
        self._write_pending()
        super().emit(record)

    def flush(self) -> None:
        """Writes what waits."""
        with self.lock or nullcontext():
            self._write_pending()
            super().flush()

    def _write_pending(self) -> None:
        lines, self._pending = self._pending, []
        if lines:
            try:
                self.stream.write("".join(lines))
            except Exception:
                self.handleError(logging.makeLogRecord({"msg": "lines that waited"}))


class PlainLines:
    """Lines as the processors of `configure` make them away from a terminal, for an event that is logged all the time.

    The processors cost more than all else that is written about it; a test compares the lines.
    """

    def __init__(self, handler: LineHandler, mask: Callable[[str], str], program: str) -> None:
        self.handler = handler
        self._mask = mask
        self._program = f" program={_quote(program)}" if program else ""

    def add(self, event: Event, logger: str, fields: Mapping[str, object]) -> None:
        """Has the handler write a line, see `LineHandler.add`; masked here, by the mask of the delivery at hand.

        `fields` have names without spaces, quotes and equals signs.
        """
        now = datetime.now(tz=UTC).isoformat().removesuffix("+00:00")
        head = f"time={now}Z level={event.level} event={event.name}{self._program} logger={logger}"
        line = " ".join([head, *[f"{key}={_quote(value)}" for key, value in fields.items()]])
        self.handler.add(printable(self._mask(line)))


def _quote(value: object) -> str:
    """A value as `structlog.processors.LogfmtRenderer` prints it."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    text = str(value)
    if " " in text or "=" in text or '"' in text:
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text.replace("\n", "\\n")
