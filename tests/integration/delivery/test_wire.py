"""What is on the wire, and what is kept of the answer."""

import gzip
import tracemalloc

import pytest

from longshore.delivery import Verdict, build_signature_headers
from longshore.delivery.send import Sender
from longshore.invocation.body_format import BodyFormat
from longshore.invocation.mapping import MappedRequest
from tests.support.hostile import OK, HostileTarget, Talk, answering
from tests.support.posting import SECRET, Post, make_sender


def whole(body: bytes, headers: str = "", status: str = "200 OK") -> bytes:
    """An answer with a length."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_exactly_the_signed_bytes_are_sent(sender: Sender) -> None:
    """A receiver that hashes the raw body gets the signature that came with it."""
    body = '{"city":"Z\\u00fcrich \\ud83d\\ude80","n":1e-07}'
    with HostileTarget(answering(OK)) as target:
        outcome = sender.send(Post(target.url(), body))

    received = target.received[0]
    timestamp = received.header("X-Port-Timestamp")
    assert timestamp is not None
    assert body.encode() == received.body
    assert build_signature_headers(SECRET, received.body, int(timestamp))["X-Port-Signature"] == received.header(
        "X-Port-Signature"
    )
    assert "application/json" == received.header("Content-Type")
    assert received.header("X-Port-Signature") == outcome.headers["X-Port-Signature"]


@pytest.mark.parametrize("body_format", [BodyFormat.FORM, BodyFormat.TEXT, BodyFormat.XML])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_bodies_that_are_no_json_are_signed_as_they_are_sent(
    sender: Sender, body_format: BodyFormat, method: str
) -> None:
    """With their own type, which a mapped header replaces."""
    with HostileTarget(answering(OK)) as target:
        for headers in ({}, {"content-type": "text/xml"}):
            sender.send(MappedRequest(method, target.url(), headers, [], "a=é", body_format))

    for received, content_type in zip(target.received, (body_format.content_type, "text/xml"), strict=True):
        signed = build_signature_headers(SECRET, "a=é", int(received.header("X-Port-Timestamp") or 0))
        assert ("a=é".encode(), content_type) == (received.body, received.header("Content-Type"))
        assert signed["X-Port-Signature"] == received.header("X-Port-Signature")


def test_a_body_that_fills_many_packets_arrives_whole(sender: Sender) -> None:
    """Large bodies go another way than small ones."""
    body = '"' + "x" * 3_000_000 + '"'
    with HostileTarget(answering(OK)) as target:
        outcome = sender.send(Post(target.url(), body))

    assert Verdict.DELIVERED is outcome.verdict
    assert body.encode() == target.received[0].body


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "report"])
def test_every_method_carries_the_body(sender: Sender, method: str) -> None:
    """A GET too, and verbs that nobody has heard of."""
    with HostileTarget(answering(OK)) as target:
        sender.send(Post(target.url(), method=method))

    assert (f"{method.upper()} /hook HTTP/1.1", b'{"a":1}') == (target.received[0].line, target.received[0].body)


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("POST", "0")])
def test_without_a_body_nothing_is_said_about_its_type(sender: Sender, method: str, length: str | None) -> None:
    """The signature is then over `null`."""
    with HostileTarget(answering(OK)) as target:
        sender.send(Post(target.url(), None, method))

    received = target.received[0]
    assert (None, length) == (received.header("Content-Type"), received.header("Content-Length"))
    assert received.header("X-Port-Signature") is not None


def test_encoded_slashes_and_a_query_survive(sender: Sender) -> None:
    """GitLab's project path depends on the one, callers on the other."""
    with HostileTarget(answering(OK)) as target:
        url = target.url("/api/v4/projects/a%2Fb%2fc/trigger?x=1")
        sender.send(Post(url, query=[("t", "True"), ("l", "a"), ("l", "b"), ("u", "é &")]))

    assert "POST /api/v4/projects/a%2Fb%2Fc/trigger?x=1&t=True&l=a&l=b&u=%C3%A9+%26 HTTP/1.1" == target.received[0].line


def test_a_mapped_host_that_says_the_same_as_the_url_goes_out_once(sender: Sender) -> None:
    """Mapping files have it; two of them would be no request."""
    with HostileTarget(answering(OK)) as target:
        sender.send(Post(target.url(), headers={"HOST": target.address}))

    assert target.address == target.received[0].header("Host")


