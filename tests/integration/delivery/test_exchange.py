"""An attempt in two steps: nobody waits in between, and what comes of it is what comes of one in a single step."""

import gzip
import select
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from longshore.delivery import Outcome, Verdict
from longshore.delivery.exchange import Exchange
from longshore.delivery.send import Sender
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Script, Talk, answering, closed_port
from tests.support.posting import Post, make_sender

LARGE = '"' + "x" * 8_000_000 + '"'


def send_parked(sender: Sender, request: Post, total_s: float | None = None) -> Outcome:
    """As `Sender.send`, but each wait is a selector's, and each step is taken by another thread."""
    with ThreadPoolExecutor(1) as starter, ThreadPoolExecutor(1) as completer:
        step = starter.submit(sender.start, request, {}, None, total_s).result()
        while isinstance(step, Exchange):
            is_ready = step.has_buffered_data() or select.select([step.socket], [], [], step.timeout_s)[0]
            step = completer.submit(step.complete, timed_out=not is_ready, polled=bool(is_ready)).result()
    return step


def then(*parts: bytes, pause_s: float = 0.0, reads: bool = True) -> Script:
    """Answer one request with `parts`, and close."""

    def script(talk: Talk) -> None:
        if reads:
            talk.receive()
        for part in parts:
            talk.target.stopped.wait(pause_s)
            talk.send(part)

    return script


def silent(talk: Talk) -> None:
    """Read the request and never answer."""
    talk.receive()
    talk.hang()


def refuse_body(talk: Talk) -> None:
    """Answer a large request without reading it."""
    talk.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
    while talk.sock.recv(65_536):
        pass


