"""Certificates: who is trusted, and what is said when somebody is not."""

import ssl
from pathlib import Path

import pytest

from longshore.delivery import Fault, Verdict
from longshore.delivery.send import Sender
from longshore.network.tls import Tls, TlsContexts
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.posting import Post, make_sender


def test_a_certificate_of_an_unknown_ca_is_refused_with_the_remedy(sender: Sender, authority: Authority) -> None:
    """Nothing is sent to somebody who cannot be told from an impostor."""
    with HostileTarget(answering(OK), authority.context()) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.RETRY, False, "tls") == (outcome.verdict, outcome.sent, outcome.reason)
    assert Fault.CONNECTION is outcome.fault
    assert f"TLS: certificate of {target.address} is not signed by a known CA: mount" in outcome.cause
    assert "REQUESTS_CA_BUNDLE" in outcome.cause
    assert [] == target.received


def test_the_bundle_of_the_environment_is_trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private CA works with the check left on."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with HostileTarget(answering(OK), authority.context()) as target:
        outcome = make_sender().send(Post(target.url(host="localhost")))

    assert Verdict.DELIVERED is outcome.verdict


def test_checks_turned_off_stay_off_with_a_bundle_in_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`requests` lets REQUESTS_CA_BUNDLE overrule a session that does not verify; here it must not."""
    other = Authority.create(authority.folder.parent)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.bundle))
    with HostileTarget(answering(OK), authority.context()) as target:
        outcome = make_sender(verify=False).send(Post(target.url()))

    assert Verdict.DELIVERED is outcome.verdict


@pytest.mark.parametrize(
    ("name", "days", "words"), [("localhost", -2, "has expired"), ("elsewhere.invalid", 1, "is for another")]
)
def test_a_bad_certificate_is_called_by_its_fault(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str, days: int, words: str
) -> None:
    """Expired and misnamed certificates need other remedies than an unknown CA."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with HostileTarget(answering(OK), authority.context(name, days)) as target:
        outcome = make_sender().send(Post(target.url(host="localhost")))

    assert (Verdict.RETRY, False, "tls") == (outcome.verdict, outcome.sent, outcome.reason)
    assert f"certificate of localhost:{target.port} {words}" in outcome.cause


def test_a_missing_bundle_is_our_own_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Retried, because somebody will mount it; no target is to blame."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))

    outcome = make_sender().send(Post("https://localhost:1/"))

    assert (Verdict.RETRY, False, "tls", Fault.NONE) == (
        outcome.verdict,
        outcome.sent,
        outcome.reason,
        outcome.fault,
    )
    assert "gone.pem cannot be read" in outcome.cause


def test_a_bundle_that_changes_is_read_again(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A rotated CA needs no restart."""
    bundle = tmp_path / "bundle.pem"
    (tmp_path / "other").mkdir()
    bundle.write_bytes(Authority.create(tmp_path / "other").bundle.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    sender = make_sender()
    with HostileTarget(answering(OK), authority.context()) as target:
        before = sender.send(Post(target.url()))
        bundle.write_bytes(bundle.read_bytes() + authority.bundle.read_bytes())
        after = sender.send(Post(target.url()))

    assert ("tls", "delivered") == (before.reason, after.reason)


def test_plain_http_on_a_tls_port_is_recognised(sender: Sender) -> None:
    """The commonest slip in a URL gets the remedy."""

    def plain(talk: Talk) -> None:
        talk.sock.recv(10)
        talk.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with HostileTarget(plain) as target:
        outcome = sender.send(Post(target.url().replace("http:", "https:")))

    assert (Verdict.RETRY, False, "tls") == (outcome.verdict, outcome.sent, outcome.reason)
    assert "does the URL need http://" in outcome.cause


def test_a_target_that_hangs_up_in_the_handshake_got_nothing(sender: Sender) -> None:
    """Nothing of the request leaves before TLS stands."""
    with HostileTarget(lambda talk: talk.sock.recv(10)) as target:
        outcome = sender.send(Post(target.url().replace("http:", "https:")))

    assert (Verdict.RETRY, False, "tls") == (outcome.verdict, outcome.sent, outcome.reason)


def test_no_cipher_in_common_is_no_wanted_certificate(authority: Authority) -> None:
    """The other fault with that alert."""
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("PSK")
    with HostileTarget(answering(OK), context) as target:
        outcome = make_sender(verify=False).send(Post(target.url()))

    assert (Verdict.RETRY, "tls") == (outcome.verdict, outcome.reason)
    assert "certificate" not in outcome.cause


def test_http_to_a_port_that_speaks_tls_is_named(sender: Sender, authority: Authority) -> None:
    """OpenSSL hangs up without a word. What was lost without an answer stays unknown, but the likely slip is told."""
    with HostileTarget(answering(OK), authority.context()) as target:
        outcome = sender.send(Post(target.url().replace("https:", "http:")))

    assert (Verdict.UNKNOWN, "connection_lost") == (outcome.verdict, outcome.reason)
    assert "speaks TLS: does the URL need https:// instead of http://?" in outcome.cause


@pytest.mark.parametrize("alert", [b"\x15\x03\x01\x00\x02\x02\x0a", b"\x15\x03\x03\x00\x02\x02\x46"])
def test_an_alert_in_place_of_an_answer_is_a_request_that_nobody_saw(sender: Sender, alert: bytes) -> None:
    """It is safe to send it again."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(alert)
        talk.hang()

    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.RETRY, "tls") == (outcome.verdict, outcome.reason)
    assert "does the URL need https://" in outcome.cause


@pytest.mark.parametrize(
    "text",
    [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.",
        "Bad Request\r\nThis combination of host and port requires TLS.",
    ],
)
def test_a_tls_server_that_answers_in_plain_http_is_understood(sender: Sender, text: str) -> None:
    """As nginx, Go and Tomcat do."""
    answer = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    with HostileTarget(answering(answer)) as target:
        outcome = sender.send(Post(target.url()))

    assert "http_400" == outcome.reason
    assert "does the URL need https://" in outcome.cause


def test_a_tls_connection_is_kept(authority: Authority) -> None:
    """A handshake costs more than all the rest."""
    sender = make_sender(verify=False)
    with HostileTarget(answering(OK), authority.context()) as target:
        outcomes = [sender.send(Post(target.url())).verdict for _ in range(3)]

    assert ([Verdict.DELIVERED] * 3, 1) == (outcomes, target.connections)


def test_a_ca_without_the_extensions_that_newer_pythons_want_is_trusted(authority: Authority) -> None:
    """Many private CAs are so; Python 3.13 would refuse them where 3.11 did not."""
    context = TlsContexts().get(Tls(str(authority.bundle)))

    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
