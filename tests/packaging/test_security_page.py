"""The threat model is held by tests: each threat names at least one, and each one that is named exists."""

import re
from pathlib import Path

import pytest

from tests.packaging.test_differences import TEST, cells_of, names_in

PAGE = (Path(__file__).resolve().parents[2] / "SECURITY.md").read_text(encoding="utf-8")
MODEL = PAGE.partition("## Threat model")[2].partition("\n## ")[0]
PARTIES = MODEL.split("\n### ")[1:]
ROWS = [
    row
    for line in "\n".join(PARTIES).splitlines()
    if len(row := cells_of(line)) == 3 and row[0] not in ("could try", "---")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_threat_is_met_by_tests_that_exist(row: list[str]) -> None:
    names = TEST.findall(row[2])

    assert names
    assert not [f"{path}::{name}" for path, name in names if name not in names_in(path)]


def test_every_party_has_threats_and_says_what_is_not_protected() -> None:
    listed = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\)", MODEL, re.MULTILINE)
    headings = [party.splitlines()[0].lower().replace(" ", "-") for party in PARTIES]

    assert listed == headings
    assert all("| could try |" in party and "\nNot protected: " in party for party in PARTIES)
