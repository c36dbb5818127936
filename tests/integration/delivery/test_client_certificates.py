"""Targets that demand a certificate of the client, and those at which other CAs are trusted than elsewhere."""

import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from urllib3.util import wait_for_read

from config.host_table_files import follow_targets
from longshore.delivery import EgressPolicy, Verdict
from longshore.delivery.probe import Probe
from longshore.delivery.request_deadline import ConnectStage
from longshore.delivery.send import Sender
from longshore.delivery.target_options import TargetTable, parse_targets
from longshore.invocation.tls_section import TlsOptions
from longshore.log import events
from longshore.network.client_certificate import wants_client_certificate
from longshore.network.connections import HttpsPool
from longshore.network.pooled_request import send_request
from longshore.network.tls import Tls, create_context
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Talk, answering, refusing
from tests.support.posting import Post, make_sender
from tests.support.relays import ForwardProxy

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def greet(talk: Talk) -> None:
    """Answers each request with the name in the certificate of the client."""
    subject = dict(cast(Any, pair[0]) for pair in cast(ssl.SSLSocket, talk.sock).getpeercert()["subject"])  # type: ignore[index]
    name = subject["commonName"].encode()
    while talk.receive() is not None:
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))


def table(**sections: dict[str, Any]) -> TargetTable:
    """A targets file by host name."""
    return parse_targets(json.dumps({name: {"tls": tls} for name, tls in sections.items()}).encode())


def file_options(path: Path, **options: Any) -> TlsOptions:
    return TlsOptions(certificate=str(path), **options)


