"""Connections that carry another request only when nothing is left on them, and that say why a proxy opens no tunnel.

They hook into `urllib3` where it reads an answer, takes a connection from its pool and asks for a tunnel.
"""

import socket
import ssl
from collections.abc import Iterable, Mapping
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProxyError
from urllib3.util.ssltransport import SSLTransport

from longshore.network.answer import BoundedResponse
from longshore.network.idle_connections import IdleConnections
from longshore.network.request_head import encode_head, format_host, parse_authority
from longshore.network.socks_proxy import SocksProxy, open_tunnel

_PRINTABLE_SCHEMES = frozenset({"bearer", "digest", "kerberos", "negotiate", "ntlm"})
"""Login schemes that may be named: other words are whatever the proxy wrote."""


class TunnelRefused(OSError):
    """A proxy did not open a tunnel, but answered with `status`; `schemes` are the logins that it offers."""

    def __init__(self, status: int, schemes: frozenset[str]) -> None:
        super().__init__(f"the proxy answered {status}")
        self.status = status
        self.schemes = schemes


if TYPE_CHECKING:
    _Connection = HTTPConnection
else:
    _Connection = object


MAX_JOINED_BYTES = 65_536
"""Bytes up to which a body is joined to its head; copying a longer one costs more than a second system call."""