def test_the_answer_is_kept_with_its_headers(sender: Sender) -> None:
    """Repeated headers are joined; names are found in any case."""
    answer = whole(b'{"id":42}', "Content-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n", "201 Created")
    with HostileTarget(answering(answer)) as target:
        response = sender.send(Post(target.url())).response

    assert response is not None
    assert (201, '{"id":42}', False) == (response.status, response.text, response.truncated)
    assert ("1, 2", "application/json") == (response.find("x-a"), dict(response.headers)["Content-Type"])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (whole(b""), ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        (whole(gzip.compress(b"packed", mtime=0), "Content-Encoding: gzip\r\n"), "packed"),
        (whole("Zürich".encode(), "Content-Type: text/plain\r\n"), "Zürich"),
        (whole("Zürich".encode("latin-1"), "Content-Type: text/plain\r\n"), "Zürich"),
        (whole("Łódź".encode("iso-8859-2"), 'Content-Type: text/plain; charset="ISO-8859-2"\r\n'), "Łódź"),
        (whole('{"a":1}'.encode("utf-16"), "Content-Type: application/json\r\n"), '{"a":1}'),
    ],
)
def test_bodies_of_all_kinds_become_text(sender: Sender, answer: bytes, text: str) -> None:
    """Framing, packing and charset are the wire's matter; and the connection can be used again."""
    with HostileTarget(answering(answer)) as target:
        responses = [sender.send(Post(target.url())).response for _ in range(2)]

    assert [(text, False)] * 2 == [(each.text, each.truncated) for each in responses if each is not None]
    assert 1 == target.connections


@pytest.mark.parametrize("more", ["", "Content-Length: 5\r\n", "Connection: keep-alive\r\nContent-Length: 5\r\n"])
def test_http_1_0_is_understood(sender: Sender, more: str) -> None:
    """Where nothing else is said, the end of the connection is the end of the body."""

    def old(talk: Talk) -> None:
        while talk.receive() is not None:
            talk.send(f"HTTP/1.0 200 OK\r\n{more}\r\n1996!".encode())
            if "keep-alive" not in more:
                return

    with HostileTarget(old) as target:
        responses = [sender.send(Post(target.url())).response for _ in range(2)]

    assert [("1996!", False)] * 2 == [(each.text, each.truncated) for each in responses if each is not None]
    assert target.connections == (1 if "keep-alive" in more else 2)


def test_an_answer_to_head_has_no_body(sender: Sender) -> None:
    """Whatever length it announces."""
    with HostileTarget(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as target:
        outcome = sender.send(Post(target.url(), None, "HEAD"))

    assert (Verdict.DELIVERED, False) == (outcome.verdict, outcome.response is not None and outcome.response.truncated)


@pytest.mark.parametrize(("size", "truncated"), [(999, False), (1_000, False), (1_001, True), (10_000_000, True)])
def test_a_response_is_kept_up_to_the_cap(size: int, truncated: bool) -> None:
    """And marked when there was more. The delivery stands either way."""
    with HostileTarget(answering(whole(b"x" * size))) as target:
        outcome = make_sender(response_cap=1_000).send(Post(target.url()))

    assert outcome.response is not None
    assert (Verdict.DELIVERED, min(size, 1_000), truncated) == (
        outcome.verdict,
        len(outcome.response.text),
        outcome.response.truncated,
    )


def test_a_compression_bomb_does_not_go_off() -> None:
    """1 GB of zeros in 1 MB: no more is unpacked than is kept."""
    bomb = gzip.compress(b"\0" * 100_000_000) * 10
    with HostileTarget(answering(whole(bomb, "Content-Encoding: gzip\r\n"))) as target:
        sender = make_sender(response_cap=100_000)
        tracemalloc.start()
        outcome = sender.send(Post(target.url()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert outcome.response is not None
    assert (100_000, True) == (len(outcome.response.text), outcome.response.truncated)
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"not gzip at all", "Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_spoilt_body_does_not_spoil_the_delivery(sender: Sender, answer: bytes) -> None:
    """The status said that it was taken."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(answer)

    with HostileTarget(script) as target:
        outcome = sender.send(Post(target.url()))

    assert Verdict.DELIVERED is outcome.verdict
    assert outcome.response is not None
    assert outcome.response.truncated


def test_endless_headers_are_not_kept(sender: Sender) -> None:
    """99 of 60 KB each would be 6 MB in every record."""
    answer = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 60_000) for n in range(90)) + b"\r\n"

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(answer)

    with HostileTarget(script) as target:
        response = sender.send(Post(target.url())).response

    assert response is not None
    assert sum(len(name) + len(value) for name, value in response.headers.items()) <= 65_536
