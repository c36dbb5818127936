"""A worker as a process among proxies, private CAs and certificates that change; Kafka and `longshore ca show` too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.log import events
from longshore.runtime.embedded_redis import EmbeddedRedis
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, answering, closed_port
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.relays import ForwardProxy, TlsFront
from tests.support.warm import longshore

from .conftest import Bench


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private CA that nobody trusts unless a test says so."""
    return Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def target(authority: Authority) -> Iterator[HostileTarget]:
    """A target with a certificate of that CA."""
    with HostileTarget(answering(OK), authority.context()) as target:
        yield target


def mounted(bench: Bench) -> Path:
    """The folder for certificates, made."""
    folder = bench.folder / "ca-certificates"
    folder.mkdir(exist_ok=True)
    return folder


def told(bench: Bench, id: str) -> bool:
    """Whether Port has the end of a synchronous run."""
    run: Any = bench.port.runs.get(id)
    return run is not None and run.state in ("SUCCESS", "FAILURE")


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
def test_plain_calls_to_targets_and_port_go_through_the_proxy_and_redis_does_not(bench: Bench, name: str) -> None:
    """With a password for the proxy that the target never sees. In capitals: test_documented_configurations.py."""
    with ForwardProxy("ann", "p@ss word") as proxy:
        bench.worker(**{name: f"http://ann:p%40ss%20word@{proxy.address}"})
        bench.accept("r_1", "good", synchronized=True)
        bench.ends("r_1", "done", "delivered")
        eventually(lambda: told(bench, "r_1"), "the end at Port")

        assert proxy.saw(f"POST {bench.targets.url('good')} ")
        assert proxy.saw(f"{bench.port.url}/v1/actions/runs/r_1")
        assert not proxy.saw(bench.redis.url.rpartition(":")[2].partition("/")[0] + " ")
        assert 0 == proxy.refusals
    (received,) = bench.targets.received("r_1")
    assert "proxy-authorization" not in received.headers


def test_tls_calls_go_through_a_tunnel(bench: Bench, authority: Authority, target: HostileTarget) -> None:
    """The proxy sees host and port alone; the certificate that is checked is the target's."""
    (mounted(bench) / "ca.crt").write_text(authority.bundle.read_text())
    with ForwardProxy("ann", "s3cret") as proxy:
        port = f"{bench.port.url},127.0.0.1:1"
        bench.worker(https_proxy=f"http://ann:s3cret@{proxy.address}", NO_PROXY=port)
        bench.accept("r_1", target.url(host="localhost"))
        bench.ends("r_1", "done", "delivered")

        assert [f"CONNECT localhost:{target.port}"] == [line.rpartition(" ")[0] for line in proxy.lines]
        assert not proxy.saw("/v1/")
    assert target.received[0].header("Proxy-Authorization") is None


def test_a_proxy_that_is_down_is_named_and_port_hears_of_it(bench: Bench) -> None:
    """Not the target: nothing was sent, so it is tried again."""
    address = f"127.0.0.1:{closed_port()}"
    worker = bench.worker(ALL_PROXY=f"http://ann:hush-hush@{address}", NO_PROXY=bench.port.url)
    bench.accept("r_1", "good", synchronized=True)
    bench.ends("r_1", "dead", "proxy")
    eventually(lambda: told(bench, "r_1"), "the end at Port")

    assert "4" == bench.record("r_1")["attempts"]
    eventually(lambda: f"through the proxy {address}: connection refused" in worker.log(), "the log names it")
    assert "hush-hush" not in worker.log()
    assert address in json.dumps([call.body for call in bench.port.calls])
    assert "hush-hush" not in json.dumps([call.body for call in bench.port.calls])
    assert not bench.targets.received("r_1")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_named(bench: Bench, scheme: str) -> None:
    """With the remedy; for plain calls and tunnels alike."""
    with ForwardProxy("ann", "s3cret") as proxy:
        worker = bench.worker(ALL_PROXY=proxy.url, NO_PROXY=bench.port.url)
        bench.accept("r_1", f"{scheme}://target.invalid/")
        bench.ends("r_1", "dead", "proxy")

        assert [] == proxy.lines
        eventually(lambda: "wants a user name and a password (407)" in worker.log(), "the log has the remedy")


