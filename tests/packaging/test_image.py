"""The image does its work as an arbitrary user with a read-only root, and holds nothing that it does not need.

The Dockerfile is built for real, without a Docker engine; see tests/support/image.py. That takes minutes, root and a
few Debian packages, so it happens only with LONGSHORE_REQUIRE_IMAGE=1.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.certificates import Authority
from tests.support.container import Container
from tests.support.hostile import OK, HostileTarget, answering
from tests.support.image import BUILD_TIMEOUT_S, REPOSITORY, Image, image, missing
from tests.support.programs import SETTINGS, eventually

REQUIRE_IMAGE = "LONGSHORE_REQUIRE_IMAGE"
BUILD_TOOLS = ("gcc", "cc", "make", "ld", "pip", "pip3", "git", "curl", "wget", "hatchling")
MAPPING = "/app/control_the_payload_config.json"

pytestmark = [
    pytest.mark.skipif(
        os.environ.get(REQUIRE_IMAGE) != "1", reason=f"building the image takes minutes; {REQUIRE_IMAGE}=1 does it"
    ),
    pytest.mark.timeout(BUILD_TIMEOUT_S),  # whichever test comes first waits for the build
]

Start = Callable[..., Container]


@pytest.fixture(scope="session")
def built() -> Image:
    """The image of the present sources."""
    if lacking := missing():
        pytest.fail(f"building the image needs {', '.join(lacking)}; on Debian: apt install buildah mmdebstrap")
    return image()


@pytest.fixture
def start(built: Image, tmp_path: Path) -> Iterator[Start]:
    """Starts containers, which end with the test."""
    containers: list[Container] = []

    def start(*words: str, files: dict[str, Path] | None = None, entrypoint: bool = True, **environ: str) -> Container:
        folder = tmp_path / f"container-{len(containers)}"
        folder.mkdir()
        containers.append(Container(built, folder, *words, files=files, entrypoint=entrypoint, **environ))
        return containers[-1]

    yield start
    for each in containers:
        each.close()


def test_a_run_reaches_a_target_of_a_private_ca(start: Start, kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """As `docker run --read-only --user 12345`; the CA's file lacks the newline at its end, as chart values do."""
    authority = Authority.create(tmp_path)
    certificate = tmp_path / "cert.crt"
    certificate.write_text(authority.bundle.read_text().rstrip("\n"))
    with FakePort() as port, HostileTarget(answering(OK), authority.context()) as target:
        agent = start(
            files={"/usr/local/share/ca-certificates/cert.crt": certificate},
            **SETTINGS,
            PORT_API_BASE_URL=port.url,
            USING_LOCAL_PORT_INSTANCE="true",
            KAFKA_CONSUMER_BOOTSTRAP_SERVERS=kafka.bootstrap,
            KAFKA_CONSUMER_SESSION_TIMEOUT_MS="6000",
            KAFKA_CONSUMER_AUTO_OFFSET_RESET="earliest",  # what is published before it has joined counts too
            REPORT_DELAY_S="0.2",
        )
        agent.says(events.WORKER_READY.name)
        message = action_run("r_1", target.url(host="localhost"), synchronized=True)
        RecordPublisher(kafka, "org").run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), "r_1")
        eventually(lambda: "r_1" in port.runs and port.runs["r_1"].ended, f"an end of r_1\n{agent.output()}")

        assert "SUCCESS" == port.runs["r_1"].state, port.runs["r_1"].logs
        assert (agent.data / "ca-certificates" / "ca-certificates.crt").is_file()
        assert 0 == agent.stop(), agent.output()
        assert "Traceback" not in agent.output()
        assert "Read-only" not in agent.output(), "it tried to write where it may not"


def test_the_sandbox_plays_in_it(start: Start) -> None:
    """Kafka, Redis, Port, targets and Flower, all in one container without a network."""
    demo = start("sandbox", "demo")

    assert 0 == demo.ends(180), demo.output()
    assert "ended as they should" in demo.output()


def test_the_settings_can_be_checked_in_it(start: Start) -> None:
    """With a user's own mapping at the documented place, which counts."""
    mapping = REPOSITORY / "longshore" / "invocation" / "mapping" / "default.json"
    checked = start("config", "check", files={MAPPING: mapping}, **SETTINGS)

    assert 0 == checked.ends(60), checked.output()
    assert "The mapping is control_the_payload_config.json" in checked.output()


def test_wrong_settings_end_it_with_their_own_code(start: Start) -> None:
    """The init in front of the program passes the exit code on."""
    wrong = start("run")

    assert 78 == wrong.ends(60), wrong.output()
    assert "PORT_CLIENT_SECRET" in wrong.output()


