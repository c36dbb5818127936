"""`longshore doctor`: each kind of trouble, made for real, is found and comes with its remedy."""

import asyncio
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from longshore.cli.doctor.finding import AREAS
from longshore.ledger.keys import Keys
from longshore.runtime.embedded_redis import EmbeddedRedis, free_port
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from tests.support.certificates import Authority
from tests.support.guarded_broker import USER, GuardedBroker
from tests.support.kafka_broker import KafkaBroker
from tests.support.programs import SETTINGS, longshore
from tests.support.relays import ForwardProxy, Relay
from tests.support.warm import Warm

SECRET = "the-client-secret-0123456789-abcdefghijkl"
PASSWORD = "redis-pass-word-4711"

Told = list[dict[str, Any]]


class Ward:
    """A healthy agent's environment, to be made ill."""

    def __init__(
        self, folder: Path, redis_server: EmbeddedRedis, kafka: EmbeddedKafka, port: FakePort, warm: Warm
    ) -> None:
        self.folder, self.redis, self.kafka, self.port, self.warm = folder, redis_server, kafka, port, warm
        self.environ = SETTINGS | {
            "PORT_CLIENT_SECRET": SECRET,
            "REDIS_URL": redis_server.url,
            "PORT_API_BASE_URL": port.url,
            "USING_LOCAL_PORT_INSTANCE": "true",
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "LONGSHORE_CA_DIR": str(folder / "ca"),
        }
        (folder / "ca").mkdir()

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command, in this environment and with these changes."""
        return self.warm.call("doctor", *arguments, folder=self.folder, **(self.environ | environ))

    def told(self, *arguments: str, code: int | None = None, **environ: str) -> Told:
        """Its findings; `code` is the exit code it must have. An area as argument is looked at alone."""
        arguments = tuple(part for each in arguments for part in (("--only", each) if each in AREAS else (each,)))
        ended = self.run("--json", *arguments, **environ)
        if code is not None:
            assert code == ended.returncode, ended.stdout + ended.stderr
        found: Told = json.loads(ended.stdout)["findings"]
        return found


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm")) as warm:
        yield warm


@pytest.fixture
def ward(tmp_path: Path, redis_server: EmbeddedRedis, kafka: EmbeddedKafka, warm: Warm) -> Iterator[Ward]:
    folder = tmp_path / "ward"
    folder.mkdir()
    with FakePort(client_id="client", client_secret=SECRET) as port:
        yield Ward(folder, redis_server, kafka, port, warm)


def of(told: Told, area: str, level: str) -> list[str]:
    """What was said of `area` at `level`, remedies included."""
    return [
        f"{each['text']} | {each.get('remedy', '')}" for each in told if (area, level) == (each["area"], each["level"])
    ]


def test_a_healthy_agent_has_nothing_broken(ward: Ward) -> None:
    """Every area is told, and each line says how it is."""
    ended = longshore("doctor", folder=ward.folder, HTTP_PROXY="", **ward.environ)
    lines = [line for line in ended.stdout.splitlines() if not line.startswith("        → ")]

    assert 0 == ended.returncode, ended.stdout
    assert "BROKEN" not in ended.stdout
    assert list(AREAS) == list(dict.fromkeys(line[8:].partition(":")[0] for line in lines))
    assert all(line[:7].strip() in ("ok", "WARNING") for line in lines)
    assert "org.runs: 4 partitions" in ended.stdout
    assert "looking at settings" in ended.stderr
    assert " 0 broken." in ended.stderr


def test_it_joins_no_group_and_leaves_nothing_in_redis(ward: Ward) -> None:
    """It may be run beside a working agent at any time."""
    ward.told("--url", "http://127.0.0.1:1/", code=1)

    with redis.Redis.from_url(ward.redis.url) as client:
        assert 0 == client.dbsize()
    assert [] == list((ward.folder / "ca").iterdir())


def test_wrong_settings_are_all_told_and_the_rest_is_still_looked_at(ward: Ward) -> None:
    """With "did you mean", and without showing a secret."""
    told = ward.told(WORKER_SLOTS="many", LEASE_S="-1", WEBHOOK_VERIFY_SLL="false", code=1)

    assert 2 == len(of(told, "settings", "broken"))
    assert any("Did you mean WEBHOOK_VERIFY_SSL" in text for text in of(told, "settings", "warning"))
    assert [] == of(told, "redis", "broken")
    assert [] == of(told, "port", "broken")


def test_a_redis_that_evicts_is_broken(ward: Ward) -> None:
    """The remedy can be typed."""
    with redis.Redis.from_url(ward.redis.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")

    assert "redis-cli config set maxmemory-policy noeviction" in " ".join(
        of(ward.told("redis", code=1), "redis", "broken")
    )


def test_a_redis_that_may_forget_is_a_warning(ward: Ward) -> None:
    """Without an append-only file; with one that is not written in time; without a limit of memory."""
    with redis.Redis.from_url(ward.redis.url) as client:
        client.config_set("appendfsync", "no")
        fsync = of(ward.told("redis", code=0), "redis", "warning")
        client.config_set("appendonly", "no")
        aof = of(ward.told("redis", code=0), "redis", "warning")

    assert any("appendfsync no" in text for text in fsync)
    assert any("no append-only file" in text and "appendonly yes" in text for text in aof)
    assert any("no maxmemory" in text for text in aof)


def test_a_full_redis_is_told_with_its_share(ward: Ward) -> None:
    """Below the limit of intake, above it, and full."""
    with redis.Redis.from_url(ward.redis.url) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used * 20)
        assert any("of maxmemory" in text for text in of(ward.told("redis"), "redis", "ok"))
        client.config_set("maxmemory", round(used * 1.02))

    assert any("of maxmemory" in text for text in of(ward.told("redis", code=1), "redis", "broken"))


@pytest.mark.parametrize(
    ("setting", "remedy"), [("maxmemory 1", "Raise maxmemory"), ("min-replicas-to-write 1", "min-replicas-to-write")]
)
def test_a_redis_that_takes_no_writes_is_broken(ward: Ward, setting: str, remedy: str) -> None:
    """Though it answers, and whatever it says of itself."""
    with redis.Redis.from_url(ward.redis.url) as client:
        client.config_set(*setting.split())
    broken = of(ward.told("redis", code=1), "redis", "broken")

    assert any("it takes no writes" in text and remedy in text for text in broken), broken


def test_a_redis_whose_clock_is_off_is_told(ward: Ward) -> None:
    """Waits are counted in its time."""
    with LateRedis(ward.redis.port, 3600) as late:
        broken = of(ward.told("redis", REDIS_URL=f"redis://127.0.0.1:{late.port}/0", code=1), "redis", "broken")

    [text] = broken
    assert "the clock at Redis is 3600 s ahead of ours" in text
    assert "NTP" in text


@pytest.mark.parametrize("ill", ["dead", "hangs", "password"])
def test_a_redis_that_cannot_be_asked_stops_no_other_check(ward: Ward, ill: str) -> None:
    """Refused, silent, or with another password; the rest is looked at all the same."""
    url = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    with silent_server() as silent:
        if ill == "hangs":
            url = f"redis://127.0.0.1:{silent}/0"
        if ill == "password":
            with redis.Redis.from_url(ward.redis.url) as client:
                client.config_set("requirepass", "another one")
            url = ward.redis.url.replace("//", f"//:{PASSWORD}@")
        ended = ward.run("--json", REDIS_URL=url)
    told = json.loads(ended.stdout)["findings"]

    [problem] = of(told, "redis", "broken")
    assert "REDIS_URL" in problem
    assert any("accepts the credentials" in text for text in of(told, "port", "ok"))
    assert any("org.runs" in text for text in of(told, "kafka", "ok"))
    assert PASSWORD not in ended.stdout + ended.stderr


def test_a_check_that_does_not_end_is_given_up(ward: Ward) -> None:
    """The others are told, and this one by its name."""
    with silent_server() as silent:
        told = ward.told("redis", "port", "--timeout", "2", REDIS_URL=f"redis://127.0.0.1:{silent}/0", code=1)

    assert any("not done within 2 s" in text for text in of(told, "redis", "broken"))
    assert of(told, "port", "ok")


def test_a_dead_broker_a_missing_topic_and_an_unknown_name(ward: Ward) -> None:
    """Each with another remedy."""
    dead = f"127.0.0.1:{free_port()}"
    assert any(
        dead in text
        for text in of(ward.told("kafka", KAFKA_CONSUMER_BOOTSTRAP_SERVERS=dead, code=1), "kafka", "broken")
    )
    unknown = ward.told("kafka", KAFKA_CONSUMER_BOOTSTRAP_SERVERS="kafka.invalid:9092", code=1)
    assert any("DNS" in text for text in of(unknown, "kafka", "broken"))
    # The mock broker makes the topics of its organization; another one's are not there.
    missing = of(ward.told("kafka", KAFKA_RUNS_TOPIC="no/such/topic", code=1), "kafka", "broken")
    assert any("no/such/topic" in text and "KAFKA_RUNS_TOPIC" in text for text in missing)


def test_a_broker_that_wants_tls_is_told_so(ward: Ward) -> None:
    """A plain listener asked for TLS: the handshake fails."""
    told = ward.told("kafka", KAFKA_CONSUMER_SECURITY_PROTOCOL="ssl", code=1)

    assert of(told, "kafka", "broken")


def test_wrong_credentials_at_port(ward: Ward) -> None:
    """Neither the right secret nor the wrong one is shown."""
    wrong = "a-wrong-secret-0123456789-abcdefghijklmno"
    ended = ward.run("--json", "--only", "port", PORT_CLIENT_SECRET=wrong)

    assert 1 == ended.returncode
    [problem] = of(json.loads(ended.stdout)["findings"], "port", "broken")
    assert "PORT_CLIENT_SECRET" in problem
    assert wrong not in ended.stdout + ended.stderr


@pytest.mark.parametrize(("off_s", "level"), [(0, "ok"), (-20, "warning"), (3600, "broken")])
def test_a_clock_that_differs_from_ports(ward: Ward, off_s: int, level: str) -> None:
    """By its Date header."""

    def answer(request: Request) -> HttpAnswer:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=off_s), usegmt=True)
        return HttpAnswer(200, b'{"ok":true,"accessToken":"t","expiresIn":100}', headers=(("Date", date),))

    with serving(answer) as url:
        found = of(ward.told("port", PORT_API_BASE_URL=url), "port", level)

    assert any("clock" in text for text in found), found


def test_certificates_that_are_broken_expired_or_about_to(ward: Ward) -> None:
    """Mounted ones by file; a bundle that cannot be read."""
    authority = Authority.create(ward.folder)  # for two days
    (ward.folder / "ca" / "soon.crt").write_bytes(authority.bundle.read_bytes())
    (ward.folder / "ca" / "broken.crt").write_text("no certificate")
    told = ward.told("certificates", SSL_CERT_FILE=str(ward.folder / "nowhere.pem"), code=1)

    warnings = of(told, "certificates", "warning")
    assert any("broken.crt" in text for text in warnings)
    assert any("soon.crt" in text and "expires" in text for text in warnings)
    assert any("SSL_CERT_FILE" in text for text in of(told, "certificates", "broken"))


def test_which_proxy_is_used_for_which_url(ward: Ward) -> None:
    """Without its password; and entries of NO_PROXY that match nothing."""
    ended = ward.run(
        "--json", "--only", "proxies", "--only", "targets", "--url", "https://one.example/hook", "--url", "https://two.internal.example",
        HTTPS_PROXY=f"http://user:{PASSWORD}@127.0.0.1:1", NO_PROXY="127.0.0.1,.internal.example,*.corp",
    )  # fmt: skip
    told = json.loads(ended.stdout)["findings"]
    fine = of(told, "proxies", "ok")

    assert any("https://one.example:443 is called through http://127.0.0.1:1" in text for text in fine)
    assert any("https://two.internal.example:443 is called directly" in text for text in fine)
    assert any("*.corp" in text and ".corp" in text for text in of(told, "proxies", "warning"))
    assert any("the proxy 127.0.0.1:1" in text for text in of(told, "targets", "broken"))
    assert PASSWORD not in ended.stdout + ended.stderr


def test_tls_is_looked_at_through_a_proxy_too(ward: Ward) -> None:
    """Which resolves the name; one that wants a password is told as what fails."""
    authority = Authority.create(ward.folder)
    (ward.folder / "ca" / "ca.crt").write_bytes(authority.bundle.read_bytes())
    with tls_server(authority) as url, ForwardProxy("user", PASSWORD) as proxy:
        open_to_us = {"HTTPS_PROXY": f"http://user:{PASSWORD}@{proxy.address}", "NO_PROXY": "port.invalid"}
        fine = ward.told("targets", "--url", url, code=0, **open_to_us)
        ended = ward.run("--json", "--only", "targets", "--url", url, HTTPS_PROXY=f"http://user:wrong@{proxy.address}")

    assert any(f"TCP: connected through http://{proxy.address}" in text for text in of(fine, "targets", "ok")), fine
    assert any("TLS" in each["text"] and "issued by CN=Test CA" in each["text"] for each in fine)
    [refused] = of(json.loads(ended.stdout)["findings"], "targets", "broken")
    assert "proxy" in refused
    assert "407" in refused
    assert "wrong@" not in ended.stdout


@pytest.mark.real_kafka
def test_a_login_that_kafka_refuses_is_told(ward: Ward, real_kafka: KafkaBroker, tmp_path: Path) -> None:
    """With Port's credentials it is let in; with another password it hears what to check."""
    broker = GuardedBroker(tmp_path / "guarded")
    try:
        broker.start()
        for topic in ("org.runs", "org.change.log"):
            broker.create_topic(topic)
        broker.set_password("kafka-pass-word")
        guarded = {
            "USING_LOCAL_PORT_INSTANCE": "false",
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM": "SCRAM-SHA-512",
        }
        for password, code in (("kafka-pass-word", 0), ("kafka-wrong-word", 1)):
            port = FakePort(
                client_id="client",
                client_secret=SECRET,
                brokers=[broker.guarded],
                kafka_username=USER,
                kafka_password=password,
            )
            with port:
                ended = ward.run("--json", "--only", "kafka", PORT_API_BASE_URL=port.url, **guarded)
            told = json.loads(ended.stdout)["findings"]
            assert code == ended.returncode, told
            assert password not in ended.stdout + ended.stderr
    finally:
        broker.kill()
    [problem] = of(told, "kafka", "broken")
    assert "refuse the login" in problem


