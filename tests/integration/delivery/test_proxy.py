"""Proxies as `requests` understands the environment; what they do wrong is never the target's doing."""

import select
import socket
import ssl
from pathlib import Path

import pytest

from longshore.delivery import Fault, Verdict
from longshore.delivery.send import Sender
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Talk, answering, closed_port
from tests.support.posting import Post, make_sender


def tunnel(talk: Talk) -> None:
    """A proxy that connects whom it is asked to, whatever the name, to the same port on loopback."""
    request = talk.receive()
    if request is None:
        return
    port = int(request.line.split()[1].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as other:
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _join(talk.sock, other)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Until one side goes. In one thread: OpenSSL's connections are not for two at once."""
    drains = {one: other, other: one}
    while True:
        buffered = [source for source in drains if isinstance(source, ssl.SSLSocket) and source.pending()]
        for source in buffered or select.select([one, other], [], [])[0]:
            try:
                chunk = source.recv(65_536)
                drains[source].sendall(chunk)
            except OSError:
                return
            if not chunk:
                return


def test_a_plain_request_goes_to_the_proxy_with_its_whole_url(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """And `%2F` survives there too."""
    with HostileTarget(answering(OK)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        outcome = sender.send(Post("http://target.invalid:8080/a%2Fb", query=[("k", "v")]))

    assert Verdict.DELIVERED is outcome.verdict
    assert "POST http://target.invalid:8080/a%2Fb?k=v HTTP/1.1" == proxy.received[0].line


def test_a_tls_request_goes_through_a_tunnel(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy sees a name and a port, and the password meant for it; the target sees neither."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    sender = make_sender()
    with HostileTarget(answering(OK), authority.context()) as target, HostileTarget(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:s3cret@{proxy.address}")
        outcomes = [sender.send(Post(target.url(host="localhost"))) for _ in range(2)]
        sender.close()

    assert [Verdict.DELIVERED] * 2 == [outcome.verdict for outcome in outcomes]
    assert f"CONNECT localhost:{target.port}" in proxy.received[0].line
    assert proxy.received[0].header("Proxy-Authorization") is not None
    assert target.received[0].header("Proxy-Authorization") is None
    assert 1 == len(proxy.received)


def test_no_proxy_is_heeded(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address in NO_PROXY is called directly."""
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    with HostileTarget(answering(OK)) as target:
        outcome = sender.send(Post(target.url()))

    assert Verdict.DELIVERED is outcome.verdict


def test_the_proxys_password_does_not_follow_a_redirect_past_the_proxy(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only an entry with a port says that the next host is called directly."""
    with HostileTarget(answering(OK)) as target:
        again = b"HTTP/1.1 307 Again\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % target.url().encode()
        with HostileTarget(answering(again)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://ann:s3cret@{proxy.address}")
            monkeypatch.setenv("NO_PROXY", target.address)
            outcome = sender.send(Post("http://target.invalid/"))

    assert Verdict.DELIVERED is outcome.verdict
    assert proxy.received[0].header("Proxy-Authorization") is not None
    assert (1, None) == (len(proxy.received), target.received[0].header("Proxy-Authorization"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dead_proxy_sent_nothing(sender: Sender, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """It is the proxy that is named and at fault, not the target."""
    address = f"127.0.0.1:{closed_port()}"
    monkeypatch.setenv("ALL_PROXY", f"http://ann:s3cret@{address}")

    outcome = sender.send(Post(f"{scheme}://target.invalid/"))

    assert (Verdict.RETRY, False, "proxy") == (outcome.verdict, outcome.sent, outcome.reason)
    assert Fault.NONE is outcome.fault
    assert outcome.cause.startswith(f"through the proxy {address}: connection refused")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 token=hush\r\nContent-Length: 0\r\n\r\n", "user name and a password (407)"),
        (b"HTTP/1.1 503 token=hush\r\nContent-Length: 0\r\n\r\n", "refused to open the tunnel (503)"),
        (b"", "broke off while opening the tunnel"),
    ],
)
def test_a_refused_tunnel_sent_nothing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    """The CONNECT that asks for a tunnel is not the request."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(answer)

    with HostileTarget(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))
        outcome = sender.send(Post("https://target.invalid/"))

    assert (Verdict.RETRY, False, "proxy") == (outcome.verdict, outcome.sent, outcome.reason)
    assert words in outcome.cause
    assert "hush" not in outcome.cause


NTLM = "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("challenges", "helper"),
    [(NTLM, True), ('Proxy-Authenticate: Negotiate, Basic realm="NTLM, only"\r\n', False)],
)
def test_a_proxy_whose_logins_cannot_be_given_needs_a_helper(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, scheme: str, challenges: str, helper: bool
) -> None:
    """No user name in the proxy's URL would help."""
    refusal = f"HTTP/1.1 407 Proxy Authentication Required\r\n{challenges}Content-Length: 0\r\n\r\n"
    with HostileTarget(answering(refusal.encode())) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(""))
        outcome = sender.send(Post(f"{scheme}://target.invalid/"))

    assert (Verdict.RETRY, "proxy") == (outcome.verdict, outcome.reason)
    assert helper == ("offers only Negotiate, NTLM" in outcome.cause and "cntlm" in outcome.cause)
    assert helper != ("put them into the proxy's URL" in outcome.cause)


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"])
def test_an_interim_answer_opens_no_tunnel_and_refuses_none(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, interim: bytes
) -> None:
    """The proxy's final answer counts too."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(interim + b"HTTP/1.1 200 Connection established\r\n\r\n")
        talk.start_tls(authority.context("target.invalid"))
        answering(OK)(talk)

    sender = make_sender(verify=False)
    with HostileTarget(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))
        assert Verdict.DELIVERED is sender.send(Post("https://target.invalid/")).verdict
    sender.close()


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (502, "ERR_CONNECT_FAIL 111", Verdict.RETRY),
        (504, "ERR_CONNECT_FAIL 110", Verdict.RETRY),
        (503, "ERR_DNS_FAIL 0", Verdict.RETRY),
        (403, "ERR_ACCESS_DENIED 0", Verdict.RETRY),
        (504, "ERR_READ_TIMEOUT 0", Verdict.UNKNOWN),
        (502, "ERR_ZERO_SIZE_OBJECT 0", Verdict.UNKNOWN),
    ],
)
def test_what_a_proxy_could_not_pass_on_is_its_own_fault(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, status: int, code: str, verdict: Verdict
) -> None:
    """Unless the target may have had it. What the proxy writes is not repeated."""
    head = f"HTTP/1.1 {status} hush\r\nVia: 1.1 hush (squid/6.6)\r\nX-Squid-Error: {code}\r\n"
    with HostileTarget(answering(f"{head}Content-Length: 0\r\n\r\n".encode())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        outcome = sender.send(Post("http://target.invalid/"))

    assert verdict is outcome.verdict
    assert (verdict is Verdict.RETRY) == (outcome.reason == "proxy" and outcome.fault is Fault.NONE)
    assert "hush" not in outcome.cause


def test_a_gateway_behind_a_proxy_is_no_proxy(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's `Via` stands in every answer that it passes on."""
    answer = b"HTTP/1.1 502 Bad Gateway\r\nVia: 1.1 proxy (squid/6.6)\r\nContent-Length: 0\r\n\r\n"
    with HostileTarget(answering(answer)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        assert Verdict.UNKNOWN is sender.send(Post("http://target.invalid/")).verdict


def test_a_proxy_that_wants_a_password_is_not_the_target_refusing(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """407 from the proxy of a plain request is retried: somebody will give it one."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with HostileTarget(answering(refusal)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
        outcome = sender.send(Post("http://target.invalid/"))

    assert (Verdict.RETRY, "proxy") == (outcome.verdict, outcome.reason)


def test_an_untrusted_target_behind_a_proxy_is_the_targets_fault(
    sender: Sender, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy did its part; the certificate named is the target's."""
    with HostileTarget(answering(OK), authority.context()) as target, HostileTarget(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(""))
        outcome = sender.send(Post(target.url(host="localhost")))

    assert (Verdict.RETRY, False, "tls") == (outcome.verdict, outcome.sent, outcome.reason)
    assert f"certificate of localhost:{target.port} is not signed" in outcome.cause


def test_a_proxy_may_itself_speak_tls(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS to the proxy, and TLS to the target within it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    with (
        HostileTarget(answering(OK), authority.context()) as target,
        HostileTarget(tunnel, authority.context()) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url("", "localhost"))
        sender = make_sender()
        outcome = sender.send(Post(target.url(host="localhost")))
        sender.close()

    assert Verdict.DELIVERED is outcome.verdict, outcome.cause


def test_an_https_proxy_is_checked_anew_when_the_bundle_changes(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A CA that is mounted late holds for the proxy too."""
    (tmp_path / "other").mkdir()
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Authority.create(tmp_path / "other").bundle.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with HostileTarget(answering(OK), authority.context()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url("", "localhost"))
        sender = make_sender()
        before = sender.send(Post("http://target.invalid/"))
        bundle.write_bytes(bundle.read_bytes() + authority.bundle.read_bytes())
        after = sender.send(Post("http://target.invalid/"))
        sender.close()

    assert ("proxy", "delivered") == (before.reason, after.reason)


@pytest.mark.parametrize(
    "proxy",
    [
        "socks4://127.0.0.1:1",
        "http://",
        "gopher://127.0.0.1:1",
        "http://ann:hun[ter2@127.0.0.1:1",
        "http://ann:hun\u2100ter2@127.0.0.1:1",
        "http://ann:hun/ter2@127.0.0.1:1",
        "http://127.0.0.1:port",
    ],
)
def test_a_proxy_that_cannot_be_used_is_said_so(sender: Sender, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A setting to be mended, so it is retried."""
    monkeypatch.setenv("HTTP_PROXY", proxy)

    outcome = sender.send(Post("http://target.invalid/"))

    assert (Verdict.RETRY, False, "proxy") == (outcome.verdict, outcome.sent, outcome.reason)
    assert "the proxy set for target.invalid:80 cannot be used" in outcome.cause
    assert "ter2" not in outcome.cause


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_netrc_is_not_read(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, host: str
) -> None:
    """Credentials of the machine's user are not for webhooks, neither at first nor after a redirect, wherever to."""
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret\nmachine localhost login ann password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    def redirect(talk: Talk) -> None:
        while (request := talk.receive()) is not None:
            place = f"http://{host}:{talk.target.port}/b"
            answer = f"HTTP/1.1 307 On\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
            talk.send(answer if "/hook" in request.line else OK)

    with HostileTarget(redirect) as target:
        sender.send(Post(target.url()))

    assert [None, None] == [received.header("Authorization") for received in target.received]
