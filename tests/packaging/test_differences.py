"""The list of differences from Port's agent is whole: each row is held by a test and names settings that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "differences.md").read_text(encoding="utf-8")
IDS = [f"D{number}" for number in range(1, 36)]
"""The faults of the original that are known; their ids are referred to, so they stay."""
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def cells_of(line: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []


ROWS = [cells for line in PAGE.splitlines() if re.fullmatch(r"D\d+", (cells := cells_of(line) or [""])[0])]
SAME = [cells_of(line) for line in PAGE.partition("## What is the same")[2].splitlines() if TEST.search(line)]


@cache
def names_in(path: str) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def check_tests(text: str) -> None:
    """`text` names at least one test, and each that it names exists."""
    names = TEST.findall(text)

    assert names
    assert not [f"{path}::{name}" for path, name in names if name not in names_in(path)]


def test_no_row_is_missing_and_none_is_there_twice() -> None:
    """In their order."""
    assert [row[0] for row in ROWS] == IDS
    assert {len(row) for row in ROWS} == {5}
    assert all(all(row) for row in ROWS)


def test_what_must_not_change_is_listed() -> None:
    """Ten promises, each with its test."""
    assert len(SAME) == 10


@pytest.mark.parametrize("row", [*ROWS, *SAME], ids=lambda row: row[0][:30])
def test_a_row_is_held_by_tests_that_exist(row: list[str]) -> None:
    """By at least one, where a reader can find it."""
    check_tests(" ".join(row))


def test_switches_exist() -> None:
    """A setting that was renamed would leave somebody without the way back."""
    known = {name.upper() for name in Settings.model_fields}
    switches = {name for row in ROWS for name in re.findall(r"`([A-Z][A-Z_]+)(?:=\w+)?`", row[4])}

    assert switches
    assert switches <= known
