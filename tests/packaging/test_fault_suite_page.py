"""The page of the faults lists every fault of the suite, those too that nobody has tried yet."""

import subprocess
import sys
from pathlib import Path

from tests.support.faults_page import key_of, keys_and_cells

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "fault-suite.md"


def test_each_fault_has_its_row() -> None:
    """And no row is of a fault that is gone."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/faults"],
        cwd=ROOT,
        env={"LONGSHORE_FAULTS_SELECTION": "0", "PATH": ""},
        capture_output=True,
        text=True,
    )
    faults = {key_of(line) for line in collected.stdout.splitlines() if "::" in line}
    assert faults, collected.stderr
    assert faults == keys_and_cells(PAGE.read_text()).keys()
