"""The head of a request as bytes: the same ones that `http.client` and `urllib3` would write, at less cost."""

import re
from collections.abc import Mapping

from urllib3.util import parse_url
from urllib3.util.url import _encode_target

_PLAIN_TARGET = re.compile(
    r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?"
)
"""A path and a query that need no encoding (RFC 3986, 3.3 and 3.4)."""

_ZONE = re.compile(r"%[^\]]*")
"""Of an IPv6 address: it means something to this machine alone (RFC 6874, 4)."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")


def encode_head(method: str, request_target: str, host: str, headers: Mapping[str, str | bytes]) -> bytes:
    """The request line, `Host`, and `headers`, to which nothing is added; a value that is text goes out in Latin-1.

    Raises ValueError for what would not be this head alone.
    """
    if _FORBIDDEN.search(method) or _FORBIDDEN.search(request_target):
        raise ValueError("a method or a request target holds a space or a control character")
    lines = [f"{method} {request_target} HTTP/1.1\r\nHost: {host}\r\n"]
    for name, value in headers.items():
        lines.append(f"{name}: {value if isinstance(value, str) else value.decode('latin-1')}\r\n")
    head = "".join(lines)
    if not head.count("\n") == head.count("\r") == len(headers) + 2:
        raise ValueError("a header holds a line break")
    return f"{head}\r\n".encode("latin-1")


def encode_target(request_target: str) -> str:
    """A path, or a whole URL for a proxy, without what cannot stand in a request line."""
    if _PLAIN_TARGET.fullmatch(request_target):
        return request_target
    if request_target.startswith("/"):
        return str(_encode_target(request_target))
    return str(parse_url(request_target)._replace(fragment=None).url)


def parse_authority(url: str) -> str:
    """The value of `Host` for a whole `url`."""
    authority = url.split("/", 3)[2]
    return _ZONE.sub("", authority) if authority.startswith("[") else authority


def format_host(host: str, port: int | None, default_port: int) -> str:
    """The value of `Host` for `host` (IPv6 without brackets)."""
    if ":" in host:
        host = f"[{_ZONE.sub('', host)}]"
    return host if port == default_port else f"{host}:{port}"
