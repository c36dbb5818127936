"""The client against the fake Port: tokens, refusals, pauses, connections, secrets."""

import gzip
import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests

from longshore.errors import PortRefused, PortUnavailable
from longshore.port import PortClient
from longshore.port.size_limits import encode_json
from longshore.sandbox.fake_port import FakePort
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from tests.support.certificates import Authority
from tests.support.hostile import FullPort, HostileTarget, Talk, answering, closed_port
from tests.support.line import Line
from tests.support.port_clock import Clock

ID, SECRET = "demo-client", "demo-client-secret-0123456789"
LOG = ("POST", "/v1/actions/runs/r_1/logs", {"message": "hello"})


@pytest.fixture
def port() -> Iterator[FakePort]:
    """A fake Port that knows one client."""
    with FakePort(client_id=ID, client_secret=SECRET, kafka_password="kafka-secret") as fake:
        yield fake
        assert [] == fake.violations


@pytest.fixture
def client(port: FakePort) -> Iterator[PortClient]:
    """Its client."""
    made = PortClient(port.url, ID, SECRET)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    """A server for answers that the fake Port does not give."""
    made = HttpServer("test-server")
    made.start()
    yield made
    made.stop()


def test_many_calls_take_one_token(port: FakePort, client: PortClient) -> None:
    """The original asked for a token before each call."""
    for _ in range(5):
        assert 201 == client.call(*LOG).status

    assert {"token": 1, "run_log": 5} == port.counts


def test_concurrent_calls_take_one_token_too(port: FakePort, client: PortClient) -> None:
    """The others wait for the one that asks."""
    threads = [threading.Thread(target=client.call, args=LOG) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {"token": 1, "run_log": 30} == port.counts


def test_a_revoked_token_is_renewed_within_the_call(port: FakePort, client: PortClient) -> None:
    """The caller does not notice a rotation."""
    client.call(*LOG)
    port.revoke_tokens()
    client.call(*LOG)

    assert [201, 401, 201] == [call.status for call in port.calls if call.name == "run_log"]
    assert 2 == port.counts["token"]


@pytest.mark.parametrize("life", ["NaN", "1e999", "-1", "1" * 400, "null", '"long"', "true"])
def test_a_life_that_is_none_costs_no_token_for_each_call(server: HttpServer, life: str) -> None:
    """A token then lives as long as Port says that they do."""
    received_requests: list[str] = []

    def answer(request: Request) -> HttpAnswer:
        received_requests.append(request.path)
        return HttpAnswer(200, f'{{"accessToken":"t","expiresIn":{life}}}'.encode())

    client = PortClient(f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}", ID, SECRET)
    for _ in range(3):
        client.call(*LOG)
    client.close()

    assert 1 == received_requests.count("/v1/auth/access_token")


def test_a_port_that_refuses_fresh_tokens_is_left_alone(server: HttpServer) -> None:
    """One renewal, then a wait: token calls are the scarce ones."""
    received_requests: list[str] = []

    def answer(request: Request) -> HttpAnswer:
        received_requests.append(request.path)
        return HttpAnswer(200, b'{"accessToken":"t"}') if request.path == "/v1/auth/access_token" else HttpAnswer(401)

    client = PortClient(f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}", ID, SECRET, clock=Clock())
    for _ in range(5):
        with pytest.raises(PortUnavailable, match="refuses the tokens") as caught:
            client.call(*LOG)
        assert 1 == caught.value.retry_after_s

    assert ["/v1/auth/access_token", LOG[1]] * 2 == received_requests
    client.close()


def test_wrong_credentials_say_what_to_check_and_may_be_right_later(port: FakePort) -> None:
    """A rotation may be under way; the error names the variables and no secret."""
    client = PortClient(port.url, ID, "wrong-secret")
    with pytest.raises(PortUnavailable) as caught:
        client.call(*LOG)

    assert "PORT_CLIENT_SECRET" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)