def test_a_proxy_in_front_of_port_that_is_down_loses_no_report(bench: Bench) -> None:
    """The delivery goes past it by NO_PROXY; the report waits and names the proxy."""
    address = f"127.0.0.1:{closed_port()}"
    worker = bench.worker(HTTP_PROXY=f"http://ann:hush-hush@{address}", NO_PROXY=bench.targets.origin("good"))
    bench.accept("r_1", "good", synchronized=True)
    bench.ends("r_1", "done", "delivered")
    eventually(lambda: "the proxy does not answer" in worker.log(), "the proxy is named")
    assert "hush-hush" not in worker.log()
    assert not bench.port.calls
    worker.stop()

    bench.environ.pop("HTTP_PROXY")
    bench.worker()
    eventually(lambda: told(bench, "r_1"), "the end at Port")


def test_netrc_stays_at_home(bench: Bench) -> None:
    """Neither webhooks nor Port get its credentials."""
    netrc = bench.folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret\n")
    netrc.chmod(0o600)
    bench.worker(NETRC=str(netrc))
    bench.accept("r_1", "good", synchronized=True)
    eventually(lambda: told(bench, "r_1"), "the end at Port")

    assert "authorization" not in bench.targets.received("r_1")[0].headers
    assert {200, 201} >= {call.status for call in bench.port.calls}


def test_a_certificate_that_is_mounted_while_a_worker_runs_is_trusted(
    bench: Bench, authority: Authority, target: HostileTarget
) -> None:
    """No restart: what failed for want of it is delivered by its next attempt."""
    folder = mounted(bench)
    worker = bench.worker(LONGSHORE_CA_CHECK_S="0.1", RETRY_MAX_ATTEMPTS="1000", RETRY_MAX_S="0.5")
    bench.accept("r_1", target.url())
    worker.says("is not signed by a known CA")
    assert not target.received

    (folder / "ca.crt").write_text(authority.bundle.read_text())
    bench.ends("r_1", "done", "delivered")


def test_certificates_are_not_checked_for_webhooks_alone(
    bench: Bench, authority: Authority, target: HostileTarget
) -> None:
    """WEBHOOK_VERIFY_SSL=false reaches any target although a bundle is exported; Port is still checked."""
    with TlsFront(authority.context(), int(bench.port.url.rpartition(":")[2])) as port:
        worker = bench.worker(WEBHOOK_VERIFY_SSL="false", PORT_API_BASE_URL=f"https://localhost:{port.port}")
        bench.accept("r_1", target.url(), synchronized=True)
        bench.ends("r_1", "done", "delivered")
        eventually(lambda: "its certificate is not accepted" in worker.log(), "Port's certificate is refused")
        assert 0 == port.trusted
        assert not bench.port.calls
        worker.stop()

        (mounted(bench) / "ca.crt").write_text(authority.bundle.read_text())
        bench.worker()
        eventually(lambda: told(bench, "r_1"), "the end at Port")
        assert port.trusted


def test_kafka_is_reached_over_tls_with_a_mounted_ca(bench: Bench, authority: Authority, kafka: EmbeddedKafka) -> None:
    """Also if it is mounted late. The bundle in effect for OpenSSL is librdkafka's; a user's SSL_CERT_FILE wins."""
    folder = mounted(bench)
    with TlsFront(authority.context(), int(kafka.bootstrap.rpartition(":")[2])) as broker:
        over_tls = {
            "KAFKA_CONSUMER_BOOTSTRAP_SERVERS": f"localhost:{broker.port}",
            "KAFKA_CONSUMER_SECURITY_PROTOCOL": "SSL",
        }
        ingest = Program("ingest", folder=bench.folder, **{**bench.environ, **over_tls, "LONGSHORE_CA_CHECK_S": "0.1"})
        bench.programs.append(ingest)
        ingest.says("kafka.")
        assert 0 == broker.trusted

        (folder / "ca.crt").write_text(authority.bundle.read_text().rstrip())
        eventually(lambda: broker.trusted, "Kafka is asked over TLS")
        assert 0 == ingest.stop()

        before = broker.trusted
        system = bench.folder / "other.pem"
        (bench.folder / "other").mkdir()
        system.write_bytes(Authority.create(bench.folder / "other").bundle.read_bytes())
        ingest = Program("ingest", folder=bench.folder, **{**bench.environ, **over_tls, "SSL_CERT_FILE": str(system)})
        bench.programs.append(ingest)
        ingest.says("kafka.")
        assert before == broker.trusted
        assert 0 == ingest.stop()


