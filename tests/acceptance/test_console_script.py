"""What the `longshore` command says and exits with, before anything runs."""

import json
import re
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis, free_port
from tests.support.programs import SETTINGS, Program, eventually, longshore


@pytest.mark.parametrize("command", ["run", "ingest", "worker", "flower"])
def test_wrong_settings_end_every_program_with_78_and_one_list(command: str, tmp_path: Path) -> None:
    """A supervisor can tell it from a crash, and a person mends everything at once."""
    done = longshore(command, folder=tmp_path, PORT_ORG_ID="", DETAILED_LOGGING="perhaps", WORKER_SLOTS="many")

    assert 78 == done.returncode
    assert "" == done.stdout
    for name in ("PORT_ORG_ID", "KAFKA_CONSUMER_GROUP_ID", "DETAILED_LOGGING", "WORKER_SLOTS"):
        assert f"\n  {name}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_mapping_file_is_wrong_settings_too(tmp_path: Path) -> None:
    """Found before anything is started."""
    (tmp_path / "control_the_payload_config.json").write_text("{}")
    done = longshore("run", folder=tmp_path, **SETTINGS)

    assert 78 == done.returncode
    assert "CONTROL_THE_PAYLOAD_CONFIG_PATH: the mapping file" in done.stderr
    assert events.CHILD_STARTED.name not in done.stderr


@pytest.mark.parametrize("command", ["run", "ingest"])
def test_config_check_refuses_what_a_program_refuses(command: str, tmp_path: Path) -> None:
    """With the same words, and neither waits for Redis, Port or Kafka."""
    wrong = {
        "STREAMER_NAME": "polling",
        "KAFKA_CONSUMER_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "300001",
    }
    environ = {**SETTINGS, **wrong, "REDIS_URL": "redis://127.0.0.1:9"}
    checked = longshore("config", "check", "--role", command, folder=tmp_path, **environ)
    done = longshore(command, folder=tmp_path, **environ)

    assert (78, 78) == (checked.returncode, done.returncode)
    assert checked.stderr == done.stderr
    for name in ("STREAMER_NAME", "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM", "KAFKA_CONSUMER_SESSION_TIMEOUT_MS"):
        assert f"\n  {name}: " in done.stderr


def test_the_version_is_printed(tmp_path: Path) -> None:
    """That of the package, unless the image says otherwise."""
    assert f"{metadata.version('longshore')}\n" == longshore("--version", folder=tmp_path).stdout
    assert "v9\n" == longshore("--version", folder=tmp_path, PORT_AGENT_VERSION="v9").stdout


def test_config_check_shows_what_is_in_effect_and_no_secret(tmp_path: Path) -> None:
    """Values on standard output, advice on standard error."""
    environ = {**SETTINGS, "REDIS_URL": "redis://:hush-hush@localhost/0", "LOG_LEVLE": "debug", "WORKER_SLOTS": "7"}
    done = longshore("config", "check", folder=tmp_path, **environ)

    assert 0 == done.returncode
    assert "WORKER_SLOTS=7\n" in done.stdout
    assert "LEASE_S=12.0  (default)\n" in done.stdout
    assert "Did you mean LOG_LEVEL?" in done.stderr
    assert not re.search("hush|s3cret", done.stdout + done.stderr)


def test_config_check_speaks_json(tmp_path: Path) -> None:
    """For scripts."""
    done = longshore("config", "check", "--json", folder=tmp_path, **SETTINGS, WORKER_SLOTS="7")

    assert 7 == json.loads(done.stdout)["WORKER_SLOTS"]


def test_modules_of_the_working_directory_do_not_stand_in_for_ours(tmp_path: Path) -> None:
    """`tasks` and `config` are common names."""
    for name in ("tasks", "config", "ingest"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")

    assert 0 == longshore("config", "check", folder=tmp_path, **SETTINGS).returncode


def test_flower_serves_and_ends_when_told(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """On the port and address of the settings."""
    port = free_port()
    flower = Program("flower", folder=tmp_path, **SETTINGS, REDIS_URL=redis_server.url, FLOWER_PORT=str(port))
    try:
        eventually(lambda: _status(f"http://127.0.0.1:{port}/healthcheck") == 200, "Flower answers")
        assert 0 == flower.stop()
    finally:
        flower.close()


def _status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except (urllib.error.URLError, OSError):
        return None


def test_config_check_asks_for_nothing_of_kafka_where_runs_are_polled(tmp_path: Path) -> None:
    """Not even librdkafka is asked."""
    environ = {name: value for name, value in SETTINGS.items() if not name.startswith("KAFKA")}
    done = longshore("config", "check", folder=tmp_path, **environ, STREAMER_NAME="POLLING")

    assert 0 == done.returncode, done.stderr
    assert "STREAMER_NAME=POLLING" in done.stdout
