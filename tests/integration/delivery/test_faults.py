"""What was surely not sent, what may have been, and what each is called."""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from longshore.delivery import Fault, Verdict, connection
from longshore.delivery.resolver import AddrInfo, Resolver
from longshore.delivery.send import Sender
from tests.support.hostile import OK, FullPort, HostileTarget, Script, Talk, answering, closed_port
from tests.support.posting import Post, make_sender


def hang_up(talk: Talk) -> None:
    """Read the request and close."""
    talk.receive()


def reset(talk: Talk) -> None:
    """Read the request and reset the connection."""
    talk.receive()
    talk.reset()


def half_answer(talk: Talk) -> None:
    """Close within the status line."""
    talk.receive()
    talk.send(b"HTTP/1.1")


def other_protocol(talk: Talk) -> None:
    """Something that is not HTTP."""
    talk.receive()
    talk.send(b"SSH-2.0-OpenSSH_9.2\r\n")


def upgrade(talk: Talk) -> None:
    """Switch to a protocol that nobody asked for."""
    talk.receive()
    talk.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")


def addresses(*ports: int) -> Resolver:
    """A resolver by which a name has several addresses, all on loopback."""

    def lookup(*_: object) -> Sequence[AddrInfo]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

    return Resolver(lookup)


def test_a_refused_connection_sent_nothing(sender: Sender) -> None:
    """The plainest of all faults: retried, and said so with host and port."""
    port = closed_port()

    outcome = sender.send(Post(f"http://127.0.0.1:{port}/x?token=hush"))

    assert (Verdict.RETRY, False, "connect_refused") == (outcome.verdict, outcome.sent, outcome.reason)
    assert Fault.CONNECTION is outcome.fault
    assert f"connection refused by 127.0.0.1:{port}: nothing listens there" == outcome.cause


def test_an_unknown_name_sent_nothing() -> None:
    """A name that no name server knows is retried: somebody may still create it."""

    def no_such_host(*_: object) -> Sequence[AddrInfo]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outcome = make_sender(resolver=Resolver(no_such_host)).send(Post("http://nowhere.invalid/"))

    assert (Verdict.RETRY, False, "dns") == (outcome.verdict, outcome.sent, outcome.reason)
    assert "DNS: no such host nowhere.invalid" == outcome.cause


@pytest.mark.parametrize("name", ["a" * 64 + ".invalid", "b..invalid"])
def test_a_name_that_no_host_can_have_is_no_exception(sender: Sender, name: str) -> None:
    """The system's resolver refuses it with an error of quite another kind."""
    outcome = sender.send(Post(f"http://{name}/"))

    assert (False, True) == (outcome.sent, outcome.reason in ("dns", "bad_url"))


def test_a_swallowed_connection_sent_nothing() -> None:
    """A firewall that drops packets, found out by the connect timeout."""
    with FullPort() as full:
        outcome = make_sender(timeout_s=0.3).send(Post(f"http://127.0.0.1:{full.port}/"))

    assert (Verdict.RETRY, False, "connect_timeout") == (outcome.verdict, outcome.sent, outcome.reason)


def test_the_second_address_is_tried_within_the_same_connect_timeout() -> None:
    """One dead address of two must not cost the delivery, and not twice the time."""
    with FullPort() as full, HostileTarget(answering(OK)) as target:
        sender = make_sender(timeout_s=5, resolver=addresses(full.port, target.port))
        outcome = sender.send(Post("http://two.invalid/"))

    assert Verdict.DELIVERED is outcome.verdict


def test_with_all_addresses_dead_the_connect_timeout_is_not_multiplied() -> None:
    """The last address finds no time left; it is still one timeout."""
    with FullPort() as full:
        # Were each address given the whole timeout, the total deadline would end it, under another name.
        sender = make_sender(timeout_s=0.4, total_s=3, resolver=addresses(*[full.port] * 10))
        outcome = sender.send(Post("http://ten.invalid/"))

    assert (Verdict.RETRY, False, "connect_timeout") == (outcome.verdict, outcome.sent, outcome.reason)


@pytest.mark.parametrize("script", [hang_up, reset])
def test_an_unanswered_request_counts_as_sent(sender: Sender, script: Script) -> None:
    """A target that reads the request and hangs up may have acted on it."""
    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.UNKNOWN, True, "connection_lost") == (outcome.verdict, outcome.sent, outcome.reason)
    assert f"{target.address} closed the connection without answering" == outcome.cause
    assert 1 == len(target.received)


