"""compose.yaml follows the specification, and what it describes works: its services are started as processes here."""

import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import redis
import yaml

from longshore.log import events
from longshore.runtime.embedded_redis import find_program, free_port
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.go_programs import COMPOSE_READER, path_of
from tests.support.programs import SETTINGS, Program, eventually, longshore

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose.yaml"
PROGRAMS = ("ingest", "worker", "flower")
LOGIN = "ann:a-password"
PASSWORD = "0123456789abcdef"


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    """The services, with anchors and merges resolved."""
    described: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return described


@pytest.mark.timeout(1800)
def test_it_follows_the_specification(tmp_path: Path) -> None:
    """Schema and consistency: no unknown key, no secret, volume or service that is used and not there."""
    assert 0 == read(COMPOSE).returncode, read(COMPOSE).stderr

    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE.read_text().replace("stop_grace_period:", "stop_grace_perod:"))
    assert 0 != read(broken).returncode, "a slip must not pass"


def read(path: Path) -> subprocess.CompletedProcess[str]:
    """Let the specification's reader load a file; `prod` as project name, since a folder's may not do."""
    environ = {"PATH": os.environ["PATH"], "COMPOSE_PROJECT_NAME": "prod"}
    command = [path_of(COMPOSE_READER), str(path)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, cwd=path.parent)


def test_every_service_is_looked_after(services: dict[str, Any]) -> None:
    """A health check on each that stays; only Redis's and metrics' folders are written to; nothing but loopback."""
    for name, service in services.items():
        if name != "demo":
            assert "test" in service["healthcheck"], name
            assert "unless-stopped" == service["restart"], name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    for name in PROGRAMS:
        assert services[name]["read_only"] is True
        assert "PORT_CLIENT_SECRET" not in services[name]["environment"]


def test_redis_is_reached_by_those_alone_who_work_with_it(services: dict[str, Any]) -> None:
    """Whoever is in Grafana or Prometheus has no way to the ledger."""
    networks = {name: service.get("networks", ["default"]) for name, service in services.items()}

    assert ["ledger"] == networks["redis"]
    assert {"redis", *PROGRAMS} == {name for name, joined in networks.items() if "ledger" in joined}
    for name in PROGRAMS:
        assert "REDIS_URL" not in services[name]["environment"], "its password would be seen in `docker inspect`"


def test_every_file_it_mounts_is_there(services: dict[str, Any]) -> None:
    """Docker would make an empty folder in its place."""
    volumes = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]

    assert [] == [path for path in volumes if path.startswith("./") and not (ROOT / path).is_file()]


class Composed:
    """The described services as processes of this machine, in `folder`."""

    def __init__(self, services: dict[str, Any], folder: Path, shell: dict[str, str]) -> None:
        self.services, self.folder, self.shell = services, folder, shell
        self.redis_port, self.flower_port = free_port(), free_port()
        self.metrics = {name: free_port() for name in PROGRAMS}
        secrets = {
            "port_client_secret": SETTINGS["PORT_CLIENT_SECRET"],
            "flower_login": LOGIN,
            "redis_password": PASSWORD,
            "redis_url": f"redis://:{PASSWORD}@127.0.0.1:{self.redis_port}/0",
        }
        for name, value in secrets.items():
            (folder / name).write_text(f"{value}\n")

    def start_redis(self) -> subprocess.Popen[bytes]:
        """Redis, with the command of its service."""
        *shell, script = self.services["redis"]["command"]
        server = f"{find_program()} --port {self.redis_port} --bind 127.0.0.1 --dir {self.folder}"
        script = script.replace("docker-entrypoint.sh redis-server", server).replace("$$", "$")
        script = script.replace("/run/secrets", str(self.folder))
        return subprocess.Popen([*shell, script], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def start(self, name: str) -> Program:
        """One of our programs, with its service's command and environment."""
        folder = self.folder / name
        folder.mkdir()
        return Program(*self.services[name]["command"], folder=folder, **self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """As Compose makes it; what is another container there is another port here."""
        environ = {}
        for variable, value in self.services[name]["environment"].items():
            if value is not None:
                environ[variable] = re.sub(
                    r"\$\{(\w+):-([^}]*)\}", lambda found: self.shell.get(found[1]) or found[2], value
                )
            elif variable in self.shell:
                environ[variable] = self.shell[variable]
        environ |= {each: path.replace("/run/secrets", str(self.folder)) for each, path in environ.items()}
        places = {"METRICS_PORT": str(self.metrics[name]), "FLOWER_PORT": str(self.flower_port)}
        # The rest of what its `env_file` may hold.
        return {**self.shell, **environ, **places}

    def is_healthy(self, name: str) -> bool:
        """Whether the health check of a service says so."""
        kind, program, *words = self.services[name]["healthcheck"]["test"]
        assert ("CMD", "longshore") == (kind, program)
        return 0 == longshore(*words, folder=self.folder, **self.environment(name)).returncode


@pytest.fixture
def composed(services: dict[str, Any], tmp_path: Path, kafka: EmbeddedKafka) -> Iterator[tuple[Composed, FakePort]]:
    """The services, and the Port they talk to."""
    with FakePort() as port:
        shell = {name: value for name, value in SETTINGS.items() if name != "PORT_CLIENT_SECRET"} | {
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "plaintext",
            "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "none",
            "KAFKA_CONSUMER_SESSION_TIMEOUT_MS": "6000",
            # What is published before ingest has joined counts too.
            "KAFKA_CONSUMER_AUTO_OFFSET_RESET": "earliest",
            "REPORT_DELAY_S": "0.2",
        }
        yield Composed(services, tmp_path, shell), port


def test_what_it_describes_delivers(composed: tuple[Composed, FakePort], kafka: EmbeddedKafka) -> None:
    """Redis, ingest, worker and Flower with the commands, variables and secret files of compose.yaml."""
    described, port = composed
    with ExitStack() as stack, FakeTargets() as targets:
        server = described.start_redis()
        stack.callback(server.wait)
        stack.callback(server.kill)
        programs = {name: described.start(name) for name in PROGRAMS}
        for program in programs.values():
            stack.callback(program.close)
        programs["worker"].says(events.WORKER_READY.name)
        message = as_text(action_run("r_1", targets.url("good"), synchronized=True), SETTINGS["PORT_CLIENT_SECRET"])
        RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"]).run(message, "r_1")
        eventually(lambda: "r_1" in port.runs and port.runs["r_1"].ended, "an end of r_1")

        assert "SUCCESS" == port.runs["r_1"].state, port.runs["r_1"].logs
        with redis.Redis(port=described.redis_port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis(port=described.redis_port, password=PASSWORD, decode_responses=True) as client:
            assert {"appendonly": "yes", "maxmemory-policy": "noeviction"}.items() <= client.config_get().items()
        for name in PROGRAMS:
            eventually(partial(described.is_healthy, name), f"health of {name}")
        page = f"http://127.0.0.1:{described.flower_port}/"
        eventually(lambda: status(page) == 401, "Flower asks for a login")
        assert 200 == status(page, LOGIN)
        assert 401 == status(page, "ann:guessed")
        assert [0, 0, 0] == [program.stop() for program in programs.values()]


def status(url: str, login: str = "") -> int:
    """The status code of a page, 0 while nobody answers."""
    headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0
