"""How the sandbox shows what happens: a live table on a terminal, one line per change anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from longshore.ledger.states import State
from longshore.printable import printable
from longshore.sandbox.tracker import NOT_READ, REPEATED, SKIPPED, TrackedMessage

COLORS = {
    State.DONE: "green",
    State.DEAD: "red",
    State.UNKNOWN: "yellow",
    State.BEGUN: "bold cyan",
    State.CLAIMED: "cyan",
    State.WAITING: "cyan",
    SKIPPED: "dim",
    REPEATED: "dim",
    NOT_READ: "dim",
}
PLAIN_WIDTH = 170
"""Columns without a terminal: wide enough for every cell."""
ID_WIDTHS = (13, 40)
"""Columns for an id: the least shows those of runs, the most also those of change log events."""
FIXED_WIDTH = 47
"""Columns that state, attempts and Port take, with the gaps between all."""
VERDICT_WIDTH = 5
"""What "ok?" adds."""
EXPECTED_WIDTH = 55
"""What the column of expectations adds, where there is room for it."""
WIDE_COLUMNS = 120
"""Columns from which on there is."""
STATE_WIDTH = 20
"""For "unknown read_timeout" and the like."""
PROGRESS_S = 5.0
"""Without a terminal: the longest silence while something is waited for."""
LIVE_PER_S = 4
AROUND_TABLE = 8
"""Lines of a terminal that the table's head and what stands above it take."""


class Screen:
    """Where the sandbox writes. `say` is for lines that stay; `show` for what changes until it is closed."""

    def __init__(self, console: Console | None = None) -> None:
        terminal = console or Console()
        self.console = (
            terminal if terminal.is_terminal else Console(file=terminal.file, width=PLAIN_WIDTH, highlight=False)
        )
        self._live: Live | None = None
        self._printed_lines: dict[int, str] = {}
        self._started_at = self._last_output_at = time.monotonic()

    def say(self, text: str) -> None:
        """One line that stays on the screen."""
        self.console.print(escape(printable(text, "\n")), highlight=False, soft_wrap=True)
        self._last_output_at = time.monotonic()

    def show(self, messages: Sequence[TrackedMessage], progress: str, *, show_verdicts: bool) -> None:
        """The present state of all; `show_verdicts` adds whether each is as expected."""
        if not self.console.is_terminal:
            self._print_changes(messages, progress)
            return
        if self._live is None:
            self._live = Live(console=self.console, refresh_per_second=LIVE_PER_S, vertical_overflow="crop")
            self._live.start()
        rows = select_rows(messages, max(5, self.console.height - AROUND_TABLE))
        self._live.update(Group(build_table(rows, self.console.width, show_verdicts=show_verdicts), Text(progress)))

    def close(self, messages: Sequence[TrackedMessage] = (), *, show_verdicts: bool = False) -> None:
        """End the changing part; then the whole table once more, if given."""
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
            self._live = None
        if messages:
            self.console.print(build_table(messages, self.console.width, show_verdicts=show_verdicts))

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _print_changes(self, messages: Sequence[TrackedMessage], progress: str) -> None:
        for message in messages:
            line = format_line(message)
            if message.state != NOT_READ and self._printed_lines.get(id(message)) != line:
                self._printed_lines[id(message)] = line
                self.say(f"{time.monotonic() - self._started_at:6.1f} s  {line}")
        current = {id(message) for message in messages}
        self._printed_lines = {key: line for key, line in self._printed_lines.items() if key in current}
        if time.monotonic() - self._last_output_at >= PROGRESS_S:
            self.say(f"{time.monotonic() - self._started_at:6.1f} s  {progress}")


def select_rows(messages: Sequence[TrackedMessage], max_rows: int) -> list[TrackedMessage]:
    """As many as fit, in their order: those still under way, then the latest that ended."""
    indexes = sorted(range(len(messages)), key=lambda index: (messages[index].is_final, -index))[:max_rows]
    return [messages[index] for index in sorted(indexes)]


def build_table(messages: Sequence[TrackedMessage], width: int, *, show_verdicts: bool) -> Table:
    """The table, `width` columns wide: one row per message, told from the sides of the ledger, the target and Port."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    max_title = max((len(message.case.title) for message in messages), default=0)
    show_expectations = show_verdicts and width >= WIDE_COLUMNS
    free_width = (
        width - FIXED_WIDTH - (VERDICT_WIDTH if show_verdicts else 0) - (EXPECTED_WIDTH if show_expectations else 0)
    )
    id_width = max(ID_WIDTHS[0], min(ID_WIDTHS[1], free_width - max_title))
    table.add_column("message", no_wrap=True, max_width=max(10, free_width - id_width))
    table.add_column("id", no_wrap=True, max_width=id_width)
    table.add_column("state", no_wrap=True, min_width=STATE_WIDTH)
    table.add_column("attempts", no_wrap=True, justify="right")
    table.add_column("Port", no_wrap=True, min_width=len("IN_PROGRESS"))
    if show_expectations:
        table.add_column("expected", no_wrap=True, max_width=EXPECTED_WIDTH - 2)
    if show_verdicts:
        table.add_column("ok?", no_wrap=True)
    for message in messages:
        cells = [
            escape(message.case.title),
            escape(printable(message.case.run_id or message.id or "-")),
            f"[{COLORS.get(message.state, 'default')}]{message.state}[/] {escape(_reason_of(message))}",
            str(message.attempts) if message.attempts else "",
            message.port or "",
        ]
        if show_expectations:
            cells.append(f"[dim]{escape(message.case.expectation.summary)}[/]")
        table.add_row(*cells, *([_verdict(message)] if show_verdicts else []))
    return table


def format_line(message: TrackedMessage) -> str:
    """One message's present state as a line."""
    name = message.case.run_id or message.id
    details = [
        _reason_of(message),
        f"attempts {message.attempts}" if message.attempts else "",
        f"HTTP {message.status}" if message.status else "",
        f"Port: {message.port}" if message.port else "",
    ]
    details_text = ", ".join(detail for detail in details if detail)
    title = f"{message.case.title} ({name})" if name else message.case.title
    return f"{message.state:<8}  {title}{f': {details_text}' if details_text else ''}"


def _reason_of(message: TrackedMessage) -> str:
    # "done delivered" says the same twice.
    return "" if message.reason == "delivered" else message.reason


def _verdict(message: TrackedMessage) -> str:
    if not message.differences():
        return "[green]yes[/]"
    return "[red]no[/]" if message.is_final else ""
