"""The pages that are made from the code, and from the chart, say what these say."""

import subprocess
import sys
from pathlib import Path

from longshore.cli.exit_codes import EXITS
from longshore.cli.lazy_commands import load_all
from longshore.cli.main import app

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_is_what_its_sources_say() -> None:
    """Settings, commands, log events, metrics and values of the chart; whoever changes one runs `make reference`."""
    done = subprocess.run([sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True)

    assert 0 == done.returncode, done.stderr


def test_every_command_says_how_it_ends() -> None:
    """And nothing is said of commands that are not there."""
    groups = load_all(app).commands
    names = {name for name, one in groups.items() if not hasattr(one, "commands") or one.invoke_without_command}
    names |= {f"{group} {name}" for group, one in groups.items() for name in getattr(one, "commands", ())}

    assert names == set(EXITS)
