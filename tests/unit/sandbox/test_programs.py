"""The sandbox's mapping calls each sample target by its name, whatever asks for it."""

from contextlib import closing
from pathlib import Path

from longshore.invocation.mapping import Mapping
from longshore.sandbox.case import expect_done
from longshore.sandbox.fake_targets import FakeTargets, path_of
from longshore.sandbox.programs import write_mapping
from longshore.sandbox.scenario import Scenario


def test_every_target_has_its_name_and_no_port(tmp_path: Path) -> None:
    """So that Flower's lists can be read: runs, node runs and change log events alike."""
    urls = {name: f"http://127.0.0.1:8000{path_of(name)}" for name in FakeTargets.NAMES}
    scenario = Scenario(urls, "secret")
    with closing(Mapping.load(write_mapping(tmp_path), {})) as mapping:
        for name in FakeTargets.NAMES:
            for case in (make(name, expect_done()) for make in (scenario.action, scenario.node, scenario.change)):
                entry = mapping.select((case.value or b"").decode())
                assert entry is not None
                assert (name, case.title) == (mapping.delivery(entry).target, case.title)
