"""What the guides of Port's execution agent promise, row by row, with whole agents as processes.

`env.normal.NAME` of the chart is a variable here, a mounted file is a file below `LONGSHORE_CA_DIR`. Two agents with
different filters on one topic are in test_node_runs.py.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from longshore.log import events
from longshore.sandbox.embedded_kafka import EmbeddedKafka
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.fake_targets import FakeTargets
from longshore.sandbox.publisher import RecordPublisher, action_run, as_text, gitlab_run
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, answering, closed_port
from tests.support.programs import SETTINGS, Program, eventually
from tests.support.relays import ForwardProxy, TlsFront
from tests.support.warm import longshore
from tests.support.whole_agent import start_agent

SECRET = SETTINGS["PORT_CLIENT_SECRET"]

CREATED = {"id": 987, "web_url": "https://gitlab.acme.io/platform/tools/billing/-/pipelines/987"}
"""What GitLab answers when it has started a pipeline."""


class Site:
    """An installation: Kafka, Port, a folder for certificates, and an agent to be started."""

    def __init__(self, kafka: EmbeddedKafka, port: FakePort, folder: Path) -> None:
        self.kafka, self.port, self.folder = kafka, port, folder
        self.mounted = folder / "usr-local-share-ca-certificates"
        self.mounted.mkdir()
        self.programs: list[Program] = []

    def start(self, mapping: Any = None, **environ: str) -> Program:
        """An agent with these variables."""
        places = {"LONGSHORE_CA_DIR": str(self.mounted), "LONGSHORE_CA_BUNDLE": str(self.folder / "bundle" / "all.crt")}
        program = start_agent(self.folder / "app", self.kafka, self.port, mapping, **{**places, **environ})
        self.programs.append(program)
        return program

    def call(self, run_id: str, url: str) -> None:
        """Publish a synchronous run for `url`."""
        self.publish(run_id, action_run(run_id, url, synchronized=True))

    def publish(self, run_id: str, message: dict[str, Any]) -> None:
        """Publish a message, signed."""
        RecordPublisher(self.kafka, SETTINGS["PORT_ORG_ID"]).run(as_text(message, SECRET), run_id)

    def ends(self, run_id: str, state: str) -> None:
        """Wait until Port has the end of a run, which must be this one."""
        eventually(lambda: run_id in self.port.runs and self.port.runs[run_id].ended, f"an end of {run_id}")
        assert state == self.port.runs[run_id].state, self.port.runs[run_id].logs


@pytest.fixture
def site(kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Site]:
    """An installation without an agent yet."""
    with FakePort() as port:
        site = Site(kafka, port, tmp_path)
        yield site
        for program in site.programs:
            program.close()


@pytest.fixture(scope="session")
def make_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Authority]:
    """Makes private CAs."""
    return lambda: Authority.create(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def authority(make_authority: Callable[[], Authority]) -> Authority:
    """The company's CA."""
    return make_authority()


@pytest.fixture
def target(authority: Authority) -> Iterator[HostileTarget]:
    """A target with a certificate of the company's CA."""
    with HostileTarget(answering(OK), authority.context()) as target:
        yield target


def test_a_variable_reaches_every_process_and_the_mapping(site: Site) -> None:
    """`--set env.normal.NAME=VALUE`, or `env: normal:` in values."""
    with FakeTargets() as targets:
        mapping = [{"enabled": True, "headers": {"X-Team": "env.TEAM_NAME"}}]
        agent = site.start(mapping, TEAM_NAME="Größe = 1, a:b")
        children = psutil.Process(agent.process.pid).children(recursive=True)
        named = {name for child in children if (name := part_of(child)) is not None}
        site.call("r_1", targets.url("good"))
        site.ends("r_1", "SUCCESS")

        assert {"ingest", "worker"} <= named
        assert "Größe = 1, a:b" == targets.received("r_1")[0].headers["x-team"]


def part_of(process: psutil.Process) -> str | None:
    """Which program of ours a process is, if it has the variable."""
    words = process.cmdline()
    if "longshore.cli.program" not in words or "Größe = 1, a:b" != process.environ().get("TEAM_NAME"):
        return None
    return words[words.index("longshore.cli.program") + 1]