SCRIPTS: dict[str, Script] = {
    "an answer": answering(OK),
    "an answer in drops": then(*(bytes([byte]) for byte in OK), pause_s=0.005),
    "interim answers": then(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n", OK, pause_s=0.05),
    "no answer": then(),
    "half a status line": then(b"HTTP/1.1 2"),
    "half a head": then(b"HTTP/1.1 201 Created\r\nA: b\r\nC"),
    "half a body": then(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    "no HTTP": then(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "until it closes": then(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall"),
    "chunks": then(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n\r\n", pause_s=0.05),
    "gzip": then(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"packed")),
    "a redirect": answering(b"HTTP/1.1 307 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", OK),
    "a redirect to a GET": answering(b"HTTP/1.1 302 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", OK),
    "a redirect to nowhere": answering(b"HTTP/1.1 302 There\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"),
    "redirects in a circle": answering(b"HTTP/1.1 307 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
    "an error": answering(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno"),
    "an answer before it was asked": then(OK, reads=False),
}


@pytest.fixture(params=["http", "https"])
def context(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext | None:
    """Every case in the clear and under TLS."""
    return authority.context() if request.param == "https" else None


@pytest.mark.parametrize("case", SCRIPTS)
def test_two_steps_come_to_what_one_comes_to(case: str, context: ssl.SSLContext | None) -> None:
    """Whatever the target does, who waits and where makes no difference."""
    outcomes = []
    for send in (Sender.send, send_parked):
        sender = make_sender(verify=False)
        with HostileTarget(SCRIPTS[case], context) as target:
            outcome = send(sender, Post(target.url()))
            causes = [text.replace(target.address, "target") for text in (outcome.cause, outcome.redirected)]
        sender.close()
        outcomes.append((replace(outcome, cause="", redirected="", duration_ms=0, headers={}), *causes))

    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("case", ["an answer", "a redirect"])
def test_a_completed_exchange_leaves_its_connection_to_the_next(case: str, context: ssl.SSLContext | None) -> None:
    """Waiting elsewhere costs no connection."""
    sender = make_sender(verify=False)
    with HostileTarget(SCRIPTS[case], context) as target:
        outcomes = [send_parked(sender, Post(target.url())) for _ in range(3)]
    sender.close()

    assert ([Verdict.DELIVERED] * 3, 1) == ([each.verdict for each in outcomes], target.connections)


def test_a_target_that_answers_before_the_body_is_through_is_heard() -> None:
    """It reads no more of it than it likes."""
    with HostileTarget(refuse_body) as target:
        outcome = send_parked(make_sender(), Post(target.url(), LARGE))

    assert (Verdict.GIVE_UP, 413) == (outcome.verdict, outcome.status)


@pytest.mark.parametrize(("url", "reason"), [("gopher://x/", "bad_url"), ("http://127.0.0.1:{}/", "connect_refused")])
def test_what_was_not_sent_is_an_outcome_at_once(sender: Sender, url: str, reason: str) -> None:
    """There is nothing to wait for."""
    outcome = sender.start(Post(url.format(closed_port())))

    assert isinstance(outcome, Outcome)
    assert (False, reason) == (outcome.sent, outcome.reason)


def test_the_deadline_ends_an_exchange_for_which_only_a_selector_waits(context: ssl.SSLContext | None) -> None:
    """Its socket becomes readable, and the outcome says why."""
    sender = make_sender(verify=False)
    with HostileTarget(silent, context) as target:
        outcome = send_parked(sender, Post(target.url()), total_s=0.4)
    sender.close()

    assert (Verdict.UNKNOWN, True, "deadline") == (outcome.verdict, outcome.sent, outcome.reason)
    assert outcome.duration_ms >= 400


def test_a_wait_that_was_too_long_is_a_read_timeout() -> None:
    """The selector has waited for as long as a read may; reading does not begin to wait anew."""
    sender = make_sender(timeout_s=10)
    with HostileTarget(silent) as target:
        exchange = sender.start(Post(target.url()))
        assert isinstance(exchange, Exchange)
        outcome = exchange.complete(timed_out=True)

    assert isinstance(outcome, Outcome)
    assert (Verdict.UNKNOWN, True, "read_timeout") == (outcome.verdict, outcome.sent, outcome.reason)
    assert outcome.duration_ms < 10_000


def test_messages_of_tls_are_no_answer_for_which_a_thread_would_wait(authority: Authority) -> None:
    """Session tickets make the socket readable; whoever polls it goes on polling."""
    sender = make_sender(verify=False)
    with HostileTarget(silent, authority.context()) as target:
        exchange = sender.start(Post(target.url()))
        assert isinstance(exchange, Exchange)
        assert select.select([exchange.socket], [], [], 10)[0], "session tickets, which OpenSSL sends by default"
        assert exchange is exchange.complete(polled=True)
        assert not select.select([exchange.socket], [], [], 0)[0]
        sock = exchange.socket
        exchange.close()
        assert -1 == sock.fileno()
    sender.close()


def test_an_answer_that_came_just_after_the_wait_counts(context: ssl.SSLContext | None) -> None:
    """It is there: that it might have come too late is no reason to call a delivery unknown."""
    sender = make_sender(verify=False)
    with HostileTarget(answering(OK), context) as target:
        sender.send(Post(target.url()))
        exchange = sender.start(Post(target.url()))
        assert isinstance(exchange, Exchange)
        assert select.select([exchange.socket], [], [], 10)[0]
        outcome = exchange.complete(timed_out=True)

    assert isinstance(outcome, Outcome)
    assert Verdict.DELIVERED is outcome.verdict


def test_an_exchange_given_up_takes_its_connection_along(sender: Sender) -> None:
    """The answer may still come, and would be taken for that to the next request."""
    with HostileTarget(answering(OK)) as target:
        exchange = sender.start(Post(target.url()))
        assert isinstance(exchange, Exchange)
        sock = exchange.socket
        exchange.close()
        outcome = sender.send(Post(target.url()))

    assert (-1, Verdict.DELIVERED, 2) == (sock.fileno(), outcome.verdict, target.connections)


def test_a_hundred_exchanges_wait_without_a_thread() -> None:
    """What waits is a connection each."""

    def answer_when_told(talk: Talk) -> None:
        while talk.receive() is not None:
            answers.wait(20)
            talk.send(OK)

    answers = threading.Event()
    sender = make_sender()
    with HostileTarget(answer_when_told) as target:
        exchanges = [sender.start(Post(target.url())) for _ in range(100)]
        waiting = {each.socket: each for each in exchanges if isinstance(each, Exchange)}
        assert 100 == len(waiting)
        answers.set()
        outcomes = []
        while waiting:
            for sock in select.select(list(waiting), [], [], 20)[0]:
                outcomes.append(waiting.pop(sock).complete())
    sender.close()

    assert [Verdict.DELIVERED] * 100 == [each.verdict for each in outcomes if isinstance(each, Outcome)]
