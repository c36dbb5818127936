"""Redirects are followed as `requests` does it, but what is secret stays with the host it was meant for."""

import pytest

from longshore.delivery import Verdict
from longshore.delivery.send import Sender
from tests.support.hostile import OK, HostileTarget, Talk, answering, closed_port
from tests.support.posting import Post, make_sender

SECRET_HEADERS = ("X-Port-Signature", "X-Port-Timestamp", "X-Key", "Authorization", "Idempotency-Key", "User-Agent")
MAPPED = {"X-Key": "hush", "Authorization": "Bearer hush", "User-Agent": "hush", "Content-Type": "text/plain"}


def moved(status: int, place: str, more: str = "") -> bytes:
    """A redirect."""
    return f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\n{more}Content-Length: 4\r\n\r\ngone".encode()


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_a_get_without_a_body(sender: Sender, status: int) -> None:
    """As browsers and `requests` do it."""
    with HostileTarget(answering(moved(status, "/b%2Fc?d=e"), OK)) as target:
        outcome = sender.send(Post(target.url()))

    assert Verdict.DELIVERED is outcome.verdict
    assert f"redirected to {target.address}, asked with GET" == outcome.redirected
    assert outcome.redirected in outcome.cause
    assert ["POST /hook HTTP/1.1", "GET /b%2Fc?d=e HTTP/1.1"] == [received.line for received in target.received]
    assert (b"", None) == (target.received[1].body, target.received[1].header("Content-Type"))


@pytest.mark.parametrize("status", [307, 308])
def test_method_body_and_signature_stay_on_the_same_host(sender: Sender, status: int) -> None:
    """307 and 308 ask for the very same request."""
    with HostileTarget(answering(moved(status, "/b"), OK)) as target:
        outcome = sender.send(Post(target.url(), headers=MAPPED))

    first, second = target.received
    assert "" == outcome.redirected
    assert (first.body, "POST /b HTTP/1.1") == (second.body, second.line)
    assert [first.header(name) for name in SECRET_HEADERS] == [second.header(name) for name in SECRET_HEADERS]


@pytest.mark.parametrize("status", [302, 307])
def test_another_host_sees_neither_signature_nor_mapped_headers(sender: Sender, status: int) -> None:
    """They prove who we are to the first host, and to nobody else."""
    with HostileTarget(answering(OK)) as other, HostileTarget(answering(moved(status, other.url()))) as target:
        outcome = sender.send(Post(target.url(), headers=MAPPED), {"Idempotency-Key": "r_1"})

    headers = {name: other.received[0].header(name) for name in SECRET_HEADERS}
    assert Verdict.DELIVERED is outcome.verdict
    assert {**dict.fromkeys(SECRET_HEADERS), "User-Agent": "longshore"} == headers
    assert ("text/plain" if status == 307 else None) == other.received[0].header("Content-Type")


def test_what_was_dropped_stays_dropped_on_the_way_back(sender: Sender) -> None:
    """The other host could otherwise choose what the first one is asked, in our name."""
    with (
        HostileTarget(lambda talk: back(talk)) as other,
        HostileTarget(answering(moved(307, other.url()), OK)) as target,
    ):
        back = answering(moved(307, target.url("/evil")))
        sender.send(Post(target.url()))

    assert [True, False] == [received.header("X-Port-Signature") is not None for received in target.received]


def test_a_redirect_without_a_place_is_an_answer(sender: Sender) -> None:
    """Below 400, so delivered."""
    with HostileTarget(answering(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.DELIVERED, 302) == (outcome.verdict, outcome.status)


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/", "http://[::1", "http://a:99999/", "javascript:alert(1)"])
def test_a_redirect_to_no_place_is_final(sender: Sender, place: str) -> None:
    """It will be the same tomorrow. The first request was sent."""
    with HostileTarget(answering(moved(307, place))) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, True, "bad_redirect") == (outcome.verdict, outcome.sent, outcome.reason)
    assert 1 == len(target.received)


