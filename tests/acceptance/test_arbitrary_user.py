"""OpenShift runs a container as a user that nobody has heard of, in group 0: the agent needs nothing else."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import action_run, polling_run
from tests.acceptance.test_polling import ENVIRON
from tests.support.programs import SCRIPT, Program, eventually

USER = 1_000_730_000
"""From the range of a namespace; there is no such user on this machine."""
READS = "-all,+dac_read_search"
AS_THEM = (
    *("setpriv", f"--reuid={USER}", "--regid=0", "--clear-groups"),
    *(f"--bounding-set={READS}", f"--inh-caps={READS}", f"--ambient-caps={READS}"),
)
"""They may read everything, as the tests' Python may be in root's own folder, and write nothing more than others."""


@pytest.fixture
def root() -> Iterator[Path]:
    """Folders as a pod of the chart has them, reached by everybody, as those of pytest are not."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    for name, mode in (("app", 0o755), ("scratch", 0o1777), ("data", 0o2775)):
        (root / name).mkdir()
        (root / name).chmod(mode)
    yield root
    shutil.rmtree(root)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root becomes somebody else")
def test_a_whole_agent_works_as_a_user_without_a_name_in_group_0(root: Path) -> None:
    """Its Redis on a volume of the group, its scratch folder, its bundle of certificates; and nothing else."""
    scratch = root / "scratch"
    with FakePort() as port, FakeTargets() as targets:
        port.offer(polling_run(action_run("r_1", targets.url("good"), synchronized=True)))
        program = Program(
            "run",
            folder=root / "app",
            command=(*AS_THEM, str(SCRIPT)),
            **ENVIRON,
            PORT_API_BASE_URL=port.url,
            HOME=str(scratch),
            TMPDIR=str(scratch),
            LONGSHORE_CA_BUNDLE=str(scratch / "ca-certificates" / "ca-certificates.crt"),
            LONGSHORE_DATA=str(root / "data"),
        )
        try:
            eventually(lambda: (run := port.runs.get("r_1")) and run.ended, program.log)
            agent = psutil.Process(program.process.pid)
            assert {(USER, 0)} == {
                (each.uids().effective, each.gids().effective) for each in (agent, *agent.children(recursive=True))
            }
            assert 0 == program.stop()
        finally:
            program.close()

    assert USER == (scratch / "ca-certificates" / "ca-certificates.crt").stat().st_uid
    assert {USER} == {path.stat().st_uid for path in (root / "data").rglob("*")}
    assert ["run.log"] == [path.name for path in (root / "app").iterdir()]