def test_a_bad_mapping_and_a_suspicious_one(ward: Ward) -> None:
    """The first cannot be used, the second is likely not meant so."""
    path = ward.folder / "mapping.json"
    path.write_text('[{"body": ".body"}]')
    suspicious = ward.told("mapping", CONTROL_THE_PAYLOAD_CONFIG_PATH=str(path), code=0)
    path.write_text("[{")
    bad = ward.told("mapping", CONTROL_THE_PAYLOAD_CONFIG_PATH=str(path), code=1)

    assert any("there is no .body" in text for text in of(suspicious, "mapping", "warning"))
    assert of(bad, "mapping", "broken")


def test_a_target_with_an_unknown_ca_is_told_with_its_issuer_and_heals(ward: Ward) -> None:
    """Once the CA's certificate is mounted, the same line is ok."""
    authority = Authority.create(ward.folder)
    with tls_server(authority) as url:
        broken = of(ward.told("targets", "--url", url, code=1), "targets", "broken")
        (ward.folder / "ca" / "ca.crt").write_bytes(authority.bundle.read_bytes())
        healed = ward.told("targets", "--url", url, code=0)

    assert any("CN=Test CA" in text and "TLS" in text and "LONGSHORE_CA_DIR" in text for text in broken)
    assert any("TLS" in text and "issued by CN=Test CA" in text for text in [
        *of(healed, "targets", "ok"), *of(healed, "targets", "warning")
    ])  # fmt: skip


