"""A mapping file that is changed is in force without a restart, a wrong one is kept out."""

import gc
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.mapping_file import MappingFile, PerMapping
from config.settings import load
from longshore.invocation.mapping import Mapping
from longshore.log import events
from longshore.runtime import mapping_watch
from longshore.runtime.mapping_watch import MappingWatch
from longshore.telemetry import metrics
from longshore.telemetry.health import PROCESS_HEALTH
from tests.support.programs import SETTINGS, eventually

FIRST, SECOND = [{"url": '"http://first/"'}], [{"url": '"http://second/"'}]


class ConfigMap:
    """A mounted ConfigMap: a link to a link to a folder, and a change replaces the link in the middle."""

    def __init__(self, folder: Path, content: Any) -> None:
        self._folder = folder
        self.path = folder / "mapping.json"
        self._count = 0
        self.put(content)
        self.path.symlink_to("..data/mapping.json")

    def put(self, content: Any) -> None:
        self._count += 1
        (version := self._folder / f"..version-{self._count}").mkdir()
        text = content if isinstance(content, str) else json.dumps(content)
        (version / "mapping.json").write_text(text)
        (new := self._folder / "..data_tmp").symlink_to(version.name)
        new.rename(self._folder / "..data")


@pytest.fixture
def mounted(tmp_path: Path) -> ConfigMap:
    return ConfigMap(tmp_path, FIRST)


@pytest.fixture
def mappings(mounted: ConfigMap) -> Iterator[MappingFile]:
    with closing(MappingFile(load(SETTINGS | {"CONTROL_THE_PAYLOAD_CONFIG_PATH": str(mounted.path)}))) as mappings:
        yield mappings


def children() -> set[int]:
    """The processes that this one has, without those that nobody needs any more."""
    gc.collect()
    return {child.pid for child in psutil.Process().children()}


def url(mappings: MappingFile) -> str | None:
    return mappings.current.request(0, "{}").url


def test_a_changed_file_is_in_force_and_who_works_with_the_old_one_keeps_it(
    mounted: ConfigMap, mappings: MappingFile
) -> None:
    """Its processes end when nobody has it any more; an unchanged file costs nothing."""
    old, at_first = mappings.current, children()
    assert not mappings.refresh()
    mounted.put(SECOND)

    assert mappings.refresh()
    assert ("http://second/", "http://first/") == (url(mappings), old.request(0, "{}").url)
    assert (1, 0) == (len(children() - at_first), len(at_first - children()))
    del old
    assert (1, 1) == (len(children() - at_first), len(at_first - children()))


@pytest.mark.parametrize(
    "broken", ["{", [{"delivery": {"rate": -1}}], [{"delivery": {"signature": {"standard_webhooks": True}}}]]
)
def test_a_wrong_file_is_kept_out_until_it_is_right(mounted: ConfigMap, mappings: MappingFile, broken: Any) -> None:
    """Looked at once, not each time; the one from before, put back, is the one that is in force still."""
    mapping = mappings.current
    mounted.put(broken)

    assert [True, False] == [mappings.refresh(), mappings.refresh()]
    assert mappings.problem is not None
    assert "http://first/" == url(mappings)
    mounted.put(FIRST)
    assert mappings.refresh()
    assert not mappings.problem
    assert mappings.current is mapping
    mounted.put(broken)
    mappings.refresh()
    mounted.put(SECOND)
    mappings.refresh()
    assert not mappings.problem
    assert "http://second/" == url(mappings)


def test_a_file_that_is_gone_is_a_wrong_one(mounted: ConfigMap, mappings: MappingFile) -> None:
    """A volume that is unmounted ends no program."""
    os.unlink(mounted.path)

    assert mappings.refresh()
    assert "cannot be read" in str(mappings.problem)
    assert "http://first/" == url(mappings)


def test_what_is_made_of_a_mapping_is_made_once_for_each(mounted: ConfigMap, mappings: MappingFile) -> None:
    """Each invocation would pay for it."""
    made: list[Mapping] = []

    def make(mapping: Mapping) -> Mapping:
        made.append(mapping)
        return mapping

    derived = PerMapping(mappings, make)
    assert derived.get() is derived.get() is mappings.current
    mounted.put(SECOND)
    mappings.refresh()

    assert derived.get() is derived.get() is mappings.current
    assert 2 == len(made)


def test_a_change_is_told(
    mounted: ConfigMap, mappings: MappingFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By metrics, by the log, and by readiness, which stays: all programs would be unready at once."""
    monkeypatch.setattr(mapping_watch, "CHECK_S", 0.01)
    used: list[str] = []
    watch = MappingWatch(mappings, lambda mapping: used.append(mapping.digest))
    watch.start()
    try:
        first = mappings.current.digest
        assert (1, 1) == (value("longshore_mapping_valid"), value("longshore_mapping_info", fingerprint=first))
        mounted.put("{")
        eventually(lambda: value("longshore_mapping_valid") == 0, "it is refused")
        said = PROCESS_HEALTH.ready().results["mapping"]
        assert said.ok
        assert f"the mapping {first} is in force, as the file was changed and is refused" in said.text
        mounted.put(SECOND)
        eventually(lambda: value("longshore_mapping_valid") == 1, "it is in force")
    finally:
        watch.stop()
    second = mappings.current.digest
    assert [first, second] == used
    assert (None, 1) == tuple(value("longshore_mapping_info", fingerprint=each) for each in (first, second))
    assert value("longshore_mapping_loaded_timestamp_seconds") == mappings.loaded_at
    lines = capsys.readouterr().out.splitlines()
    for event, words in ((events.MAPPING_REFUSED, "is not JSON"), (events.MAPPING_RELOADED, second)):
        assert any(event.name in line and words in line for line in lines), lines


def value(name: str, **labels: str) -> float | None:
    return metrics.MAPPING.get_sample_value(name, labels)
