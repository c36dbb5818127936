"""SOCKS5 proxies (RFC 1928): how they are named, and how a connection to one becomes a connection to a target."""

import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

SCHEMES = ("socks5", "socks5h")
"""With the second, names are looked up by the proxy."""
DEFAULT_PORT = 1080
_MAX_BYTES = 127
"""Of a name, a user name and a password: the library writes a longer one wrongly."""
_CONNECT = b"\x01"


class SocksRefused(OSError):
    """The proxy opens no connection; the text goes on behind "the proxy", and holds nothing that it wrote."""


@dataclass(frozen=True, slots=True)
class SocksProxy:
    """A proxy of a URL."""

    host: str
    port: int
    resolves: bool
    """Whether names are looked up by the proxy."""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def is_socks(url: str) -> bool:
    """Whether `url` names a SOCKS proxy, of whatever version."""
    return url[:5].lower() == "socks"


def parse_socks(url: str) -> SocksProxy:
    """The proxy at `url`. Raises ValueError for what is none of SOCKS5."""
    parts = urlsplit(url)
    username, password = (unquote(text or "") for text in (parts.username, parts.password))
    if parts.scheme not in SCHEMES or not parts.hostname or max(map(_count_bytes, (username, password))) > _MAX_BYTES:
        raise ValueError("no address of a SOCKS5 proxy")
    port = DEFAULT_PORT if parts.port is None else parts.port
    return SocksProxy(parts.hostname, port, parts.scheme == "socks5h", username, password)


def open_tunnel(sock: socket.socket, proxy: SocksProxy, host: str, port: int) -> None:
    """Let `sock`, which is connected to `proxy`, lead to `host`, an address or a name that the proxy looks up.

    Raises SocksRefused, TimeoutError and other OSErrors of the socket.
    """
    if _count_bytes(host) > _MAX_BYTES:
        raise SocksRefused(f"cannot be asked for a name of more than {_MAX_BYTES} bytes")
    import socks  # here, as few use such a proxy

    # Not the library's own socket: that opens connections without our deadlines, to addresses that nobody has judged.
    negotiator = socks.socksocket()
    try:
        negotiator.set_proxy(socks.SOCKS5, proxy.host, proxy.port, True, proxy.username, proxy.password)
        negotiator._SOCKS5_request(sock, _CONNECT, (host, port))
    except socks.SOCKS5AuthError:
        raise SocksRefused("wants a user name and a password, or others: put them into the proxy's URL") from None
    except socks.ProxyError as error:  # of the library's own few texts
        raise SocksRefused(f"opens no connection to {host}:{port} ({error.msg})") from None
    finally:
        negotiator.close()


def _count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