@pytest.mark.parametrize("names", [("HTTP_PROXY", "HTTPS_PROXY"), ("ALL_PROXY",)])
def test_all_http_goes_through_the_proxy(
    site: Site, authority: Authority, target: HostileTarget, names: tuple[str, ...]
) -> None:
    """Port and webhooks; https by CONNECT. The bundled Redis and Kafka are not called through it."""
    (site.mounted / "cert.crt").write_text(authority.bundle.read_text())
    with ForwardProxy("ann", "s3cret") as proxy, FakeTargets() as targets:
        site.start(**dict.fromkeys(names, f"http://ann:s3cret@{proxy.address}"))
        site.call("r_plain", targets.url("good"))
        site.call("r_tls", target.url(host="localhost"))
        site.ends("r_plain", "SUCCESS")
        site.ends("r_tls", "SUCCESS")

        assert proxy.saw(f"POST {targets.url('good')} ")
        assert proxy.saw(f"CONNECT localhost:{target.port} ")
        assert proxy.saw(f"{site.port.url}/v1/auth/access_token ")
        others = [
            line for line in proxy.lines if not any(each in line for each in (targets.url("good"), site.port.url))
        ]
        assert {f"CONNECT localhost:{target.port}"} == {line.rpartition(" ")[0] for line in others}


def test_entries_of_no_proxy_may_be_urls(site: Site) -> None:
    """`NO_PROXY=http://127.0.0.1,google.com`: the first one holds for every port of 127.0.0.1."""
    with ForwardProxy() as proxy, FakeTargets() as targets:
        site.start(ALL_PROXY=proxy.url, NO_PROXY="http://127.0.0.1,google.com")
        site.call("r_1", targets.url("good"))
        site.ends("r_1", "SUCCESS")
        assert [] == proxy.lines

        site.call("r_2", targets.url("good").replace("127.0.0.1", "localhost"))
        site.ends("r_2", "SUCCESS")
        assert proxy.saw("POST http://localhost:")


