"""How large faults are, which of them run, and the table of what each has cost; a plugin of pytest.

LONGSHORE_FAULTS_MESSAGES=150     invocations of each fault; 2000 without
LONGSHORE_FAULTS_SELECTION=4      so many of the tests; all without
LONGSHORE_FAULTS_SEED=17          which ones: the same seed, the same tests
LONGSHORE_FAULTS_PAGE=…           a page to write; see faults_page.py

A plugin, not part of the faults' conftest: where tests run side by side, the process that prints loads none of those.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

import pytest

from tests.support import faults_page
from tests.support.faults_page import Fault
from tests.support.faults_row import Row

SIZE = int(os.environ.get("LONGSHORE_FAULTS_MESSAGES") or 2000)
"""Invocations of each fault."""
SELECTION = int(os.environ.get("LONGSHORE_FAULTS_SELECTION") or 0)
SEED = os.environ.get("LONGSHORE_FAULTS_SEED") or "1"
PAGE = os.environ.get("LONGSHORE_FAULTS_PAGE")
ROW = "fault"
"""Name under which a test's report carries its row, from whichever process it ran in."""
ROWS = pytest.StashKey[dict[str, Row]]()
"""By node id."""
ENDS = pytest.StashKey[dict[str, str]]()
"""How tests ended: passed, failed, or why one was skipped."""
FAULTS = pytest.StashKey[list[Fault]]()
"""All there are, those too that do not run."""


def choose(names: Sequence[str]) -> set[str]:
    """Those of `names` that run: `SELECTION` of them, or all. In whatever order they come, a seed chooses the same."""
    if not 0 < SELECTION < len(names):
        return set(names)
    return set(random.Random(SEED).sample(sorted(names), SELECTION))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the chosen faults."""
    faults = [item for item in items if faults_page.FOLDER in item.path.parents]
    config.stash[FAULTS] = [faults_page.fault_of(item) for item in faults]
    selection = choose([item.nodeid for item in faults])
    deselected = {item for item in faults if item.nodeid not in selection}
    if deselected:
        items[:] = [item for item in items if item not in deselected]
        config.hook.pytest_deselected(items=[item for item in faults if item in deselected])


def pytest_report_header() -> str:
    """Say how to have the same again."""
    which = f"{SELECTION} chosen by LONGSHORE_FAULTS_SEED={SEED}" if SELECTION else "all"
    return f"faults: {which}, {SIZE} invocations each"


def pytest_configure(config: pytest.Config) -> None:
    """Show each row as soon as its test has ended."""
    config.pluginmanager.register(_Progress(config))


class _Progress:
    """Gathers the rows and shows them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a test has ended, here or in another process."""
        key = faults_page.key_of(report.nodeid)
        ends = self._config.stash.setdefault(ENDS, {})
        if not report.passed or (report.when == "call" and key not in ends):
            skipped = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            ends[key] = skipped.removeprefix("Skipped: ") if report.skipped else report.outcome
        values = [value for name, value in report.user_properties if name == ROW]
        if report.when != "teardown" or not values:
            return
        row = self._config.stash.setdefault(ROWS, {})[key] = Row(*values[-1])  # type: ignore[misc]
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            parts = (f"{row.published} published", f"{row.lost} lost", f"recovered in {row.recovery_s:.1f} s")
            terminal.ensure_newline()
            terminal.write_line(f"{row.fault}: {', '.join(parts)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write the page."""
    by_id = config.stash.get(ROWS, {})
    faults, ends = config.stash.get(FAULTS, []), config.stash.get(ENDS, {})
    if PAGE and (left_out := faults_page.modules_left_out(Path(PAGE), faults)):
        terminalreporter.write_line(
            f"{PAGE} is not written, as the rows of {', '.join(sorted(left_out))} would go: choose with -k instead"
        )
    elif PAGE and faults:
        faults_page.write(Path(PAGE), faults, by_id, ends)
    rows = list(by_id.values())
    if not rows:
        return
    names = [field.name.replace("_", " ") for field in fields(Row)]
    cells = [names] + [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in astuple(r)] for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    terminalreporter.section("what the faults cost")
    for fault, *numbers in cells:
        right = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        terminalreporter.write_line("  ".join([fault.ljust(widths[0]), *right]))
