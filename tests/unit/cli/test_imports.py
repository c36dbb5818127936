"""What a command loads: nothing that it does not use, as its time and memory are mostly that of imports."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from config.roles import Role
from longshore.cli.lazy_commands import LAZY, load
from longshore.cli.program import build_argv
from tests.support.programs import SCRIPT, SETTINGS, bare

OTEL = "opentelemetry.sdk.metrics.export"
NOT_A_COMMANDS = {"celery", "kombu", "flower", "tornado", "requests", "urllib3", "rich.console", "apprise", OTEL}
"""What no command needs that looks at the ledger, without a terminal."""
NOT_A_START = NOT_A_COMMANDS | {"redis.client", "cryptography"}
CREDENTIALS = {"oauthlib", "longshore.delivery.credentials", "longshore.delivery.token_request"}
"""What a worker needs only where targets are given credentials."""
NOT_A_PROGRAMS = {"rich.console", "typer", OTEL, "apprise", "yaml.reader", "pygments.lexer"}
KAFKA, METRICS = {"confluent_kafka"}, {"prometheus_client"}


def modules_of(argv: Sequence[str], folder: Path, **environ: str) -> set[str]:
    """The modules that a program of Python imports."""
    python, *words = argv
    done = subprocess.run(
        [python, "-X", "importtime", *words],
        cwd=folder,
        env=bare({"TMPDIR": str(folder)} | environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return set(re.findall(r"^import time:[ \d|]+\| +(\S+)$", done.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    ("command", "unused"),
    [
        ("--version", NOT_A_START | KAFKA | METRICS | {"pydantic", "structlog", "asyncio"}),
        ("--help", NOT_A_START - {"rich.console"} | KAFKA | METRICS | {"pydantic", "structlog", "asyncio"}),
        ("config check", NOT_A_START - {"cryptography"} | METRICS),
        ("ca show", NOT_A_START - {"cryptography"} | KAFKA | METRICS),
        ("health", NOT_A_START | KAFKA | METRICS),
        ("status", NOT_A_COMMANDS | KAFKA | METRICS),
        # Refused by Kafka's client, just before its processes are started.
        ("run", NOT_A_START),
    ],
)
def test_a_command_loads_only_what_it_uses(command: str, unused: set[str], tmp_path: Path) -> None:
    """Nobody answers here; what is loaded is the same."""
    nobody = {"REDIS_URL": "redis://127.0.0.1:1", "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "none of these"}
    loaded = modules_of([sys.executable, str(SCRIPT), *command.split()], tmp_path, **(SETTINGS | nobody))

    assert "longshore.cli.main" in loaded
    assert set() == loaded & unused


def test_no_other_command_loads_more(tmp_path: Path) -> None:
    """The commands that look at the ledger, all in one process."""
    words = (
        "from longshore.cli import unused_extras; unused_extras.hide();"
        "from longshore.cli.lazy_commands import load;"
        "[load(name) for name in ('show', 'status', 'audit', 'dlq', 'jobs', 'targets', 'rebuild')]"
    )
    loaded = modules_of([sys.executable, "-c", words], tmp_path)

    assert "longshore.cli.requeue" in loaded
    assert set() == loaded & (NOT_A_COMMANDS | KAFKA | METRICS)


@pytest.mark.parametrize(
    ("role", "unused"),
    [
        (Role.INGEST, NOT_A_PROGRAMS | {"flower", "tornado", "psutil"}),
        (Role.WORKER, NOT_A_PROGRAMS | {"flower", "tornado", "confluent_kafka", *CREDENTIALS}),
        (Role.FLOWER, NOT_A_PROGRAMS | {"confluent_kafka"}),
    ],
)
def test_a_program_of_a_supervisor_loads_only_what_it_uses(role: Role, unused: set[str], tmp_path: Path) -> None:
    """Once for each process, as long as it runs. This one ends as it misses its settings."""
    loaded = modules_of(build_argv(role, "child"), tmp_path)

    assert "config.settings" in loaded
    assert set() == loaded & unused


@pytest.mark.parametrize("name", LAZY)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    """As the list is printed without loading them."""
    first_paragraph = " ".join(textwrap.dedent(load(name).help).split("\n\n")[0].split())

    assert LAZY[name] == first_paragraph


def test_what_is_hidden_from_one_library_is_there_for_all_others() -> None:
    """The help is printed with rich, and spans are sent with OpenTelemetry."""
    words = (
        "from longshore.cli import unused_extras; unused_extras.hide(); import redis, structlog;"
        "import rich.console, opentelemetry.sdk.metrics;"
        "from structlog import dev; assert dev.rich is None"
    )
    subprocess.run([sys.executable, "-c", words], check=True)
