"""The head of a request is, byte for byte, what `requests` and `urllib3` make of the same parts."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.url import _encode_target

from longshore.network.connections import Http, Https
from longshore.network.request_head import encode_head, encode_target

TOKEN = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=12)
VALUE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30).map(str.strip)
HEADERS = st.dictionaries(TOKEN, st.one_of(VALUE, VALUE.map(lambda value: value.encode("utf-8"))), max_size=6).map(
    lambda headers: {"User-Agent": "longshore", "Accept-Encoding": "gzip", **headers}
)
TEXT = st.text("abZ09 -._~%2fFé[]{}|\\^\"<>&=+/?:@!$'()*,;", max_size=30)


class _Recorder:
    """In place of a socket: what was written."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += bytes(data)

    def settimeout(self, _: object) -> None:
        pass

    def gettimeout(self) -> None:
        return None


def written(conn: Any, write: str, *args: Any, **options: Any) -> bytes:
    """What `write` of a connection sends."""
    conn.sock = recorder = _Recorder()
    getattr(conn, write)(*args, **options)
    return recorder.sent


def both(ours: Any, theirs: Any, method: str, target: str, headers: Any, body: bytes | None) -> tuple[bytes, bytes]:
    """What our connection writes, and what `urllib3`'s does."""
    length = {} if body is None else {"Content-Length": str(len(body))}
    headers = {name: value for name, value in headers.items() if name.lower() not in _OF_FRAMING} | length
    return (
        written(ours, "write_request", method, target, headers, body),
        _ZONE.sub(rb"\1]", written(theirs, "request", method, target, body=body, headers=headers), count=1),
    )


_ZONE = re.compile(rb"(\r\nHost: \[[^\]%]*)%[^\]]*\]")
"""Of an IPv6 address, as a Python before 3.11.4 writes it: Longshore does not (RFC 6874, 4)."""

_OF_FRAMING = {"host", "content-length", "transfer-encoding"}
HOSTS = ["a.example", "a.example.", "127.0.0.1", "::1", "fe80::1%eth0", "xn--bcher-kva.example"]


@given(
    st.sampled_from(HOSTS),
    st.sampled_from([80, 443, 8080]),
    st.booleans(),
    st.sampled_from(["GET", "POST", "REPORT"]),
    TEXT,
    HEADERS,
    st.one_of(st.none(), st.binary(max_size=50)),
)
def test_a_request_is_written_as_urllib3_writes_it(
    host: str, port: int, is_tls: bool, method: str, path: str, headers: Any, body: bytes | None
) -> None:
    """Whatever the host, the headers and the body are."""
    if body is None and method != "GET":
        body = b""
    ours, theirs = (Https, HTTPSConnection) if is_tls else (Http, HTTPConnection)
    target = encode_target(f"/{path}")
    sent, expected = both(ours(host, port), theirs(host, port), method, target, headers, body)

    assert expected == sent


@pytest.mark.parametrize("host", ["a.example", "[::1]", "[fe80::1%25eth0]"])
def test_a_proxy_is_told_the_whole_url_and_its_host(host: str) -> None:
    """It forwards plain HTTP by them."""
    target = f"http://{host}/a?b=c"
    sent, expected = both(Http("p", 3128), HTTPConnection("p", 3128), "GET", target, {"User-Agent": "a"}, None)
    # urllib3 writes one for whoever names none.
    assert expected.replace(b"Accept-Encoding: identity\r\n", b"") == sent


@pytest.mark.parametrize(("host", "port"), [("a.example", 443), ("a.example", 8443), ("[::1]", 443)])
def test_a_request_within_a_tunnel_names_the_target_and_not_the_proxy(host: str, port: int) -> None:
    """The proxy sees none of it."""
    ours, theirs = Https("p", 3128), HTTPSConnection("p", 3128)
    for conn in (ours, theirs):
        conn.set_tunnel(host, port, scheme="https")
    sent, expected = both(ours, theirs, "GET", "/", {"User-Agent": "a", "Accept-Encoding": "b"}, None)

    assert expected == sent


@given(TEXT, TEXT)
def test_a_target_is_encoded_as_requests_and_urllib3_do_together(path: str, query: str) -> None:
    """The quick way around the encoding is taken for nothing that needs it."""
    request = requests.Request("GET", f"http://a.example/{path}?{query}").prepare()
    url = request.url or ""
    target = "/" + url.partition("#")[0].split("/", 3)[3]

    assert _encode_target(request.path_url) == encode_target(target)
    assert urlsplit(url).netloc == "a.example"


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\n", "a\rb", b"a\r\nB: c", "\r\n b"])
def test_a_line_break_in_a_header_is_refused(value: str | bytes) -> None:
    """Whoever let it through: it would be another header, or another request."""
    with pytest.raises(ValueError, match="line break"):
        encode_head("GET", "/", "a", {"A": value})


@pytest.mark.parametrize(
    ("method", "target"), [("GET /b HTTP/1.1\r\nA:", "/"), ("GET", "/ HTTP/1.1"), ("GET", "/\x7f")]
)
def test_a_request_line_has_three_words(method: str, target: str) -> None:
    """As `http.client` holds it."""
    with pytest.raises(ValueError, match="a space or a control character"):
        encode_head(method, target, "a", {})
