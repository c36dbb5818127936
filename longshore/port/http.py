"""One HTTP exchange with the Port API: pooled connections, timeouts, a bounded body, plain words for what fails."""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.exceptions import InvalidProxyURL
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError

from longshore.errors import PortUnavailable
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.answer import BoundedResponse, wrap
from longshore.network.causes import cause_of
from longshore.network.client_certificate import CertificateUnusable, wants_client_certificate
from longshore.network.connections import TunnelRefused, describe_login, parse_login_schemes
from longshore.network.no_proxy import select_proxies
from longshore.network.pooled_request import send_request
from longshore.network.socks_proxy import is_socks
from longshore.network.tls import BundleUnreadable, Tls
from longshore.port.replies import Reply
from longshore.port.size_limits import encode_json

_HEADERS = {"User-Agent": "port-agent", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}

LINGER_S = 0.002
"""An answer is waited for this long before the thread says that it may wait for long."""

Blocking = Callable[[], AbstractContextManager[None]]
"""Is entered by a thread that may wait for long."""

UNREADABLE = (BundleUnreadable, CertificateUnusable)
"""Files of ours."""

MAX_REPLY_BYTES = 4_194_304
"""Most bytes read of one reply: nothing we ask for comes near it."""


class PortHttp:
    """Sends requests to paths below `base_url`. Timeouts in seconds; a whole body may take four read timeouts."""

    def __init__(
        self,
        base_url: str,
        pool_size: int,
        connect_timeout_s: float,
        read_timeout_s: float,
        blocking: Blocking = nullcontext,
        tls: Tls | None = None,
    ) -> None:
        """`tls` names a client certificate; whom to trust is read from the environment."""
        self._base_url = _normalize(base_url)
        self._host = urlsplit(base_url).hostname or "?"
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._blocking = blocking
        # Proxies and CA bundle as requests finds them; once, as looking them up costs more than a call.
        environment = requests.Session().merge_environment_settings(base_url, {}, True, True, None)
        self._tls = replace(tls or Tls(), verify=environment["verify"] or True)
        self._proxy = next(iter(select_proxies(base_url, environment["proxies"]).values()), "")
        self._adapter = SharedTlsAdapter(pool_size, Tls(self._tls.verify))

    def send(
        self, method: str, path: str, body: Any, token: str | None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One exchange, with `token` as bearer if given. Raises PortUnavailable when no whole answer came.

        No error names more than the host: the texts of HTTP libraries may hold a proxy's password.
        """
        content = None if body is None else encode_json(body)
        try:
            return self._exchange(method, path, _build_headers(method, content, token, headers or {}), content)
        except (urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError, *UNREADABLE) as error:
            reason = f"Port at {self._host}: {self._describe(error)}"
            raise PortUnavailable(reason, may_be_taken=not _failed_before_sending(error)) from None

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _exchange(self, method: str, path: str, headers: Mapping[str, str | bytes], body: bytes | None) -> Reply:
        """Raises what HTTP libraries raise. A redirect is a reply, whose place nobody reads."""
        origin, prefix = self._place
        pool = self._adapter.find_pool(origin, self._tls, self._proxy)
        sent = send_request(pool, method, f"{prefix}{path}", headers, body, self._connect_timeout_s)
        try:
            with nullcontext() if sent.wait(LINGER_S) else self._blocking():
                response = sent.receive(self._read_timeout_s)
        except TimeoutError:
            # Whatever has cut this connection off, and told nobody, may have cut off those that lie idle; each of them
            # would cost a call, one after the other.
            if pool.pool is not None:  # as when all are closed
                pool.pool.close_all()
            raise
        try:
            if response.status == 407:  # Port has no such answer
                raise TunnelRefused(407, parse_login_schemes([response.find("proxy-authenticate")]))
            return Reply(response.status, self._read_body(response), CaseInsensitiveDict(response.fields.values()))
        finally:
            sent.release()

    @cached_property
    def _place(self) -> tuple[tuple[str, str, int], str]:
        """Scheme, host and port, and what stands before each path in a request line. Raises ValueError."""
        url = urlsplit(self._base_url)
        origin = url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        is_forwarded = self._proxy and not is_socks(self._proxy) and url.scheme == "http"
        return origin, f"http://{url.netloc.rpartition('@')[2]}{url.path}" if is_forwarded else url.path

    def _read_body(self, response: BoundedResponse) -> bytes:
        """The body, read piece by piece so that neither a drip nor an endless one holds a thread for ever."""
        deadline = time.monotonic() + 4 * self._read_timeout_s
        reader = wrap(response) if "content-encoding" in response.fields else response
        content = bytearray()
        while chunk := reader.read1(65_536):
            content += chunk
            if len(content) > MAX_REPLY_BYTES or time.monotonic() > deadline:
                raise TimeoutError
        return bytes(content)

    def _describe(self, error: Exception) -> str:
        """What failed, in plain words."""
        if isinstance(error, UNREADABLE):
            return str(error)
        if wants_client_certificate(error):
            return "it wants a client certificate, or another one: name it with PORT_API_TLS_CERTIFICATE"
        refusal = cause_of(error, TunnelRefused)
        if refusal is not None and refusal.status == 407:
            return f"the proxy {describe_login(refusal.schemes)}"
        if isinstance(error, ProxyError):
            return "the proxy does not answer, or opens no tunnel; check HTTPS_PROXY and NO_PROXY"
        if isinstance(error, InvalidProxyURL):
            return "the address of the proxy cannot be used; check HTTPS_PROXY (`longshore doctor`)"
        if cause_of(error, ssl.SSLError) is not None:
            return "its certificate is not accepted; if a proxy replaces it, mount the proxy's CA (`longshore ca show`)"
        if isinstance(error, ConnectTimeoutError):
            return f"no connection within {self._connect_timeout_s:g} s"
        if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
            return f"no whole answer within {self._read_timeout_s:g} s"
        if isinstance(error, OSError | HTTPException | NewConnectionError | NameResolutionError):
            return "no connection, or it was lost; check PORT_API_BASE_URL and the network"
        return f"the exchange failed ({type(error).__name__})"


def _normalize(base_url: str) -> str:
    """`base_url` as requests would call it; as it is, where that is nothing to call: each call will say so."""
    try:
        return (requests.Request("GET", base_url).prepare().url or base_url).rstrip("/")
    except ValueError:
        return base_url


def _failed_before_sending(error: Exception) -> bool:
    """Whether there was no connection to send anything over: then Port has surely not taken the call."""
    early = ProxyError, TunnelRefused, ConnectTimeoutError, NewConnectionError, ValueError, *UNREADABLE
    is_verification = cause_of(error, ssl.SSLCertVerificationError) is not None
    return isinstance(error, early) or is_verification or wants_client_certificate(error)


def _build_headers(
    method: str, content: bytes | None, token: str | None, more: Mapping[str, str]
) -> dict[str, str | bytes]:
    """In the order in which requests writes them."""
    headers: dict[str, str | bytes] = {**_HEADERS, **more}
    if content is not None:
        headers["Content-Type"] = "application/json"
    if content is not None or method != "GET":
        headers["Content-Length"] = str(len(content or b""))
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return headers
