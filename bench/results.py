"""Keeps results and shows them: a JSON file, a table for the terminal, the page `bench/RESULTS.md`.

A figure that was not measured this time keeps what it had before, with the machine and load of that time.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.goals import GOALS, Goal
from bench.machine import LOAD
from bench.measure import Measure, number

FOLDER = Path(__file__).parent
PAGE = FOLDER / "RESULTS.md"
NOW, BEFORE = FOLDER / "results.json", FOLDER / "before.json"
"""The last results, and those of the code before the worker became a pipeline."""


@dataclass
class Results:
    """Name → measure, and the machine it was measured on."""

    measures: dict[str, Measure]
    machines: dict[str, Mapping[str, str]]

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Those in a file; none if it is missing."""
        values = json.loads(path.read_text()) if path.exists() else {}
        return cls(
            {name: Measure(name, each["values"], each["note"]) for name, each in values.items()},
            {name: each["machine"] for name, each in values.items()},
        )

    def add(self, measure: Measure, machine: Mapping[str, str]) -> None:
        """One more, in place of the older one."""
        self.measures[measure.name], self.machines[measure.name] = measure, machine

    def save(self, path: Path) -> None:
        """All of them, in the order of the goals."""
        order = [goal.name for goal in GOALS]
        values = {
            name: {
                "values": list(self.measures[name].values),
                "note": self.measures[name].note,
                "machine": dict(self.machines[name]),
            }
            for name in sorted(self.measures, key=order.index)
        }
        path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def verdict(goal: Goal, measure: Measure | None, machine: Mapping[str, str]) -> str:
    """`yes`, `no`, or nothing where that cannot be said."""
    met = goal.is_met(measure.median, int(machine["cores"])) if measure else None
    return "" if met is None else "yes" if met else "no"


def rows(before: Results, now: Results, names: Iterable[str] = ()) -> list[Sequence[str]]:
    """One row for each goal, or for those of `names`: text, unit, goal, before, now, met."""
    chosen = set(names)
    table: list[Sequence[str]] = []
    for goal in GOALS:
        if chosen and goal.name not in chosen:
            continue
        old, new = before.measures.get(goal.name), now.measures.get(goal.name)
        met = verdict(goal, new, now.machines.get(goal.name, {}))
        table.append(
            (goal.text, goal.unit, goal.limit_text(), number(old.median) if old else "", new.text() if new else "", met)
        )
    return table


HEADS = ("", "unit", "goal", "before", "now: median (runs)", "met")


def plain_table(table: Sequence[Sequence[str]]) -> str:
    """For the terminal."""
    lines = [HEADS, *table]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def page(before: Results, now: Results) -> str:
    """The text of `bench/RESULTS.md`."""
    lines = [
        "# Results of the bench",
        "",
        "Written by `make bench`; do not edit. What a row measures, and what a post is: `bench/README.md`. “Before” is",
        "the code before the worker became a pipeline of batches, on the machine described at the end.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "| --- " * len(HEADS) + "|",
        *("| " + " | ".join(row) + " |" for row in rows(before, now)),
    ]
    for title, results in (("Now", now), ("Before", before)):
        lines += ["", f"## {title}: conditions", ""]
        lines += conditions(results)
    return "\n".join(lines) + "\n"


def conditions(results: Results) -> list[str]:
    """The notes of the rows, and the machines, each named once."""
    if not results.measures:
        return ["Not measured yet."]
    lines = [f"- `{name}`: {measure.note}" for name, measure in results.measures.items() if measure.note]
    loads: dict[str, list[str]] = {}
    machines: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, machine in results.machines.items():
        loads.setdefault(machine.get(LOAD, "?"), []).append(f"`{name}`")
        machines.setdefault(tuple((what, value) for what, value in machine.items() if what != LOAD), []).append(name)
    for facts, names in machines.items():
        rows_text = "" if len(machines) == 1 else f" ({', '.join(f'`{name}`' for name in names)})"
        lines += ["", f"The machine{rows_text}:", "", *(f"- {what}: {value}" for what, value in facts)]
    lines += ["", "Its load (1, 5 and 15 minutes) before the first row:", ""]
    return lines + [f"- {load}: {', '.join(names)}" for load, names in loads.items()]