def test_only_one_place_can_be_written_to(start: Start) -> None:
    """Holds of the test's own container: else the other tests would show nothing."""
    words = "id -u; cd /; for each in . app opt etc tmp var/tmp run dev usr/local/share/ca-certificates tmp/port-agent"
    tried = start("sh", "-c", f"{words}; do touch $each/x 2>/dev/null && echo $each; done", entrypoint=False)

    assert 0 == tried.ends(), tried.output()
    assert ["12345", "tmp/port-agent"] == tried.output().split()


def test_orphans_are_collected(start: Start) -> None:
    """PID 1 waits for processes whose parents have gone, also where it supervises nothing."""
    # The second sleep is left to PID 1 and ends before the first.
    words = "(sleep 0.1 &); sleep 1; grep -l 'State:.Z' /proc/[0-9]*/status; true"
    orphaned = start("tini", "--", "sh", "-c", words, entrypoint=False)

    assert 0 == orphaned.ends(), orphaned.output()
    assert "" == orphaned.output()


def test_it_says_how_it_is_to_be_run(built: Image) -> None:
    """Ids, working directory and command of the image it takes the place of; an init first."""
    assert "1000:1000" == built.config["User"]
    assert "/app" == built.config["WorkingDir"]
    assert ["tini", "--", "longshore"] == built.config["Entrypoint"]
    assert ["run"] == built.config["Cmd"]
    assert "longshore" == built.config["Healthcheck"]["Test"][1]
    assert "/tmp/port-agent" == built.environment["HOME"] == built.environment["TMPDIR"]
    assert "/tmp/port-agent/ca-certificates/ca-certificates.crt" == built.environment["LONGSHORE_CA_BUNDLE"]
    assert "longshore" == built.config["Labels"]["org.opencontainers.image.title"]
    assert "Apache-2.0" == built.config["Labels"]["org.opencontainers.image.licenses"]
    assert "agent:x:1000:1000:" in (built.root / "etc" / "passwd").read_text()
    assert "appgroup:x:1000:" in (built.root / "etc" / "group").read_text()


def test_its_version_is_that_of_the_package(built: Image) -> None:
    """The label and the list of what is installed are written by hand or by the Dockerfile."""
    (metadata,) = built.root.glob("opt/longshore/lib/python3*/site-packages/longshore-*.dist-info/METADATA")
    version = next(line for line in metadata.read_text().splitlines() if line.startswith("Version: ")).split()[1]

    assert version == built.config["Labels"]["org.opencontainers.image.version"]
    assert (
        version
        == json.loads((built.root / "usr/share/longshore/sbom.json").read_text())["metadata"]["component"]["version"]
    )


def test_the_built_in_mapping_is_where_users_mount_theirs(built: Image) -> None:
    """So that a reader of the container finds what is in effect."""
    packaged = REPOSITORY / "longshore" / "invocation" / "mapping" / "default.json"

    assert packaged.read_bytes() == (built.root / MAPPING[1:]).read_bytes()


def test_it_lists_what_is_installed(built: Image) -> None:
    """Every Python package found in it, and the Debian packages that we ask for, with their versions."""
    listed = json.loads((built.root / "usr/share/longshore/sbom.json").read_text())
    purls = {component["purl"] for component in listed["components"]}
    found = list(built.root.glob("opt/longshore/lib/python3*/site-packages/*.dist-info"))

    assert ("CycloneDX", "1.5") == (listed["bomFormat"], listed["specVersion"])
    assert len(found) > 30
    for each in found:
        name, _, version = each.name.removesuffix(".dist-info").rpartition("-")
        assert f"pkg:pypi/{name.lower().replace('_', '-').replace('.', '-')}@{version}" in purls
    for name in ("redis-server", "tini"):
        assert any(purl.startswith(f"pkg:deb/debian/{name}@") for purl in purls)


def test_nothing_in_it_builds_or_fetches(built: Image) -> None:
    """No compiler, no pip, no build backend; nothing of the machine that built it; nothing gains rights."""
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "opt/longshore/bin")

    assert [] == [name for folder in folders for name in BUILD_TOOLS if os.path.lexists(built.root / folder / name)]
    assert [] == list(built.root.glob("opt/longshore/lib/python3*/site-packages/pip*"))
    assert [] == list(built.root.glob("usr/local/lib/python3*/site-packages/pip*"))
    assert [] == [name for name in ("src", "opt/build", "tmp/sbom.py") if (built.root / name).exists()]
    pip = built.root / "etc" / "pip.conf"
    assert "" == (pip.read_text() if pip.exists() else "")
    assert [] == [str(each) for each in (built.root / "opt").rglob("*") if _is_setuid(each)]


def _is_setuid(path: Path) -> bool:
    return bool(path.lstat().st_mode & 0o6000) and not path.is_dir()
