"""Each bug that is listed as found and mended is held by a test that exists."""

from pathlib import Path

import pytest

from tests.packaging.test_differences import cells_of, check_tests

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "bugs-found.md"
ROWS = [
    row
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if len(row := cells_of(line)) == 3 and row[0] not in ("what went wrong", "---")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_bug_is_held_by_tests_that_exist(row: list[str]) -> None:
    check_tests(row[2])