def test_ca_show_tells_what_is_trusted_and_what_not(bench: Bench, authority: Authority) -> None:
    """With the reason for each file; no credentials are needed for it."""
    folder = mounted(bench)
    (folder / "good.crt").write_text(authority.bundle.read_text())
    (folder / "again.pem").write_text(authority.bundle.read_text())
    (folder / "broken.cer").write_text("hello")
    environ = {name: bench.environ[name] for name in ("LONGSHORE_CA_DIR", "LONGSHORE_CA_BUNDLE")}
    done = longshore("ca", "show", "--json", folder=bench.folder, **environ, KAFKA_CONSUMER_SECURITY_PROTOCOL="ssl")
    shown = json.loads(done.stdout)

    files = {Path(each["path"]).name: each for each in shown["files"]}
    assert 0 == done.returncode
    assert ["CN=Test CA"] == [each["subject"] for each in files["again.pem"]["certificates"]]
    assert ["neither PEM nor a DER certificate"] == files["broken.cer"]["skipped"]
    assert files["good.crt"]["skipped"][0].startswith("in the bundle already, from ")
    assert shown["bundle"]["certificates"] == shown["system"]["certificates"] + 1
    assert shown["bundle"]["state"].startswith("not written")
    assert {environ["LONGSHORE_CA_BUNDLE"]} == {use["bundle"] for use in shown["in_effect"].values()}
    assert not Path(environ["LONGSHORE_CA_BUNDLE"]).exists()

    text = longshore("ca", "show", folder=bench.folder, **environ, WEBHOOK_VERIFY_SSL="false").stdout
    assert "broken.cer: neither PEM nor a DER certificate" in text
    assert "WEBHOOK_VERIFY_SSL=false" in text


def test_ca_show_says_which_bundle_cannot_be_used(tmp_path: Path) -> None:
    """With the exit code of wrong settings, and still with all the rest."""
    done = longshore("ca", "show", folder=tmp_path, REQUESTS_CA_BUNDLE="gone.pem", LONGSHORE_CA_DIR=str(tmp_path))

    assert 78 == done.returncode
    assert 'REQUESTS_CA_BUNDLE: "gone.pem" is no readable file' in done.stderr
    assert "Bundle: " in done.stdout


def test_a_bundle_that_cannot_be_written_stops_nothing(bench: Bench) -> None:
    """It is said, and the worker works."""
    (bench.folder / "bundle").write_text("in the way")
    worker = bench.worker()
    bench.accept("r_1", "good")
    bench.ends("r_1", "done", "delivered")

    assert events.CA_BUNDLE_WRITE_FAILED.name in worker.log()


def test_programs_that_start_at_once_share_one_bundle(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """Each writes it whole or not at all; nothing is left beside it."""
    bundle = tmp_path / "bundle" / "ca-certificates.crt"
    environ = SETTINGS | {"REDIS_URL": redis_server.url, "LONGSHORE_CA_BUNDLE": str(bundle)}
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    workers = [Program("worker", folder=folder, **environ) for folder in folders]
    try:
        for worker in workers:
            worker.says(events.WORKER_READY.name)
    finally:
        for worker in workers:
            worker.close()

    assert [bundle] == list(bundle.parent.iterdir())
    assert 0o644 == bundle.stat().st_mode & 0o777