class _CheckedConnection(_Connection):
    response_class: type[HTTPResponse] = BoundedResponse
    _last_response: Any = None
    _next_response: BoundedResponse | None = None
    """Of the request that was sent, where it was looked at before it was read."""

    def __init__(self, *args: Any, _socks_options: Mapping[str, SocksProxy] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.socks_proxy = _socks_options["proxy"] if _socks_options else None

    def _new_conn(self) -> socket.socket:
        if self.socks_proxy is None:
            return super()._new_conn()
        try:
            return self._connect_to_socks(self.socks_proxy)
        except OSError as error:
            raise ProxyError("no way through the proxy", error) from error

    def _connect_to_socks(self, proxy: SocksProxy) -> socket.socket:
        sock = socket.create_connection((proxy.host, proxy.port), self.timeout)
        try:
            host = self.host if proxy.resolves else socket.getaddrinfo(self.host, self.port)[0][4][0]
            open_tunnel(sock, proxy, str(host), self.port)
        except BaseException:
            sock.close()
            raise
        return sock

    def write_request(
        self,
        method: str,
        request_target: str,
        headers: Mapping[str, str | bytes],
        body: bytes | None,
        host_header: str = "",
    ) -> None:
        """Send a request as `request` would, with no header of its own but `Host`. Raises ValueError and OSError."""
        if host_header:
            authority = host_header
        elif request_target.startswith("/"):
            host, port = (self._tunnel_host, self._tunnel_port) if self._tunnel_host else (self.host, self.port)
            authority = format_host(host, port, self.default_port)
        else:
            authority = parse_authority(request_target)
        head = encode_head(method, request_target, authority, headers)
        if self.sock is None:
            self.connect()
        else:
            self._set_timeout()
        if body is None or len(body) <= MAX_JOINED_BYTES:
            self.send(head + (body or b""))
        else:
            self.send(head)
            self.send(body)

    def read_response(self, method: str) -> BoundedResponse:
        """The head of the answer to a request by `method`. Raises HTTPException and OSError."""
        self._set_timeout()
        response = self._last_response = self._next_response or BoundedResponse(self.sock, method=method)
        self._next_response = response  # closed with the connection, should there be no head
        response.begin()
        self._next_response = None
        if response.will_close:
            self.close()  # the response has the socket still
        return response

    def has_response(self, method: str) -> bool:
        """Has the answer to a request by `method` begun, or the connection ended? Waits for nothing. Raises OSError.

        A TLS socket also becomes readable for what is no answer, such as session tickets (RFC 8446, 4.6.1).
        """
        if isinstance(self.sock, SSLTransport):  # reads in no other way than to its end
            return True
        if self._next_response is None:
            self._next_response = BoundedResponse(self.sock, method=method)
        self.sock.settimeout(0)
        try:
            self._next_response.fp.peek(1)
        except ssl.SSLWantReadError:
            return False
        return True

    def is_response_whole(self) -> bool:
        """Whether the answer that has begun can be read without waiting for more of it."""
        return self._next_response is not None and self._next_response.is_whole()

    def close(self) -> None:
        """As in `http.client`, with the reading end of an answer that nobody read."""
        response, self._next_response = self._next_response, None
        if response is not None:
            response.close()
        super().close()

    def _set_timeout(self) -> None:
        if self.sock.gettimeout() != self.timeout:  # setting it is a system call
            self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        """As in `urllib3`."""
        response = super().getresponse()
        # What comes behind the answer is only known once its body has been read.
        self._last_response = response._original_response
        return response

    @property
    def is_connected(self) -> bool:
        """May the next request go this way? Not where anything came that belongs to no request."""
        has_surplus = self._last_response is not None and self._last_response.has_surplus
        return super().is_connected and not has_surplus and not has_unread_tls_data(self.sock)

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel. Raises TunnelRefused, or what reading an answer raises."""
        authority = self._tunnel_host or ""
        authority = f"{f'[{authority}]' if ':' in authority else authority}:{self._tunnel_port}"
        headers = {**self._tunnel_headers, "Host": authority}  # type: ignore[attr-defined]
        lines = (f"{name}: {value}\r\n" for name, value in headers.items())
        self.send(f"CONNECT {authority} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))
        response = BoundedResponse(self.sock, method="CONNECT")
        try:
            response.begin()
            if response.status != 200 or response.is_truncated:
                challenges = response.headers.get_all("Proxy-Authenticate", ())
                raise TunnelRefused(response.status, parse_login_schemes(challenges))
        except BaseException:
            self.close()  # also tells `urllib3` that it is the proxy's fault
            raise
        finally:
            response.close()  # only the reading end


class Http(_CheckedConnection, HTTPConnection):
    """A plain connection."""


class Https(_CheckedConnection, HTTPSConnection):
    """A TLS connection."""


class HttpPool(HTTPConnectionPool):
    """Plain connections to one origin, or to one proxy."""

    ConnectionCls = Http
    QueueCls: Any = IdleConnections


class HttpsPool(HTTPSConnectionPool):
    """TLS connections to one origin, or to one proxy."""

    ConnectionCls = Https
    QueueCls: Any = IdleConnections


POOLS: dict[str, Any] = {"http": HttpPool, "https": HttpsPool}
"""The pool class of each scheme, for `urllib3`."""


def parse_login_schemes(challenges: Iterable[str]) -> frozenset[str]:
    """The login schemes, in lower case, that values of `Proxy-Authenticate` name (RFC 9110, 11.6.1)."""
    words = (each.split() for value in challenges for each in value.split(","))
    # A parameter of the scheme before it looks like name=value.
    return frozenset(word[0].lower() for word in words if word and "=" not in word[0])


def describe_login(schemes: frozenset[str]) -> str:
    """What a proxy that answered 407 wants, and the remedy, to go on after "the proxy"."""
    if schemes and not schemes & {"basic"}:
        names = ", ".join(
            name.upper() if name == "ntlm" else name.capitalize() for name in sorted(schemes & _PRINTABLE_SCHEMES)
        )
        return (
            f"wants a login that cannot be given from here (407, it offers only {names or 'others than Basic'}): "
            "let a local helper such as cntlm or px log in, and name that as the proxy"
        )
    return "wants a user name and a password (407): put them into the proxy's URL"


def has_unread_tls_data(sock: Any) -> bool:
    """Has TLS received anything that nobody has read? It does not show in the socket."""
    while isinstance(sock, SSLTransport):
        if sock.incoming.pending or sock.sslobj.pending():
            return True
        sock = sock.socket
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