@pytest.mark.parametrize("login", ["ann:hunter2", "ann:hun[ter2", "ann:hun\u2100ter2", "@"])
@pytest.mark.parametrize("scheme", ["http:", ""])
def test_a_redirect_with_a_login_is_not_followed(sender: Sender, login: str, scheme: str) -> None:
    """As little as a mapped URL with one, and nothing of it is told."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(moved(307, f"{scheme}//{login}@{target.address}/"))

    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, True, "bad_redirect") == (outcome.verdict, outcome.sent, outcome.reason)
    assert 1 == len(target.received)
    assert "ter2" not in outcome.cause


def test_a_circle_is_final(sender: Sender) -> None:
    """30 redirects are enough."""
    with HostileTarget(answering(moved(307, "/again"))) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, True, "bad_redirect") == (outcome.verdict, outcome.sent, outcome.reason)
    assert 31 == len(target.received)


def test_a_request_that_was_passed_on_and_not_taken_is_retried(sender: Sender) -> None:
    """307 means that the first host did not act on it, and nobody listens at the second."""
    with HostileTarget(answering(moved(307, f"http://127.0.0.1:{closed_port()}/"))) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.RETRY, True, "connect_refused") == (outcome.verdict, outcome.sent, outcome.reason)


@pytest.mark.parametrize("then", [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", None])
def test_a_post_answered_with_see_other_is_never_sent_again(sender: Sender, then: bytes | None) -> None:
    """The host took the POST; that the GET after it fails does not undo that."""
    place = "/b" if then else f"http://127.0.0.1:{closed_port()}/"
    with HostileTarget(answering(moved(303, place), then or b"")) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.UNKNOWN, True) == (outcome.verdict, outcome.sent)
    assert "was answered with a redirect and may have run" in outcome.cause


def test_a_redirect_sets_no_more_cookies_than_browsers_keep(sender: Sender) -> None:
    """Thousands fit into a head, and each costs."""
    many = "".join(f"Set-Cookie: c{number}=1\r\n" for number in range(2_000))
    with HostileTarget(answering(moved(307, "/b", many), OK)) as target:
        sender.send(Post(target.url()))

    cookie = target.received[1].header("Cookie")
    assert cookie is not None
    assert 50 == len(cookie.split("; "))


@pytest.mark.parametrize("host", ["a." * 30_000, "\u00fc" * 30_000, "b" * 256])
def test_a_redirect_to_a_host_that_no_name_can_be_is_final(sender: Sender, host: str) -> None:
    """And what the target wrote there stands in no cause."""
    with HostileTarget(answering(moved(302, f"http://{host}/"))) as target:
        outcome = sender.send(Post(target.url()))

    assert (Verdict.GIVE_UP, "bad_redirect") == (outcome.verdict, outcome.reason)
    assert len(outcome.cause) < 200


def test_cookies_live_as_long_as_the_chain(sender: Sender) -> None:
    """A gateway may set one on the way; the next request knows nothing of it."""
    with HostileTarget(answering(moved(307, "/b", "Set-Cookie: a=b\r\n"), OK, OK)) as target:
        sender.send(Post(target.url()))
        sender.send(Post(target.url()))

    assert [None, "a=b", None] == [received.header("Cookie") for received in target.received]


def test_the_body_of_a_redirect_is_bounded(sender: Sender) -> None:
    """Nobody reads it, so it may not cost memory or time either."""

    def script(talk: Talk) -> None:
        talk.receive()
        if talk.number > 1:
            talk.send(OK)
            return
        talk.send(b"HTTP/1.1 307 Moved\r\nLocation: /b\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            talk.send(b"x" * 65_536)

    with HostileTarget(script) as target:
        outcome = make_sender(response_cap=100_000).send(Post(target.url()))

    assert Verdict.DELIVERED is outcome.verdict
