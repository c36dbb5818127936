"""The page of the faults: what each is, what is expected of it, and what it has cost when it was last tried.

make faults PAGE=docs/reference/fault-suite.md     rewrites the rows of the faults that ran
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.faults_row import Row

HEAD = """# Faults and what they cost

Made by `make faults PAGE=docs/reference/fault-suite.md`, which rewrites the rows of the faults that it tries; do not
edit. Each fault strikes ingests and workers under load, with a real Kafka and a real Redis; then every invocation that
was published is accounted for. [What is promised](../explanation/guarantees.md) says why.

- **delivered**, **dead**, **unknown**: how the invocations ended. **lost**: no end, or called delivered and never sent.
- **repeated**: came to their target although it had taken them already.
- **recovery**: seconds until all that was published is stored, and nothing is stuck with whoever was struck.

`make chaos MINUTES=30 SEED=7` strikes with all of them at random; with `POLLING=1` where runs are polled. Machines that
vanish take root and `ip`, and memory that runs out takes a control group that may be written.
"""
FOLDER = Path(__file__).parents[1] / "faults"
COLUMNS = ("fault", "expected", "published", "delivered", "dead", "unknown", "lost", "repeated", "recovery", "tried")
NO_FIGURES = ("–",) * 7
NOT_RUN = "not run"
KEY = re.compile(r" <!-- (.*) -->")


@dataclass(frozen=True, slots=True)
class Fault:
    """One test of the suite, as the page has it."""

    key: str
    """Its node id, from the folder on."""
    name: str
    expected: str

    @property
    def module(self) -> str:
        """The file it is in."""
        return self.key.split("::")[0]


def fault_of(item: pytest.Item) -> Fault:
    """What a test says about itself."""
    words = item.name.split("[")[0].removeprefix("test_").replace("_", " ")
    parameters = getattr(item, "callspec", None)
    name = parameters.id.replace("_", " ") if parameters else words
    expected = [getattr(value, "expected", "") for value in (parameters.params if parameters else {}).values()]
    return Fault(key_of(item.nodeid), name, next(filter(None, expected), words))


def key_of(nodeid: str) -> str:
    """Without the folder."""
    return nodeid.removeprefix("tests/faults/")


def write(path: Path, faults: Sequence[Fault], rows: Mapping[str, Row], ends: Mapping[str, str]) -> None:
    """Write the page. `rows` are by node id, `ends` (passed, failed, or why it was skipped) too."""
    before = keys_and_cells(path.read_text()) if path.exists() else {}
    lines = [HEAD]
    for module in dict.fromkeys(fault.module for fault in faults):
        lines += [f"\n## {module.removeprefix('test_').removesuffix('.py').replace('_', ' ').capitalize()}\n"]
        lines += [f"`tests/faults/{module}`\n", _line(COLUMNS), _line(("---",) * len(COLUMNS))]
        for fault in (each for each in faults if each.module == module):
            cells = _cells(fault, rows.get(fault.key), ends.get(fault.key, ""), before.get(fault.key))
            lines.append(_line((*cells[:-1], f"{cells[-1]} <!-- {fault.key} -->")))
    path.write_text("\n".join(lines) + "\n")


def modules_left_out(path: Path, faults: Sequence[Fault]) -> set[str]:
    """Files of which the page has rows that it would lose, as they were not collected this time."""
    before = keys_and_cells(path.read_text()) if path.exists() else {}
    left_out = {key.split("::")[0] for key in before} - {fault.module for fault in faults}
    return {module for module in left_out if (FOLDER / module).exists()}


def keys_and_cells(page: str) -> dict[str, list[str]]:
    """The rows of a page by the node ids of their tests."""
    found = {}
    for line in page.splitlines():
        if match := KEY.search(line):
            found[match[1]] = [cell.strip() for cell in KEY.sub("", line).strip("| ").split(" | ")]
    return found


def _cells(fault: Fault, row: Row | None, end: str, before: Sequence[str] | None) -> Sequence[str]:
    today = datetime.date.today().isoformat()
    if end in ("passed", "failed"):
        tried = today if end == "passed" else f"**failed**, {today}"
        if row is None:
            return (fault.name, fault.expected, *NO_FIGURES, tried)
        numbers = (row.published, row.delivered, row.dead, row.unknown, row.lost, row.repeated)
        return (row.fault, fault.expected, *map(str, numbers), f"{row.recovery_s:.1f} s", tried)
    if before is not None and len(before) == len(COLUMNS) and not before[-1].startswith(NOT_RUN):
        return (before[0], fault.expected, *before[2:])
    return (fault.name, fault.expected, *NO_FIGURES, f"{NOT_RUN}: {end}" if end else NOT_RUN)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