@pytest.mark.parametrize("text", [str.strip, lambda pem: pem.strip() + "\n"], ids=["no newline", "newline"])
def test_a_self_signed_certificate_is_trusted(
    site: Site, authority: Authority, target: HostileTarget, text: Callable[[str], str]
) -> None:
    """By `--set`, `--set-file` or values, with the check on; public CAs are trusted all the same."""
    (site.mounted / "cert.crt").write_text(text(authority.bundle.read_text()))
    agent = site.start(WEBHOOK_VERIFY_SSL="true")
    site.call("r_1", target.url(host="localhost"))
    site.ends("r_1", "SUCCESS")

    assert (site.folder / "bundle" / "all.crt").read_text().count("BEGIN CERTIFICATE") > 50
    children = psutil.Process(agent.process.pid).children()
    children = [child for child in children if "longshore.cli.program" in child.cmdline()]
    assert len(children) == 2
    for child in children:
        exported = {child.environ()[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
        assert {str(site.folder / "bundle" / "all.crt")} == exported


def test_extra_certificates_are_trusted_with_the_first_one(site: Site, make_authority: Callable[[], Authority]) -> None:
    """One as a file of a Secret, one as another file, two more by a folder as Kubernetes mounts it."""
    authorities = [make_authority() for _ in range(4)]
    texts = [each.bundle.read_text().strip() for each in authorities]
    (site.mounted / "cert.crt").write_text(texts[0])
    (site.mounted / "extra.crt").write_text(texts[1])
    data = site.mounted / "team" / "..2026_08_01_10_00_00.1"
    data.mkdir(parents=True)
    (data / "a.crt").write_text(texts[2])
    (data / "b.cer").write_text(texts[3])
    (site.mounted / "team" / "..data").symlink_to(data.name)
    for name in ("a.crt", "b.cer"):
        (site.mounted / "team" / name).symlink_to(f"..data/{name}")
    site.start()

    for number, authority in enumerate(authorities):
        with HostileTarget(answering(OK), authority.context()) as target:
            site.call(f"r_{number}", target.url(host="localhost"))
            site.ends(f"r_{number}", "SUCCESS")


def test_a_users_own_bundle_is_the_only_one(
    site: Site, authority: Authority, target: HostileTarget, make_authority: Callable[[], Authority]
) -> None:
    """`REQUESTS_CA_BUNDLE=/path/to/cacert.pem`, for webhooks and Port: what is mounted besides does not count."""
    other = make_authority()
    (site.mounted / "cert.crt").write_text(other.bundle.read_text())
    with (
        TlsFront(authority.context(), int(site.port.url.rpartition(":")[2])) as port,
        HostileTarget(answering(OK), other.context()) as stranger,
    ):
        own = {"REQUESTS_CA_BUNDLE": str(authority.bundle), "PORT_API_BASE_URL": f"https://localhost:{port.port}"}
        site.start(**own)
        site.call("r_1", target.url(host="localhost"))
        site.ends("r_1", "SUCCESS")
        site.call("r_2", stranger.url(host="localhost"))
        site.ends("r_2", "FAILURE")
        assert not stranger.received
        assert port.trusted


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_users_bundle_that_is_none_stops_the_start(tmp_path: Path, content: str | None) -> None:
    """With exit code 78 and the name of the variable and of the file."""
    if content is not None:
        (tmp_path / "cacert.pem").write_text(content)
    done = longshore("run", folder=tmp_path, **SETTINGS, REQUESTS_CA_BUNDLE=str(tmp_path / "cacert.pem"))

    assert 78 == done.returncode
    assert "REQUESTS_CA_BUNDLE: " in done.stderr
    assert "cacert.pem" in done.stderr
    assert events.CHILD_STARTED.name not in done.stderr


@pytest.mark.parametrize("own", [False, True], ids=["assembled bundle", "own bundle"])
def test_unchecked_webhooks_reach_any_target_and_port_is_still_checked(
    site: Site, authority: Authority, target: HostileTarget, make_authority: Callable[[], Authority], own: bool
) -> None:
    """`WEBHOOK_VERIFY_SSL=false`, although REQUESTS_CA_BUNDLE is exported, by us or by the user."""
    stranger = make_authority()
    front = int(site.port.url.rpartition(":")[2])
    environ = {"WEBHOOK_VERIFY_SSL": "false"} | ({"REQUESTS_CA_BUNDLE": str(stranger.bundle)} if own else {})
    with TlsFront(authority.context(), front) as untrusted:
        agent = site.start(**environ, PORT_API_BASE_URL=f"https://localhost:{untrusted.port}")
        site.call("r_1", target.url(host="localhost"))
        eventually(lambda: target.received, "the webhook")
        eventually(lambda: "its certificate is not accepted" in agent.log(), "Port's certificate is refused")
        assert (0, []) == (untrusted.trusted, site.port.calls)


def test_a_mapping_from_values_is_the_file_that_set_file_gives(site: Site) -> None:
    """Argo CD's `controlThePayloadConfig: |` keeps the line breaks and adds one at the end."""
    app = site.folder / "app"
    app.mkdir()
    text = '[\n  {\n    "enabled": true,\n    "body": {"only": ".context.runId"}\n  }\n]\n\n'
    (app / "control_the_payload_config.json").write_text(text)
    with FakeTargets() as targets:
        site.start()
        site.call("r_1", targets.url("good"))
        site.ends("r_1", "SUCCESS")

        assert {"only": "r_1"} == json.loads(targets.received("r_1")[0].body)


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "by proxy"])
def test_a_self_hosted_gitlab_with_a_private_ca_starts_its_pipeline(
    site: Site, authority: Authority, proxied: bool
) -> None:
    """The encoded slashes survive on the wire, and Port gets link and id; the pipeline itself reports the status."""
    (site.mounted / "cert.crt").write_text(authority.bundle.read_text().strip())
    body = json.dumps(CREATED).encode()
    created = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    name = "gitlab.acme.io" if proxied else "localhost"
    with (
        HostileTarget(answering(created), authority.context(name)) as gitlab,
        ForwardProxy(hosts={"gitlab.acme.io:443": gitlab.port}) as proxy,
    ):
        address = "https://gitlab.acme.io/" if proxied else f"https://localhost:{gitlab.port}/"
        ways = {
            "HTTPS_PROXY": proxy.url if proxied else f"http://127.0.0.1:{closed_port()}",
            "NO_PROXY": "http://localhost",
        }
        site.start(GITLAB_URL=address, platform_tools_billing="glptt-TEST", **ways)
        site.publish("r_gL1", gitlab_run("r_gL1", "platform/tools", "billing"))
        eventually(lambda: "r_gL1" in site.port.runs and site.port.runs["r_gL1"].link, "the link at Port")

        (received,) = gitlab.received
        assert ([f"CONNECT {name}:443"] if proxied else []) == [line.rpartition(" ")[0] for line in proxy.lines]
    assert "POST /api/v4/projects/platform%2Ftools%2Fbilling/trigger/pipeline HTTP/1.1" == received.line
    sent = json.loads(received.body)
    assert ("main", "glptt-TEST") == (sent["ref"], sent["token"])
    assert {"env": "staging", "replicas": "3"} == sent["variables"]
    assert "r_gL1" == sent["port_payload"]["context"]["runId"]
    run = site.port.runs["r_gL1"]
    assert (CREATED["web_url"], "987", "IN_PROGRESS") == (run.link, run.external_run_id, run.state)
    assert not site.port.violations