def test_what_is_wrong_for_good_is_refused(client: PortClient, port: FakePort) -> None:
    """A call that Port will never take is told apart from one that it cannot take now."""
    client.call(*LOG)
    port.fail_next(1, 422)
    with pytest.raises(PortRefused) as caught:
        client.call(*LOG)

    assert (422, "injected") == (caught.value.status, caught.value.code)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(caught.value) == str(copy)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_passes_is_unavailable(client: PortClient, port: FakePort, status: int) -> None:
    """The outbox comes back later; the next call goes through."""
    client.call(*LOG)
    port.fail_next(1, status)
    with pytest.raises(PortUnavailable) as caught:
        client.call(*LOG)

    assert caught.value.retry_after_s is None
    client.call(*LOG)


def test_a_wait_that_port_asks_for_holds_for_all_calls(port: FakePort) -> None:
    """Asking sooner would only prolong it; no call leaves until it is over."""
    clock = Clock()
    client = PortClient(port.url, ID, SECRET, clock=clock)
    client.call(*LOG)
    port.fail_next(1, 429, (("x-ratelimit-reset", "20"),))
    with pytest.raises(PortUnavailable) as caught:
        client.call(*LOG)
    assert 20 == caught.value.retry_after_s
    with pytest.raises(PortUnavailable):
        client.call(*LOG)
    assert 2 == port.counts["run_log"]

    clock.now += 20.1
    client.call(*LOG)
    client.close()


def test_a_port_that_is_down_is_unavailable_and_comes_back(port: FakePort, client: PortClient) -> None:
    """Nobody restarts anything."""
    client.call(*LOG)
    port.down()
    with pytest.raises(PortUnavailable, match="no connection"):
        client.call(*LOG)
    port.up()
    client.call(*LOG)


def test_a_port_that_is_silent_is_given_up(server: HttpServer) -> None:
    """The original waited for ever."""
    port = server.listen("127.0.0.1", 0, lambda request: None)
    client = PortClient(f"http://127.0.0.1:{port}", ID, SECRET, read_timeout_s=0.05)

    with pytest.raises(PortUnavailable, match="no whole answer"):
        client.call(*LOG)
    client.close()


def test_a_reply_that_drips_is_given_up(server: HttpServer) -> None:
    """Each byte comes in time, the whole never does."""
    port = server.listen("127.0.0.1", 0, lambda request: HttpAnswer(200, b" " * 10_000, drip_s=0.01))
    client = PortClient(f"http://127.0.0.1:{port}", ID, SECRET, read_timeout_s=0.05)

    with pytest.raises(PortUnavailable, match="no whole answer"):
        client.call(*LOG)
    client.close()


@pytest.mark.parametrize("place", ["/elsewhere", "http://ann:hun[ter2@a/", "http://[", "//a:port/"])
def test_a_redirect_is_not_followed(server: HttpServer, place: str) -> None:
    """It would turn a report into a GET, and carry the token to another host."""
    received_requests: list[Request] = []

    def answer(request: Request) -> HttpAnswer:
        received_requests.append(request)
        return HttpAnswer(302, headers=(("Location", place),))

    client = PortClient(f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}", ID, SECRET)
    with pytest.raises(PortUnavailable, match="PORT_API_BASE_URL"):
        client.call(*LOG)

    assert ["/v1/auth/access_token"] == [request.path for request in received_requests]
    client.close()


