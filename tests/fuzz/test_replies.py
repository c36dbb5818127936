"""Whatever a target or a gateway in front of Port answers: an outcome, or an error of ours, and nothing else."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.delivery.outcome import Outcome, Verdict
from longshore.delivery.send import Sender
from longshore.errors import PortRefused, PortUnavailable
from longshore.port import PortClient
from longshore.port.replies import Reply
from tests.support.hostile import OK
from tests.support.posting import Post, make_sender
from tests.support.replaying import ReplayingServer

heads = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 204 \r\n", b"HTTP/1.1 302 Found\r\nLocation: ", b"HTTP/1.1 999 x\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103\r\n\r\nHTTP/1.1 200 OK\r\n", b"HTTP/2 200\r\n",
        b"HTTP/1.1 -1 x\r\n",
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: \xff\r\n", b"HTTP/1.1 429 x\r\nRetry-After: ", b"HTTP/1.1 500\r\n", b"",
    ]
)  # fmt: skip
fields = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 2\r\n", b"Content-Length: -1\r\n", b"Content-Length: 9999999999999\r\n", b"\r\n",
            b"Content-Length: 1\r\nContent-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Content-Encoding: deflate, br, x\r\n", b"Content-Type: text/plain; charset=\x00utf-\xff\r\n",
            b" folded\r\n",
            b"Connection: close\r\n", b": empty\r\n", b"no colon\r\n", b"Location: http://[::1\r\n",
            b"Location: ///x\r\n",
        ]
    )
    | st.binary(max_size=20),
    max_size=5,
)  # fmt: skip
bodies = st.sampled_from(
    [b"ok", b"{}", b"5\r\nhello\r\n0\r\n\r\n", b"fffffffffffffffff\r\n", b"-1\r\n", b"\x1f\x8b\x08\x00", b"[" * 5000]
) | st.binary(max_size=40)


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """Raw bytes, mostly something like HTTP."""
    return draw(heads) + b"".join(draw(fields)) + draw(st.sampled_from([b"\r\n", b"\r\n\r\n", b""])) + draw(bodies)


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayingServer]:
    with ReplayingServer() as server:
        yield server


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    sender = make_sender(timeout_s=5, total_s=10, response_cap=4096)
    yield sender
    sender.close()


@given(reply=replies())
def test_each_answer_of_a_target_is_an_outcome(server: ReplayingServer, sender: Sender, reply: bytes) -> None:
    """Kept within its bound; the next request gets its own answer and nothing of this one."""
    server.reply = reply
    outcome = sender.send(Post(server.url()))
    assert isinstance(outcome, Outcome)
    if outcome.response is not None:
        assert len(outcome.response.text) <= 4096
    server.reply = OK
    after = sender.send(Post(server.url()))
    assert (Verdict.DELIVERED, "ok") == (after.verdict, after.response and after.response.text)


@given(reply=replies())
def test_each_answer_of_port_is_a_reply_or_an_error_of_ours(server: ReplayingServer, reply: bytes) -> None:
    """Also where it stands in place of a token."""
    server.reply = reply
    client = PortClient(server.url(""), "id", "secret-0123456789", read_timeout_s=5)
    try:
        assert isinstance(client.call("POST", "/v1/x", {"a": 1}), Reply)
    except (PortUnavailable, PortRefused):
        pass
    finally:
        client.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["accessToken", "expiresIn", "ok", "credentials", "username", "password", "brokers", "error"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(value=json_values)
def test_json_of_any_shape_from_port_is_a_reply_or_an_error_of_ours(server: ReplayingServer, value: object) -> None:
    """For a token, for Kafka's credentials and for a call."""
    body = json.dumps(value).encode()
    server.reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    client = PortClient(server.url(""), "id", "secret-0123456789", read_timeout_s=5)
    for call in (lambda: client.call("GET", "/v1/x", None), client.kafka_credentials):
        try:
            call()
        except (PortUnavailable, PortRefused):
            pass
    client.close()
