"""Whatever is typed behind `longshore`: an exit code that the reference has, and never a traceback."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.cli.exit_codes import EXITS, USAGE
from tests.support.programs import SETTINGS
from tests.support.warm import longshore

ENDLESS = {"run", "ingest", "worker", "flower", "sandbox run", "sandbox demo", "shadow", "shadow record", "health"}
COMMANDS = sorted(EXITS.keys() - ENDLESS)
NOBODY = SETTINGS | {"REDIS_URL": "redis://127.0.0.1:1", "PORT_API_BASE_URL": "http://127.0.0.1:1"}
words = st.sampled_from(
    [
        "--json", "--yes", "--all", "--dry-run", "--why", "x", "--since", "--until", "1h", "--rate", "nan", "-1",
        "1e400",
        "--cap", "0", "--canary", "--state", "dead", "--action", "--concurrency", "--clear", "--timeout", "--export",
        "/nowhere/file", "--to-empty", "--cancel", "--file", "--message", ".", "--pause", "--minutes", "--worker", "--",
        "http://x:80", "http://[::1", "", "\u202e", "2026-13-01", "--no-wait", "--counts", "--limit", "--text",
        "--help",
    ]
) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


def call(command: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return longshore(*command.split(), *arguments, folder=folder, **NOBODY)


@given(command=st.sampled_from(COMMANDS), arguments=st.lists(words, max_size=5))
def test_a_command_ends_as_the_reference_says(folder: Path, command: str, arguments: list[str]) -> None:
    """Nobody answers here: neither Redis nor Port nor Kafka."""
    done = call(command, arguments, folder)
    assert done.returncode in {0, USAGE, *EXITS[command]}, f"{command} {arguments}\n{done.stderr}"
    assert "Traceback" not in done.stderr, f"{command} {arguments}\n{done.stderr}"
