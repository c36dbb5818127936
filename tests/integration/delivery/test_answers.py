"""The answer that counts is the final one, and it belongs to the request that it was given to."""

import ssl
import threading

import pytest

from longshore.delivery import Verdict
from longshore.delivery.send import Sender
from tests.support.certificates import Authority
from tests.support.hostile import OK, HostileTarget, Script, Talk, answering
from tests.support.posting import Post, make_sender

REFUSAL = b"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 2\r\n\r\nno"


def status_of(sender: Sender, target: HostileTarget) -> tuple[int | None, str | None]:
    """Status and text of the answer to one more request."""
    outcome = sender.send(Post(target.url()))
    return outcome.status, outcome.response.text if outcome.response else None


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 5,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n" + b"Link: </a.css>\r\n" * 150 + b"\r\n",
        b"HTTP/1.1 199 Whatever\r\n\r\n",
    ],
)
def test_an_interim_answer_is_no_result(sender: Sender, interim: bytes) -> None:
    """The refusal comes later, and the next request gets an answer of its own."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(interim)
        interrupted.wait(0.2)
        talk.send(REFUSAL)
        answering(OK)(talk)

    interrupted = threading.Event()
    with HostileTarget(script) as target:
        outcomes = [status_of(sender, target), status_of(sender, target)]

    assert [(422, "no"), (200, "ok")] == outcomes
    assert 1 == target.connections


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "304 Not Modified"])
@pytest.mark.parametrize("framing", ["Content-Length: 2", "Transfer-Encoding: chunked", "Content-Length: 0, 2"])
def test_a_body_that_should_not_be_there_reaches_no_other_request(sender: Sender, status: str, framing: str) -> None:
    """It comes late, when a kept connection would already carry the next request."""

    def script(talk: Talk) -> None:
        if talk.receive() is not None:
            talk.send(f"HTTP/1.1 {status}\r\n{framing}\r\n\r\n".encode())
            if talk.receive() is not None:
                talk.send(b"{}" + OK)

    with HostileTarget(script) as target:
        outcomes = [sender.send(Post(target.url())) for _ in range(2)]

    assert [(Verdict.DELIVERED, int(status[:3]))] * 2 == [(each.verdict, each.status) for each in outcomes]
    assert 2 == target.connections


def test_an_answer_without_a_body_keeps_its_connection(sender: Sender) -> None:
    """As long as it announces none."""
    with HostileTarget(answering(b"HTTP/1.1 204 No Content\r\n\r\n", OK)) as target:
        assert [204, 200] == [status_of(sender, target)[0] for _ in range(2)]

    assert 1 == target.connections


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(OK + REFUSAL, id="a second answer"),
        pytest.param(OK + b"x", id="a byte"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + REFUSAL, id="behind chunks"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            id="two lengths",
        ),
        # As long as what is read at once: all that comes behind it is then still in TLS.
        pytest.param(
            OK.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * (8_192 - len(OK) - 5) + b"\r\n\r\n") + REFUSAL, id="in TLS"
        ),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
def test_what_comes_behind_an_answer_is_no_answer(first: bytes, tls: bool, authority: Authority) -> None:
    """Its connection is given up, for nobody can tell what it belongs to."""

    def script(talk: Talk) -> None:
        answering(first if talk.number == 1 else OK)(talk)

    sender = make_sender(verify=False)
    context: ssl.SSLContext | None = authority.context() if tls else None
    with HostileTarget(script, context) as target:
        outcomes = [status_of(sender, target), status_of(sender, target)]
    sender.close()

    assert [(200, "ok")] * 2 == outcomes
    assert 2 == target.connections


def once(answer: bytes) -> Script:
    """Answers one request."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(answer)

    return script


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"".join(b"X-%d: b\r\n" % n for n in range(5_000)), id="many headers"),
        pytest.param(b"X-A: " + b"a" * 100_000 + b"\r\n", id="a long line"),
        pytest.param(b"no colon here\r\n: no name\r\n", id="no headers"),
        pytest.param(b"X-A: b\r\n further\r\n\tand further\r\n" * 500, id="lines that go on"),
    ],
)
def test_an_answer_with_an_odd_head_is_read_to_its_end(sender: Sender, head: bytes) -> None:
    """Body included."""
    answer = b"HTTP/1.1 201 Created\r\n" + head + b"Content-Length: 2\r\n\r\nok"
    with HostileTarget(answering(answer)) as target:
        outcomes = [status_of(sender, target) for _ in range(2)]

    assert [(201, "ok")] * 2 == outcomes
    assert 1 == target.connections


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Content-Le", id="half a header"),
        pytest.param(b"X-A: " + b"a" * 400_000 + b"\r\n\r\n", id="too much"),
        pytest.param(b"Content-Length: 2, 3\r\n\r\nok", id="two lengths"),
        pytest.param(b"Content-Length: -1\r\n\r\nok", id="no length"),
        pytest.param(b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nok", id="an endless length"),
    ],
)
@pytest.mark.parametrize(("status", "verdict"), [(201, Verdict.DELIVERED), (422, Verdict.GIVE_UP)])
def test_a_readable_status_is_a_known_outcome(sender: Sender, status: int, verdict: Verdict, rest: bytes) -> None:
    """Whatever follows it. Nothing of what cannot be told apart is taken for a body."""
    with HostileTarget(once(b"HTTP/1.1 %d Read\r\n" % status + rest)) as target:
        outcome = sender.send(Post(target.url()))

    assert (verdict, status) == (outcome.verdict, outcome.status)
    assert outcome.response is not None
    assert ("", True) == (outcome.response.text, outcome.response.truncated)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"HTTP/1.1 422 Unprocess", id="half a phrase"),
        pytest.param(b"HTTP/1.1 422 ", id="no phrase"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 422 Unprocess", id="behind an interim answer"),
    ],
)
def test_a_status_is_known_wherever_its_line_breaks_off(sender: Sender, line: bytes) -> None:
    """The phrase says nothing."""
    with HostileTarget(once(line)) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, 422) == (outcome.verdict, outcome.status)


def test_half_a_status_is_none(sender: Sender) -> None:
    """There may have been more of it."""
    with HostileTarget(once(b"HTTP/1.1 422")) as target:
        assert (Verdict.UNKNOWN, "bad_answer") == ((outcome := sender.send(Post(target.url()))).verdict, outcome.reason)


def test_a_connection_lost_within_the_headers_leaves_the_status(sender: Sender) -> None:
    """By a reset, too."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(b"HTTP/1.1 422 Unprocessable Content\r\nX-A: b\r\n")
        threading.Event().wait(0.1)  # so that the reset does not overtake it
        talk.reset()

    with HostileTarget(script) as target:
        assert 422 == sender.send(Post(target.url())).status


def test_half_a_place_is_not_followed(sender: Sender) -> None:
    """A redirect that breaks off within its Location leads anywhere."""
    with HostileTarget(once(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /del")) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, "bad_redirect") == (outcome.verdict, outcome.reason)
    assert 1 == len(target.received)