def test_targets_of_the_mapping_and_of_the_ledger_are_known(ward: Ward) -> None:
    """A dead name, a closed port, a place that may not be called; each at the step where it fails."""
    closed = f"http://127.0.0.1:{free_port()}"
    (ward.folder / "control_the_payload_config.json").write_text(
        json.dumps([{"url": '"https://hooks.invalid/" + .context.runId'}, {"url": f'"{closed}/hook?token=abc"'}])
    )
    with redis.Redis.from_url(ward.redis.url) as client:
        client.zadd(Keys.of("org/org.agent").targets, {"http://169.254.169.254:80": 1.0})
    broken = of(ward.told("targets", code=1), "targets", "broken")

    assert 3 == len(broken)
    assert any("https://hooks.invalid:443 DNS: no such host" in text for text in broken)
    assert any(f"{closed} TCP: connection refused" in text for text in broken)
    assert any("169.254.169.254" in text and "WEBHOOK_ALLOW" in text for text in broken)


def test_wrong_usage_is_told_apart(ward: Ward) -> None:
    """With 2, as by every command."""
    assert 2 == ward.run("--url", "ftp://example").returncode
    assert 2 == ward.run("--only", "teeth").returncode
    assert {"mapping"} == {each["area"] for each in ward.told("mapping", code=0)}


