"""A whole agent whose Redis speaks TLS under a private CA and wants a password: every program reaches it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text
from tests.support.certificates import Authority
from tests.support.flower import Flower
from tests.support.programs import SETTINGS, eventually
from tests.support.relays import TlsFront
from tests.support.sentinel import Sentinel
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent

PASSWORD, WATCH_PASSWORD = "p@ss/w0rd", "w@tch/w0rd"


@dataclass(frozen=True)
class Guarded:
    """How a Redis with a password and TLS is reached."""

    environ: dict[str, str]
    server: EmbeddedRedis
    hidden: tuple[str, ...]


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    """A CA of today's rules or not: all clients trust what is mounted."""
    return Authority.create(tmp_path / "authority", old=True)


@pytest.fixture(params=["rediss", "sentinel"])
def guarded(
    request: pytest.FixtureRequest, redis_server: EmbeddedRedis, ca: Authority, tmp_path: Path
) -> Iterator[Guarded]:
    with redis.Redis.from_url(redis_server.url) as admin:
        admin.config_set("requirepass", PASSWORD)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "ca.crt").write_bytes(ca.bundle.read_bytes())
    environ = SETTINGS | {"LONGSHORE_CA_DIR": str(mounted)}
    hidden = (PASSWORD, "p%40ss%2Fw0rd", "w0rd")
    with TlsFront(ca.context(), redis_server.port) as front:
        if request.param == "rediss":
            url = f"rediss://:p%40ss%2Fw0rd@localhost:{front.port}/0"
            yield Guarded(environ | {"REDIS_URL": url}, redis_server, hidden)
            return
        ports = {str(redis_server.port).encode(): str(front.port).encode()}
        with (
            Sentinel(tmp_path, redis_server, PASSWORD, WATCH_PASSWORD) as sentinel,
            TlsFront(ca.context(), sentinel.port, ports) as watch,
        ):
            yield Guarded(
                environ
                | {
                    "REDIS_URL": f"sentinel://:p%40ss%2Fw0rd@localhost:{watch.port}/0",
                    "REDIS_TLS": "true",
                    "REDIS_MASTER_NAME": "ours",
                    "REDIS_SENTINEL_PASSWORD": WATCH_PASSWORD,
                    "REDIS_SENTINEL_TLS": "true",
                },
                redis_server,
                hidden,
            )


def reaches_redis(*words: str, folder: Path, **environ: str) -> str:
    """What a command says once it has succeeded.

    It connects once, within three seconds; on a busy machine our front, a thread of the tests, may need longer.
    """
    said: list[str] = []

    def succeeds() -> bool:
        done = longshore(*words, folder=folder, **environ)
        said.append(done.stdout + done.stderr)
        return done.returncode == 0

    eventually(succeeds, lambda: f"{words}: {said[-1]}")
    return "".join(said)


def test_every_program_reaches_redis_over_tls(guarded: Guarded, kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """From Kafka to a target and to Port, Flower's own pages and ours, commands, and doctor; nobody says a password."""
    said = []
    with FakePort() as port, FakeTargets() as targets:
        agent = start_agent(tmp_path / "agent", kafka, port, **guarded.environ)
        try:
            message = action_run("r_1", targets.url("good"), synchronized=True)
            RecordPublisher(kafka, SETTINGS["PORT_ORG_ID"]).run(as_text(message, SETTINGS["PORT_CLIENT_SECRET"]), "r_1")
            eventually(lambda: "r_1" in port.runs and port.runs["r_1"].state == "SUCCESS", "SUCCESS at Port")
            for words in (
                ["status"],
                ["show", "r_1"],
                ["audit"],
                ["dlq", "list"],
                ["targets", "list"],
                ["doctor", "--only", "redis"],
            ):
                said.append(reaches_redis(*words, folder=tmp_path, **guarded.environ))
            flower = Flower(tmp_path, FLOWER_UNAUTHENTICATED_API="true", **guarded.environ)
            try:
                eventually(lambda: "broker" in flower.get("/api/workers?refresh=1").text, "the worker answers Flower")
                workers = flower.get("/api/workers?refresh=1").text
                eventually(lambda: flower.get("/api/longshore/status").ok, "Flower reaches Redis for a page of ours")
                said += [workers, flower.get("/api/longshore/status").text, flower.log()]
            finally:
                flower.close()
            assert 0 == agent.stop()
            said.append(agent.log())
        finally:
            agent.close()
    assert not [text for text in said for secret in guarded.hidden if secret in text]


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"LONGSHORE_CA_DIR": "/nowhere"}, "LONGSHORE_CA_DIR"),
        ({"REDIS_URL": "p%40ss%2Fw0rd", "with": "wrong"}, "REDIS_URL"),
        ({"REDIS_SENTINEL_PASSWORD": "wrong"}, "REDIS_SENTINEL_PASSWORD"),
    ],
)
def test_doctor_says_what_keeps_us_from_redis(
    guarded: Guarded, change: dict[str, str], remedy: str, tmp_path: Path
) -> None:
    """An unknown CA, a wrong password, and whose."""
    if set(change) - set(guarded.environ) - {"with"}:
        pytest.skip("only where there are sentinels")
    environ = dict(guarded.environ)
    for name, value in change.items():
        if name != "with":
            environ[name] = environ[name].replace(value, change["with"]) if "with" in change else value

    said: list[str] = []

    def names_the_remedy() -> bool:
        done = longshore("doctor", "--only", "redis", "--json", folder=tmp_path, **environ)
        found = [each for each in json.loads(done.stdout)["findings"] if each["level"] == "broken"]
        assert 1 == done.returncode
        said.append(done.stdout + done.stderr)
        return remedy in found[0]["remedy"]

    eventually(names_the_remedy, lambda: said[-1])
    assert not [text for text in said if "w0rd" in text]


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel"])
def test_a_raw_password_is_refused_with_the_remedy(scheme: str, tmp_path: Path) -> None:
    """No traceback, and no part of it."""
    done = longshore("worker", folder=tmp_path, **SETTINGS, REDIS_URL=f"{scheme}://:Zq@Xj/Vk7@localhost:6379/0")

    assert 78 == done.returncode
    assert "REDIS_URL: " in done.stderr
    assert "%40" in done.stderr
    assert not [part for part in ("Zq", "Xj", "Vk7", "Traceback") if part in done.stderr]
