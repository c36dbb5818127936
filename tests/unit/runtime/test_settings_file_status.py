"""A changed TARGETS_FILE or LIMITS_FILE that is refused is told by the log, a metric and readiness."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.host_table_files import follow_limits, follow_targets
from longshore.log import events
from longshore.log.event_log import Event
from longshore.runtime.settings_file_status import SettingsFileStatus
from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH

LIMITS = {"*.internal": {"rate": 5}}
TARGETS = {"*.internal": {"tls": {"verify": False}}}


def is_valid(setting: str) -> float | None:
    return metrics.MAPPING.get_sample_value("longshore_settings_file_valid", {"setting": setting})


def put(path: Path, text: str) -> None:
    (new := path.with_name("new")).write_text(text)
    new.replace(path)


@pytest.mark.parametrize(
    ("follow", "content", "event"),
    [(follow_limits, LIMITS, events.LIMITS_FILE_REFUSED), (follow_targets, TARGETS, events.TARGETS_FILE_REFUSED)],
)
def test_a_refused_change_is_told_until_it_is_mended(
    tmp_path: Path, follow: Callable[..., Callable[[], Any]], content: Any, event: Event
) -> None:
    """The file from before holds meanwhile, and the program stays ready: all would be unready at once."""
    put(path := tmp_path / "file.json", json.dumps(content))
    setting = event.name
    get = follow(path, SettingsFileStatus(setting).note)
    assert 1 == is_valid(setting)
    assert PROCESS_HEALTH.ready().results[setting].text.endswith("is in force")

    put(path, '{"*.internal": {"reat": 5}}')
    with capture_logs() as lines:
        assert get()
    told = PROCESS_HEALTH.ready().results[setting]

    assert [event.name] == [line["event"] for line in lines]
    assert 0 == is_valid(setting)
    assert told.ok
    assert "'reat'" in told.text
    put(path, json.dumps(content))
    assert get()
    assert 1 == is_valid(setting)
    assert PROCESS_HEALTH.ready().results[setting].text.endswith("is in force")


def test_of_a_file_that_is_not_set_nothing_is_told() -> None:
    """An alert on it could never end."""
    assert not follow_limits(None, SettingsFileStatus("none").note)()
    assert not follow_targets(None, SettingsFileStatus("none").note)()

    assert is_valid("none") is None
    assert "none" not in PROCESS_HEALTH.ready().results