class LateRedis(Relay):
    """Redis at `port`, whose TIME is `ahead_s` later."""

    def __init__(self, port: int, ahead_s: int) -> None:
        self._target = port
        self._ahead_s = ahead_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            while command := await reader.read(65_536):
                there.write(command)
                answer = await there_reader.read(65_536)
                if b"\r\nTIME\r\n" in command:
                    parts = answer.split(b"\r\n")  # an array of two texts, the first with the seconds
                    parts[2] = b"%d" % (int(parts[2]) + self._ahead_s)
                    answer = b"\r\n".join(parts)
                writer.write(answer)
        finally:
            there.close()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def serving(answer: Any) -> Iterator[str]:
    server = HttpServer("port")
    server.start()
    try:
        yield f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}"
    finally:
        server.stop()


@contextmanager
def tls_server(authority: Authority) -> Iterator[str]:
    """A server that finishes handshakes and sends nothing."""
    context = authority.context()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(sock, server_side=True) as wrapped:
                        wrapped.recv(1)
                except OSError:
                    pass  # it does not trust us, and says so

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_an_agent_that_polls_is_told_how_and_what_it_holds(ward: Ward) -> None:
    """No Kafka is asked for; what waits too long, and what no agent would acknowledge any more, is a warning."""
    polling = {"STREAMER_NAME": "POLLING", "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    told = ward.told("settings", "kafka", "polling", code=0, **polling)
    assert ["not used with STREAMER_NAME=POLLING | "] == of(told, "kafka", "ok")
    claims, held = of(told, "polling", "ok")
    assert "every 10 s, at most 100 at once" in claims
    assert "0 runs are held" in held

    with redis.Redis.from_url(ward.redis.url) as client:
        client.zadd(Keys.of("org/org.agent").acks, {"r_1": -100_000})
    (overdue,) = of(ward.told("polling", code=0, **polling), "polling", "warning")
    assert "1 runs are held" in overdue
    (left,) = of(ward.told("polling", code=0), "polling", "warning")
    assert "STREAMER_NAME=POLLING" in left