@pytest.fixture(params=[TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def target(authority: Authority, request: pytest.FixtureRequest) -> Iterator[HostileTarget]:
    """Demands certificates."""
    with HostileTarget(greet, authority.demanding_context(request.param)) as target:
        yield target


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    """A sender without a targets file that trusts the authority."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    sender = make_sender()
    yield sender
    sender.close()


def says(sender: Sender, target: HostileTarget, tls: TlsOptions | None = None) -> str:
    """Whom the target takes us for."""
    outcome = sender.send(Post(target.url(host="localhost")), tls=tls)
    assert outcome.response is not None, outcome.cause
    return outcome.response.text


def test_the_mappings_certificate_is_shown(trusting: Sender, target: HostileTarget, authority: Authority) -> None:
    assert "ann" == says(trusting, target, file_options(authority.issue("ann")))


def test_the_narrowest_pattern_of_the_file_counts_and_the_mapping_before_it(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    ann, bob, cid = (authority.issue(name) for name in ("ann", "bob", "cid"))
    targets = table(**{"*": {"certificate": str(ann)}, "localhost": {"certificate": str(bob)}})
    sender = make_sender(targets=lambda: targets)
    with HostileTarget(greet, authority.demanding_context()) as target:
        names = [says(sender, target), says(sender, target, file_options(cid)), says(sender, target)]
    sender.close()

    assert ["bob", "cid", "bob"] == names


def test_a_changed_file_counts_for_the_next_request(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is wrong, or names what cannot be used, is told and kept out."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    path = tmp_path / "targets.json"

    def write(certificate: Path | str, key: str = "certificate") -> None:
        (tmp_path / "new").write_text(json.dumps({"localhost": {"tls": {key: str(certificate)}}}))
        (tmp_path / "new").replace(path)

    write(authority.issue("ann"))
    sender = make_sender(targets=follow_targets(path, delivers=True))
    names = []
    with HostileTarget(greet, authority.demanding_context()) as target, structlog.testing.capture_logs() as lines:
        for change in (
            ("/missing",),
            (authority.issue("bob"), "certificat"),
            (authority.issue("bob"),),
        ):
            names.append(says(sender, target))
            write(*change)
        names.append(says(sender, target))
    sender.close()

    assert ["ann", "ann", "ann", "bob"] == names
    assert [events.TARGETS_FILE_REFUSED.name] * 2 == [line["event"] for line in lines]
    assert "/missing cannot be used" in lines[0]["problem"]
    assert "did you mean 'certificate'?" in lines[1]["problem"]


def test_connections_of_different_certificates_are_not_mixed(
    trusting: Sender, target: HostileTarget, authority: Authority
) -> None:
    """Each is kept, and carries only what shows its certificate."""
    ann, bob = file_options(authority.issue("ann")), file_options(authority.issue("bob"))

    assert ["ann", "bob", "ann", "bob"] == [says(trusting, target, tls) for tls in (ann, bob, ann, bob)]
    assert 2 == target.connections


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_without_a_certificate_the_remedy_is_named_and_nothing_was_processed(
    trusting: Sender, authority: Authority, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the refusal comes in place of an answer."""
    with HostileTarget(refusing(authority.demanding_context(version))) as target:
        outcome = trusting.send(Post(f"https://localhost:{target.port}/"))

    assert (Verdict.RETRY, version is TLS_1_3, "tls") == (outcome.verdict, outcome.sent, outcome.reason)
    assert (
        f"TLS: localhost:{target.port} wants a client certificate: name one for host localhost in TARGETS_FILE, "
        "or in the mapping"
    ) == outcome.cause


def test_the_refusal_is_read_where_the_request_cannot_be_written_any_more(authority: Authority) -> None:
    """It may have come, with the end of the connection, before we write."""

    class LatePool(HttpsPool):
        def _validate_conn(self, conn: Any) -> None:
            conn.connect()
            wait_for_read(conn.sock, timeout=30)

    with HostileTarget(answering(OK), authority.demanding_context()) as target:
        context = create_context(Tls(str(authority.bundle)))
        pool = LatePool("localhost", target.port, ssl_context=context)
        sent = send_request(pool, "POST", "/", {}, b"{}", 30)
        with pytest.raises(ssl.SSLError) as error:
            sent.receive(30)
        pool.close()

    assert wants_client_certificate(error.value)


def test_a_server_that_asks_for_it_in_http_is_understood(trusting: Sender, authority: Authority) -> None:
    """As nginx does."""
    text = b"<center>No required SSL certificate was sent</center>"
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
    with HostileTarget(answering(answer), authority.context()) as target:
        outcome = trusting.send(Post(target.url(host="localhost")))

    assert "http_400" == outcome.reason
    assert outcome.cause.endswith(
        "wants a client certificate: name one for host localhost in TARGETS_FILE, or in the mapping"
    )


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_a_certificate_that_is_not_accepted_is_named(
    trusting: Sender, authority: Authority, version: ssl.TLSVersion
) -> None:
    expired = authority.issue("ann", -2)
    with HostileTarget(refusing(authority.demanding_context(version))) as target:
        outcome = trusting.send(Post(f"https://localhost:{target.port}/"), tls=file_options(expired))

    assert (Verdict.RETRY, "tls") == (outcome.verdict, outcome.reason)
    assert f"does not accept the client certificate {expired}" in outcome.cause


def test_a_rotated_certificate_is_shown_by_new_connections(
    trusting: Sender, target: HostileTarget, authority: Authority, tmp_path: Path
) -> None:
    """As Kubernetes rotates: a link leads to another folder. What cannot be read leaves the one from before."""
    data = tmp_path / "..data"
    tls = file_options(tmp_path / "..data" / "tls.pem")

    def mount(name: str, content: bytes) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "tls.pem").write_bytes(content)
        (tmp_path / "new").symlink_to(tmp_path / name)
        os.replace(tmp_path / "new", data)

    mount("one", authority.issue("ann").read_bytes())
    names = [says(trusting, target, tls)]
    with structlog.testing.capture_logs() as lines:
        mount("two", b"-----BEGIN CERTIFICATE-----\n")
        names += [says(trusting, target, tls), says(trusting, target, tls)]
        mount("three", authority.issue("bob").read_bytes())
        names += [says(trusting, target, tls), says(trusting, target, tls)]

    assert ["ann", "ann", "ann", "bob", "bob"] == names
    assert 2 == target.connections
    assert [events.TLS_RELOAD_FAILED.name, events.TLS_RELOADED.name] == [line["event"] for line in lines]
    assert "there is no PEM certificate in" in lines[0]["problem"]


def test_a_key_may_be_encrypted_with_its_password_in_a_file(
    trusting: Sender, target: HostileTarget, authority: Authority, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("\N{BYTE ORDER MARK}hush\r\n")
    path = authority.issue("ann", password=b"hush")
    without = trusting.send(Post(target.url(host="localhost")), tls=file_options(path))

    assert "ann" == says(trusting, target, file_options(path, key_password_file=str(password)))
    assert (Verdict.RETRY, False, "tls") == (without.verdict, without.sent, without.reason)
    assert "is encrypted: name the file of its password in key_password_file" in without.cause


def test_the_ca_of_a_target_is_trusted_there_and_nowhere_else(authority: Authority, tmp_path: Path) -> None:
    """And at this target no other is."""
    other = Authority.create(tmp_path / "other")
    targets = table(
        localhost={"ca": str(authority.bundle), "certificate": str(authority.issue("ann"))},
        **{"127.0.0.1": {"ca": str(other.bundle), "certificate": str(authority.issue("ann"))}},
    )
    sender = make_sender(targets=lambda: targets)
    with HostileTarget(greet, authority.demanding_context()) as target:
        assert "ann" == says(sender, target)
        refused = sender.send(Post(target.url(host="127.0.0.1")))
    sender.close()

    assert "is not signed by a known CA" in refused.cause


@pytest.mark.parametrize(("setting", "option", "is_refused"), [(True, False, False), (False, True, True)])
def test_a_target_decides_for_itself_whether_it_is_checked(
    authority: Authority, setting: bool, option: bool, is_refused: bool
) -> None:
    """Against what WEBHOOK_VERIFY_SSL says of all."""
    sender = make_sender(verify=setting)
    with HostileTarget(greet, authority.demanding_context()) as target:
        outcome = sender.send(
            Post(target.url(host="localhost")), tls=file_options(authority.issue("ann"), verify=option)
        )
    sender.close()

    assert is_refused == (outcome.reason == "tls"), outcome.cause


def test_a_certificate_goes_through_a_proxys_tunnel(
    target: HostileTarget, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = (file_options(authority.issue(name), ca=str(authority.bundle)) for name in ("ann", "bob"))
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        sender = make_sender()
        names = [says(sender, target, tls) for tls in (ann, bob, ann)]
        sender.close()

    assert ["ann", "bob", "ann"] == names
    assert 2 == len(proxy.lines)


def test_a_probe_finds_out_that_a_certificate_is_wanted(
    target: HostileTarget, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the handshake of TLS 1.3 ends well on our side."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    probe = Probe(True, EgressPolicy())
    url = target.url(host="localhost")
    without, shown = probe.check(url, 10), probe.check(url, 10, file_options(authority.issue("ann")))
    probe.close()

    assert ("tls", True) == (without.reason, "wants a client certificate: name one" in without.cause)
    assert (ConnectStage.OPEN, "") == (shown.stage, shown.cause)


def test_a_probe_says_whether_a_certificate_was_checked(target: HostileTarget, authority: Authority) -> None:
    """By what holds for the target, whatever holds for others."""
    options = [
        file_options(authority.issue("ann"), **how) for how in ({"verify": False}, {"ca": str(authority.bundle)})
    ]
    probes = Probe(True, EgressPolicy()), Probe(False, EgressPolicy())
    results = [
        probe.check(target.url(host="localhost"), 10, tls).is_checked
        for probe, tls in zip(probes, options, strict=True)
    ]
    for probe in probes:
        probe.close()

    assert [False, True] == results


def test_the_mappings_certificate_is_not_shown_where_a_redirect_leads(trusting: Sender, authority: Authority) -> None:
    """It is for the place that the mapping names."""
    context = authority.demanding_context()
    with HostileTarget(refusing(context)) as elsewhere:
        answer = f"HTTP/1.1 307 There\r\nLocation: https://localhost:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"

        def redirect(talk: Talk) -> None:
            talk.receive()
            talk.send(answer.encode())

        with HostileTarget(redirect, context) as target:
            outcome = trusting.send(Post(target.url(host="localhost")), tls=file_options(authority.issue("ann")))

    assert f"TLS: localhost:{elsewhere.port} wants a client certificate: name one" in outcome.cause
