"""From what the mapping gave to a request ready to be sent: checked, signed, framed.

Wire contract, webhook request: the bytes that were signed are the bytes that are sent; a mapped header wins over ours,
the headers of signatures over mapped ones, in any case of letters; a GET carries its body too.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from longshore.delivery.send_errors import Unsendable
from longshore.delivery.signature_headers import build_signature_headers
from longshore.delivery.target import Origin, origin_of, prepare_url
from longshore.invocation.tls_section import TlsOptions

if TYPE_CHECKING:
    from requests.models import PreparedRequest


class OutgoingRequest(Protocol):
    """What is sent: the parts of a mapped request (`longshore.invocation.mapping.MappedRequest` fits)."""

    @property
    def method(self) -> str:
        """The verb, in any case."""

    @property
    def url(self) -> str | None:
        """Where to; None when the mapping gave nothing."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Mapped headers."""

    @property
    def query(self) -> Sequence[tuple[str, str]]:
        """What to append to the URL's query, already as text."""

    @property
    def body(self) -> str | None:
        """The exact text to sign and send; None: no body."""

    @property
    def content_type(self) -> str:
        """The Content-Type of the body, unless the mapping gave one."""

    @property
    def host(self) -> str:
        """The `Host` to send in place of the URL's; empty for that."""


Sign = Callable[[bytes | None, float], Mapping[str, str]]
"""Gives the headers of a signature over a body (None: no body), at a time in seconds since 1970."""

DEFAULT_HEADERS = {
    "user-agent": ("User-Agent", "longshore"),
    "accept-encoding": ("Accept-Encoding", "gzip, deflate"),
    "accept": ("Accept", "*/*"),
    "connection": ("Connection", "keep-alive"),
}
"""What goes out unless the mapping says otherwise, by lower-case name."""

_FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Mapped headers of these names are refused: the body's length is known, and two opinions on it let a proxy and a
target see different requests."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_SAFE_WITHOUT_LENGTH = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request ready to be sent, as it goes over the wire but for a `Host` that the URL gives."""

    method: str
    url: str
    origin: Origin
    headers: Mapping[str, str | bytes] = field(repr=False)
    body: bytes | None = field(repr=False)
    source: "PreparedRequest | None" = field(default=None, repr=False)
    """The same as `requests` has it, for one that a redirect led to."""
    tls: TlsOptions | None = None
    """The mapping's own options, for its own origin alone."""
    host: str = ""
    """The `Host` that the mapping asks for, for its own origin alone; empty for the URL's."""


def prepare(
    request: OutgoingRequest,
    extra: Mapping[str, str],
    secret: str,
    now: float,
    sign: Sign | None = None,
    tls: TlsOptions | None = None,
) -> SignedRequest:
    """`request` as it will go over the wire, signed with `secret` at `now` (seconds since 1970).

    `extra` headers (such as the idempotency key) give way to mapped ones of the same name. `sign` is for a signature
    beside Port's, `tls` are the mapping's own options. Raises Unsendable, with reason `bad_url` or `bad_request`, for
    what could not be sent or would smuggle something in.
    """
    method = _check_method(request.method)
    url = prepare_url(request.url or "", request.query)
    body = _encode_body(request.body)
    content_type = request.content_type if body is not None else None
    headers = _merge_headers(request.headers, extra, content_type, _name_hosts(url, request.host))
    signatures = build_signature_headers(secret, body, now)
    if sign is not None:
        signatures |= sign(body, now)
    for name, value in signatures.items():
        headers[name.lower()] = name, value
    if body is not None or method not in _SAFE_WITHOUT_LENGTH:
        headers["content-length"] = "Content-Length", str(len(body or b""))
    return SignedRequest(method, url, origin_of(url), dict(headers.values()), body, tls=tls, host=request.host)


def decode_headers(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    """`headers` as text; some are bytes."""
    return {name: value if isinstance(value, str) else value.decode() for name, value in headers.items()}


def _check_method(method: str) -> str:
    if not _TOKEN.fullmatch(method):
        raise Unsendable("bad_request", "the mapping gave a method that is no HTTP method")
    if method.upper() == "CONNECT":
        # It asks for a tunnel, behind which neither we nor a proxy would see what is called (RFC 9110, 9.3.6).
        raise Unsendable("bad_request", "the mapping gave the method CONNECT, which is no request: use another")
    return method.upper()


def _name_hosts(url: str, host: str) -> tuple[str, ...]:
    """What a mapped `Host` may name: the URL's host and port, and the `host` that the mapping asks for."""
    authority = url.split("/", 3)[2].lower()
    return (authority, host.lower()) if host else (authority,)


def _encode_body(body: str | None) -> bytes | None:
    if body is None:
        return None
    try:
        return body.encode()
    except UnicodeEncodeError:
        raise Unsendable("bad_request", "the body holds a lone surrogate, which cannot be encoded") from None


def _merge_headers(
    mapped_headers: Mapping[str, str], extra: Mapping[str, str], content_type: str | None, hosts: Collection[str]
) -> dict[str, tuple[str, str | bytes]]:
    """Name and value of each header by its name in lower case; `hosts` are those that a mapped `Host` may name."""
    headers: dict[str, tuple[str, str | bytes]] = dict(DEFAULT_HEADERS)
    for source in (extra, mapped_headers):
        for name, value in source.items():
            if (key := name.lower()) in _FRAMING:
                raise Unsendable("bad_request", f"the header {name} is not the mapping's to set: leave it out")
            if key != "host":
                headers[key] = name, _encode_value(name, value)
            elif value.strip().lower() not in hosts:
                # Behind a proxy or a gateway it chooses the target, past the limits and lists that go by the URL.
                remedy = "leave it out, or name it in the mapping's delivery.host_header"
                raise Unsendable("bad_request", f"the header Host names another host than the URL: {remedy}")
    if content_type is not None and "content-type" not in headers:
        headers["content-type"] = "Content-Type", content_type
    return headers


def _encode_value(name: str, value: str) -> str | bytes:
    """A header's value without outer spaces; bytes where Latin-1, the spelling of the wire, cannot hold it."""
    if not _TOKEN.fullmatch(name):
        raise Unsendable("bad_request", "the mapping gave a header whose name is no header name")
    if _FORBIDDEN.search(value):
        raise Unsendable("bad_request", f"the header {name} holds a line break or a NUL")
    text = value.strip(" \t")
    if text.isascii():
        return text
    try:
        text.encode("latin-1")
        return text
    except UnicodeEncodeError:
        pass  # what Latin-1 cannot say goes out as UTF-8, as curl and browsers do it
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unsendable("bad_request", f"the header {name} holds a lone surrogate") from None
