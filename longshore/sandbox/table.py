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
from longshore.sandbox.tracker import NOT_READ, REPEATED, SKIPPED, Followed

COLOURS = {
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
ROOMY = 120
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
        found = console or Console()
        self.console = found if found.is_terminal else Console(file=found.file, width=PLAIN_WIDTH, highlight=False)
        self._live: Live | None = None
        self._shown: dict[int, str] = {}
        self._started = self._spoke = time.monotonic()

    def say(self, text: str) -> None:
        """One line that stays on the screen."""
        self.console.print(escape(printable(text, "\n")), highlight=False, soft_wrap=True)
        self._spoke = time.monotonic()

    def show(self, followed: Sequence[Followed], progress: str, *, checked: bool) -> None:
        """The present state of all; `checked` adds whether each is as expected."""
        if not self.console.is_terminal:
            self._print_changes(followed, progress)
            return
        if self._live is None:
            self._live = Live(console=self.console, refresh_per_second=LIVE_PER_S, vertical_overflow="crop")
            self._live.start()
        rows = most_telling(followed, max(5, self.console.height - AROUND_TABLE))
        self._live.update(Group(table_of(rows, self.console.width, checked=checked), Text(progress)))

    def close(self, followed: Sequence[Followed] = (), *, checked: bool = False) -> None:
        """End the changing part; then the whole table once more, if given."""
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
            self._live = None
        if followed:
            self.console.print(table_of(followed, self.console.width, checked=checked))

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _print_changes(self, followed: Sequence[Followed], progress: str) -> None:
        for each in followed:
            line = line_of(each)
            if each.state != NOT_READ and self._shown.get(id(each)) != line:
                self._shown[id(each)] = line
                self.say(f"{time.monotonic() - self._started:6.1f} s  {line}")
        current = {id(each) for each in followed}
        self._shown = {key: line for key, line in self._shown.items() if key in current}
        if time.monotonic() - self._spoke >= PROGRESS_S:
            self.say(f"{time.monotonic() - self._started:6.1f} s  {progress}")


def most_telling(followed: Sequence[Followed], most: int) -> list[Followed]:
    """As many as fit, in their order: those still under way, then the latest that ended."""
    chosen = sorted(range(len(followed)), key=lambda index: (followed[index].ended, -index))[:most]
    return [followed[index] for index in sorted(chosen)]


def table_of(followed: Sequence[Followed], width: int, *, checked: bool) -> Table:
    """The table, `width` columns wide: one row per message, told from the sides of the ledger, the target and Port."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    longest = max((len(each.case.title) for each in followed), default=0)
    stated = checked and width >= ROOMY
    free = width - FIXED_WIDTH - (VERDICT_WIDTH if checked else 0) - (EXPECTED_WIDTH if stated else 0)
    id_width = max(ID_WIDTHS[0], min(ID_WIDTHS[1], free - longest))
    table.add_column("message", no_wrap=True, max_width=max(10, free - id_width))
    table.add_column("id", no_wrap=True, max_width=id_width)
    table.add_column("state", no_wrap=True, min_width=STATE_WIDTH)
    table.add_column("attempts", no_wrap=True, justify="right")
    table.add_column("Port", no_wrap=True, min_width=len("IN_PROGRESS"))
    if stated:
        table.add_column("expected", no_wrap=True, max_width=EXPECTED_WIDTH - 2)
    if checked:
        table.add_column("ok?", no_wrap=True)
    for each in followed:
        cells = [
            escape(each.case.title),
            escape(printable(each.case.run_id or each.id or "-")),
            f"[{COLOURS.get(each.state, 'default')}]{each.state}[/] {escape(each.reason) if _telling(each) else ''}",
            str(each.attempts) if each.attempts else "",
            each.port or "",
        ]
        if stated:
            cells.append(f"[dim]{escape(each.case.expected.words)}[/]")
        table.add_row(*cells, *([_verdict(each)] if checked else []))
    return table


def line_of(each: Followed) -> str:
    """One message's present state as a line."""
    name = each.case.run_id or each.id
    details = [
        each.reason if _telling(each) else "",
        f"attempts {each.attempts}" if each.attempts else "",
        f"HTTP {each.status}" if each.status else "",
        f"Port: {each.port}" if each.port else "",
    ]
    told = ", ".join(detail for detail in details if detail)
    return f"{each.state:<8}  {each.case.title}{f' ({name})' if name else ''}{f': {told}' if told else ''}"


def _telling(each: Followed) -> bool:
    # "done delivered" says the same twice.
    return each.reason not in ("", "delivered")


def _verdict(each: Followed) -> str:
    if not each.differences():
        return "[green]yes[/]"
    return "[red]no[/]" if each.ended else ""
