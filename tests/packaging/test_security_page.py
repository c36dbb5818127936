"""The threat model is held by tests: each threat names at least one, and each one that is named exists."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.packaging.test_differences import cells_of, check_tests

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MODEL = PAGE.partition("## Threat model")[2].partition("\n## ")[0]
PARTIES = MODEL.split("\n### ")[1:]
ROWS = [
    row
    for line in "\n".join(PARTIES).splitlines()
    if len(row := cells_of(line)) == 3 and row[0] not in ("could try", "---")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_threat_is_met_by_tests_that_exist(row: list[str]) -> None:
    check_tests(row[2])


def test_every_party_has_threats_and_says_what_is_not_protected() -> None:
    listed = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\)", MODEL, re.MULTILINE)
    headings = [party.splitlines()[0].lower().replace(" ", "-") for party in PARTIES]

    assert listed == headings
    assert all("| could try |" in party and "\nNot protected: " in party for party in PARTIES)


def audited(folder: Path, pip_audit: str) -> subprocess.CompletedProcess[str]:
    """`make audit` with the program `pip_audit` (a shell script) in place of the real one."""
    (folder / "pip-audit").write_text(f"#!/bin/sh\n{pip_audit}\n")
    (folder / "pip-audit").chmod(0o755)
    # Not as a part of `make test`, of which it would tell on its output.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    command = ("make", "--old-file=setup", "audit")
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def test_an_audit_asks_about_each_list_and_what_is_unknown_is_no_pass(tmp_path: Path) -> None:
    """Without --strict pip-audit ends well where the database knows none of the packages, as behind many a mirror."""
    done = audited(tmp_path, 'echo "$@"')
    lines = done.stdout.splitlines()
    assert 0 == done.returncode
    assert all("--strict" in line and "--require-hashes" in line for line in lines)
    pinned = {path.name for path in (ROOT / "requirements").glob("*.txt") if "make lock'" in path.read_text()}
    assert pinned == {Path(line.split()[-1]).name for line in lines}


def test_an_audit_that_cannot_be_done_fails_and_says_which_list(tmp_path: Path) -> None:
    """At the first one."""
    done = audited(tmp_path, "exit 1")
    assert done.returncode
    assert "requirements/run.txt has a finding, or could not be audited" in done.stderr
