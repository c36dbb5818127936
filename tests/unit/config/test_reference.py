"""The page on settings says what the settings are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_is_what_the_settings_say() -> None:
    """Every name, type, default and meaning; whoever changes a setting runs `make reference`."""
    done = subprocess.run(
        [sys.executable, "scripts/settings_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )

    assert 0 == done.returncode, done.stderr