def test_requests_are_ports_agents(server: HttpServer) -> None:
    """Header names and bodies as the original sends them; no cookies, nothing of a netrc file."""
    received_requests: list[Request] = []

    def answer(request: Request) -> HttpAnswer:
        received_requests.append(request)
        token = b'{"ok":true,"accessToken":"t0ken","expiresIn":60,"tokenType":"Bearer"}'
        return HttpAnswer(200, token, headers=(("Set-Cookie", "a=b; Path=/"),))

    client = PortClient(f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}/base/", ID, SECRET)
    client.set_streamer("KAFKA")
    client.call("GET", "/v1/x")
    client.close()

    token, change, get = received_requests
    assert ["/base/v1/auth/access_token", "/base/v1/organization", "/base/v1/x"] == [
        each.path for each in received_requests
    ]
    assert b'{"settings":{"portAgentStreamerName":"KAFKA"}}' == change.body
    assert "authorization" not in token.headers
    assert all("Bearer t0ken" == each.headers["authorization"] for each in (change, get))
    assert all("port-agent" == each.headers["user-agent"] for each in received_requests)
    assert all("cookie" not in each.headers for each in received_requests)
    assert "application/json" == change.headers["content-type"]
    assert "content-type" not in get.headers


@pytest.mark.parametrize("base", ["", "/", "/base", "/a b/../ä"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", None), ("PATCH", {"message": "Zürich 🚀"})])
@pytest.mark.parametrize("run_id", ["r_1", "a/b?c#d", "~ %", "é\ud800"])
def test_a_call_is_written_as_requests_would(base: str, method: str, body: object, run_id: str) -> None:
    """Byte for byte: what stands between us and Port has seen nothing else of the original."""
    path = f"/v1/actions/runs/{quote(run_id, safe='', errors='surrogatepass')}/logs"
    with HostileTarget(answering(TOKEN)) as target:
        expected = requests.PreparedRequest()
        headers = {"User-Agent": "port-agent", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else encode_json(body)
        expected.prepare(method, target.url(base).rstrip("/") + path, headers, data=content, auth=bearer)
        with requests.Session() as session:
            session.send(expected)
        with closing(PortClient(target.url(base), ID, SECRET)) as client:
            client.call(method, path, body)

    assert target.received[0] == target.received[-1]


def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """As `auth`, so that it comes last."""
    request.headers["Authorization"] = "Bearer t"
    return request


@pytest.mark.parametrize("url", ["http://", "http://a:b", "http://a:99999"])
def test_an_address_that_is_none_is_told_by_each_call(url: str) -> None:
    """It is checked where it is set; here it must not end a program."""
    with closing(PortClient(url, ID, SECRET)) as client, pytest.raises(PortUnavailable):
        client.call(*LOG)


def test_a_port_that_takes_no_connection_is_told_with_the_time() -> None:
    """A firewall that drops packets."""
    with (
        FullPort() as full,
        closing(PortClient(f"http://127.0.0.1:{full.port}", ID, SECRET, connect_timeout_s=0.2)) as client,
        pytest.raises(PortUnavailable, match=r"no connection within 0\.2 s"),
    ):
        client.call(*LOG)


def test_a_certificate_that_nobody_trusts_is_told(tmp_path: Path) -> None:
    """With what to do where a proxy replaces it."""
    with (
        HostileTarget(answering(TOKEN), Authority.create(tmp_path).context()) as target,
        closing(PortClient(target.url(""), ID, SECRET)) as client,
        pytest.raises(PortUnavailable, match="certificate is not accepted"),
    ):
        client.call(*LOG)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_told(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not Port."""
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{closed_port()}")
    with (
        closing(PortClient(f"{scheme}://port.invalid", ID, SECRET)) as client,
        pytest.raises(PortUnavailable, match="the proxy does not answer"),
    ):
        client.call(*LOG)


def test_a_packed_reply_is_unpacked() -> None:
    """As it was asked for."""
    content = gzip.compress(b'{"accessToken":"t","expiresIn":60,"credentials":null}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with HostileTarget(answering(head + content)) as target, closing(PortClient(target.url(""), ID, SECRET)) as client:
        bodies = [client.call("GET", "/v1/x").body for _ in range(2)]

    assert ([{"accessToken": "t", "expiresIn": 60, "credentials": None}] * 2, 1) == (bodies, target.connections)


def test_a_netrc_entry_does_not_replace_the_token(
    port: FakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests prefers ~/.netrc to a mere header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client = PortClient(port.url, ID, SECRET)

    assert 201 == client.call(*LOG).status
    client.close()


TOKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{"accessToken":"t","expiresIn":60}'


def test_connections_are_reused() -> None:
    """A new connection and handshake per call was most of what the original's calls cost."""
    with HostileTarget(answering(TOKEN)) as target, closing(PortClient(target.url(""), ID, SECRET)) as client:
        for _ in range(5):
            client.call("GET", "/v1/x")

    assert 1 == target.connections


REFUSED = b'HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 16\r\n\r\n{"error":"late"}'


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
    ],
)
def test_an_interim_reply_is_none(head: bytes) -> None:
    """What Port, or a gateway before it, says meanwhile is no 2xx and no reply to the next call."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(TOKEN)
        talk.receive()
        talk.send(head)
        threading.Event().wait(0.1)
        talk.send(REFUSED)
        answering(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")(talk)

    with HostileTarget(script) as target, closing(PortClient(target.url(""), ID, SECRET)) as client:
        with pytest.raises(PortRefused, match="HTTP 422"):
            client.call(*LOG)
        assert 201 == client.call(*LOG).status


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + REFUSED,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"y" * 400_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}",
    ],
)
def test_a_reply_is_that_of_its_call(reply: bytes) -> None:
    """However odd its head is, and whatever comes behind it."""

    def script(talk: Talk) -> None:
        while (received := talk.receive()) is not None:
            talk.send(TOKEN if "access_token" in received.line else reply)

    with HostileTarget(script) as target, closing(PortClient(target.url(""), ID, SECRET)) as client:
        assert {int(reply.split()[1])} == {client.call(*LOG).status for _ in range(3)}


def test_a_reply_whose_trailer_never_ends_is_given_up() -> None:
    """It floods within what the HTTP library reads at once."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(TOKEN)
        talk.receive()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        while True:
            talk.send(b"X-A: b\r\n" * 1_000)

    with (
        HostileTarget(script) as target,
        closing(PortClient(target.url(""), ID, SECRET)) as client,
        pytest.raises(PortUnavailable),
    ):
        client.call(*LOG)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_takes_no_password_is_told(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it offers, and what can log in to it."""
    schemes = b"Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n"
    with HostileTarget(answering(b"HTTP/1.1 407 No\r\n" + schemes + b"Content-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(""))
        with (
            closing(PortClient(f"{scheme}://port.invalid", ID, SECRET)) as client,
            pytest.raises(PortUnavailable, match=r"offers only Negotiate, NTLM.*cntlm"),
        ):
            client.call(*LOG)


@pytest.mark.parametrize("login", ["ann:hun[ter2", "ann:hun\u2100ter2", "ann:hun/ter2"])
def test_a_proxy_with_an_odd_password_is_told_without_it(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has to be percent-encoded; until it is, Port cannot be asked."""
    monkeypatch.setenv("ALL_PROXY", f"http://{login}@127.0.0.1:1")
    with (
        closing(PortClient("http://port.invalid", ID, SECRET)) as client,
        pytest.raises(PortUnavailable, match="address of the proxy") as caught,
    ):
        client.call(*LOG)

    assert "ter2" not in str(caught.value)


def test_kafka_credentials_are_values_without_a_password_in_their_repr(client: PortClient) -> None:
    """Brokers, user and password; the last stays out of logs."""
    credentials = client.kafka_credentials()

    assert (("localhost:9092",), "fake-user", "kafka-secret") == (
        credentials.brokers,
        credentials.username,
        credentials.password,
    )
    assert "kafka-secret" not in repr(credentials)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"credentials":null}', b'{"credentials":{"brokers":[]}}', b"[" * 100_000]
)
def test_a_reply_without_credentials_is_no_crash(server: HttpServer, body: bytes) -> None:
    """A proxy's page instead of Port's answer: come back later."""

    def answer(request: Request) -> HttpAnswer:
        return HttpAnswer(200, body if request.method == "GET" else b'{"accessToken":"t"}')

    client = PortClient(f"http://127.0.0.1:{server.listen('127.0.0.1', 0, answer)}", ID, SECRET)
    with pytest.raises(PortUnavailable, match="without Kafka credentials"):
        client.kafka_credentials()
    client.close()


def test_no_secret_and_no_payload_reaches_a_log_or_an_error(
    port: FakePort, client: PortClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong: not the client secret, the token or the report."""
    texts = []
    with caplog.at_level(logging.DEBUG):
        client.call(*LOG)
        for status in (422, 500):
            port.fail_next(1, status)
            with pytest.raises((PortRefused, PortUnavailable)) as caught:
                client.call("POST", LOG[1], {"message": "the payload"})
            texts.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
        port.down()
        with pytest.raises(PortUnavailable) as error:
            client.call("POST", LOG[1], {"message": "the payload"})
        texts.append(f"{error.value!r}")
        port.up()

    everything = "\n".join([caplog.text, *texts, repr(client)])
    assert all(secret not in everything for secret in (SECRET, "the payload", "Bearer"))


def test_an_error_says_whether_port_may_have_taken_the_call(port: FakePort, client: PortClient) -> None:
    """Without an answer it may have; without a connection, or where Port says so, it surely has not."""
    quick = PortClient(port.url, ID, SECRET, read_timeout_s=0.3)
    with closing(quick):
        quick.call(*LOG)
        port.fail("run_log", 0)
        with pytest.raises(PortUnavailable) as caught:
            quick.call(*LOG)
        assert caught.value.may_be_taken
    for status, may_be_taken in ((500, True), (502, True), (504, True), (503, False), (429, False), (408, False)):
        port.fail("run_log", status)
        client = PortClient(port.url, ID, SECRET)
        with pytest.raises(PortUnavailable) as caught, closing(client):
            client.call(*LOG)
        assert may_be_taken is caught.value.may_be_taken, status
    port.mend()
    with closing(PortClient(port.url, ID, SECRET)) as client:
        client.call(*LOG)
        port.down()
        for url in (port.url, "https://nowhere.invalid"):
            client._http = PortClient(url, ID, SECRET)._http
            with pytest.raises(PortUnavailable) as caught:
                client.call(*LOG)
            assert not caught.value.may_be_taken, url
        port.up()


def test_headers_of_a_call_go_along(port: FakePort, client: PortClient) -> None:
    """Polling needs one."""
    body = {"installationId": "me", "limit": 1}
    client.call("POST", "/v1/workflows/runs/claim-pending", body, {"x-port-reserved-usage": "true"})

    assert {"token": 1, "claim_nodes": 1} == port.counts


def test_a_connection_ends_with_the_call_that_got_no_answer() -> None:
    """And not when somebody drops the error."""
    closed = threading.Event()

    def script(talk: Talk) -> None:
        if talk.receive() is not None and talk.receive() is None:
            closed.set()

    with HostileTarget(script) as target:
        port = PortClient(target.url(path=""), ID, SECRET, read_timeout_s=0.1)
        with pytest.raises(PortUnavailable) as error:
            port.kafka_credentials()
        assert closed.wait(5), error.value
        port.close()


def test_a_network_that_was_silent_costs_one_call_and_not_one_for_each_idle_connection(port: FakePort) -> None:
    """Nobody tells of connections that a firewall has forgotten: those beside one without an answer are given up."""
    with (
        Line(urlsplit(port.url).port or 80) as line,
        closing(PortClient(f"http://127.0.0.1:{line.port}", ID, SECRET, read_timeout_s=0.5)) as client,
    ):
        client.call(*LOG)
        with line.slow(0.1):  # so that all of them are under way at once
            threads = [threading.Thread(target=client.call, args=LOG) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        with line.half_open():
            pass

        with pytest.raises(PortUnavailable, match="no whole answer"):
            client.call(*LOG)
        assert 201 == client.call(*LOG).status