def test_a_request_lost_on_a_reused_connection_counts_as_sent(sender: Sender) -> None:
    """Nobody can tell a connection that was closed before the request from one closed because of it."""

    def once(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.receive()

    with HostileTarget(once) as target:
        first, second = sender.send(Post(target.url())), sender.send(Post(target.url()))

    assert Verdict.DELIVERED is first.verdict
    assert (Verdict.UNKNOWN, True, "connection_lost") == (second.verdict, second.sent, second.reason)
    assert (1, 2) == (target.connections, len(target.received))


def test_a_connection_that_closed_while_idle_is_not_used(sender: Sender) -> None:
    """Where the close has already arrived, there is nothing to guess."""

    def once(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.sock.close()
        close_event.set()

    close_event = threading.Event()
    with HostileTarget(once) as target:
        outcomes = []
        for _ in range(3):
            outcomes.append(sender.send(Post(target.url())).verdict)
            assert close_event.wait(10)
            close_event.clear()

    assert [Verdict.DELIVERED] * 3 == outcomes


def test_a_connection_that_the_target_half_closed_is_not_used(sender: Sender) -> None:
    """It promised to keep it, and would still read a request: one that nobody will answer."""

    def half_close(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.sock.shutdown(socket.SHUT_WR)
        close_event.set()
        talk.receive()

    close_event = threading.Event()
    with HostileTarget(half_close) as target:
        outcomes = []
        for _ in range(3):
            outcomes.append(sender.send(Post(target.url())).verdict)
            assert close_event.wait(10)
            close_event.clear()

    assert ([Verdict.DELIVERED] * 3, 3, 3) == (outcomes, target.connections, len(target.received))


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "flood_of", "expected"),
    [
        (b"HTTP/1.1 201 Created\r\nX-A: ", b"O", (Verdict.DELIVERED, "delivered")),
        (b"HTTP/1.1 201 Created\r\n", b"X-A: b\r\n", (Verdict.DELIVERED, "delivered")),
        (b"HTTP/1.1 400 Bad\r\n", b" x\r\n", (Verdict.GIVE_UP, "http_400")),
        (b"HTTP/1.1 200 O", b"O", (Verdict.UNKNOWN, "bad_answer")),
        (INTERIM, INTERIM, (Verdict.UNKNOWN, "bad_answer")),
    ],
)
def test_a_flood_before_the_body_is_cut_by_its_size(
    sender: Sender, start: bytes, flood_of: bytes, expected: tuple[Verdict, str]
) -> None:
    """A line or a list of headers without end; the deadline would be too late for the memory."""

    def flood(talk: Talk) -> None:
        talk.receive()
        talk.send(start)
        while True:
            talk.send(flood_of * 1_000)

    with HostileTarget(flood) as target:
        outcome = sender.send(Post(target.url()))

    assert (*expected, True) == (outcome.verdict, outcome.reason, outcome.sent)


def test_a_connection_that_has_been_idle_for_long_is_not_used(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target may be closing it this moment, and the request would be a false unknown."""
    with HostileTarget(answering(OK)) as target:
        sender.send(Post(target.url()))
        sender.send(Post(target.url()))
        assert 1 == target.connections

        monkeypatch.setattr(connection, "MAX_IDLE_S", 0.0)
        sender.send(Post(target.url()))

    assert 2 == target.connections


@pytest.mark.parametrize("script", [half_answer, other_protocol, upgrade])
def test_an_answer_that_cannot_be_read_is_unknown(sender: Sender, script: Script) -> None:
    """Something has the request, and what it said about it is lost."""
    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.UNKNOWN, True, "bad_answer") == (outcome.verdict, outcome.sent, outcome.reason)


@pytest.mark.parametrize(
    ("status", "verdict", "fault"),
    [
        (200, Verdict.DELIVERED, Fault.NONE),
        (404, Verdict.GIVE_UP, Fault.REQUEST),
        (429, Verdict.RETRY, Fault.ANSWER),
        (500, Verdict.RETRY, Fault.ANSWER),
        (502, Verdict.UNKNOWN, Fault.ANSWER),
        (503, Verdict.RETRY, Fault.ANSWER),
        (524, Verdict.UNKNOWN, Fault.ANSWER),
    ],
)
def test_a_status_says_what_to_do(sender: Sender, status: int, verdict: Verdict, fault: Fault) -> None:
    """Over the wire as in the table; what the target calls it is not repeated."""
    answer = f"HTTP/1.1 {status} password=hush\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy".encode()
    with HostileTarget(answering(answer)) as target:
        outcome = sender.send(Post(target.url()))

    assert (verdict, fault, True, status) == (outcome.verdict, outcome.fault, outcome.sent, outcome.status)
    assert outcome.reason == ("delivered" if status == 200 else f"http_{status}")
    assert outcome.retry_after_s == (None if status == 200 else 7)
    assert outcome.response is not None
    assert "why" == outcome.response.text
    assert "hush" not in outcome.cause
    assert f"{target.address} answered {status}" in outcome.cause


def test_hundreds_of_threads_share_one_sender() -> None:
    """Each gets the answer to its own request."""

    def echo(talk: Talk) -> None:
        while (received := talk.receive()) is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(received.body)}\r\n\r\n"
            talk.send(head.encode() + received.body)

    sender = make_sender()

    def work(number: int) -> bool:
        outcome = sender.send(Post(target.url(), f'"{number}"'))
        return outcome.response is not None and outcome.response.text == f'"{number}"'

    with HostileTarget(echo) as target, ThreadPoolExecutor(200) as pool:
        assert all(pool.map(work, range(1_000)))
    sender.close()


SECRETS = ("hush", "s3cret", "demo-client", "v1,")


@pytest.mark.parametrize("script", [hang_up, reset, half_answer, other_protocol, upgrade])
def test_no_fault_tells_a_secret(
    sender: Sender, script: Script, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither query, user name, body nor signature is in the outcome, or in any log line at any level."""
    caplog.set_level(0)
    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url("/p?token=hush"), '"s3cret"', headers={"X-Key": "hush"}))

    assert outcome.sent

    output = repr(outcome) + caplog.text + "".join(capsys.readouterr())
    assert [] == [secret for secret in SECRETS if secret in output]


def test_malformed_headers_tell_no_secret(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    """The HTTP library warns about them with the whole URL."""
    caplog.set_level(0)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\nok"
    with HostileTarget(answering(answer)) as target:
        sender.send(Post(target.url("/p?token=hush")))

    assert "hush" not in caplog.text
