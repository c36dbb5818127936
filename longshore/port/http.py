"""One HTTP exchange with the Port API: pooled connections, timeouts, a bounded body, plain words for what fails."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from longshore.errors import PortUnavailable
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.causes import cause_of
from longshore.network.connections import TunnelRefused, describe_login, parse_login_schemes
from longshore.network.no_proxy import select_proxies
from longshore.network.tls import BundleUnreadable
from longshore.port.replies import Reply
from longshore.port.size_limits import encode_json

_HEADERS = {"User-Agent": "port-agent", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}

_JSON = {"Content-Type": "application/json"}

MAX_REPLY_BYTES = 4_194_304
"""Most bytes read of one reply: nothing we ask for comes near it."""


class _Session(requests.Session):
    """Follows no redirect, nor reads its place: `requests` does so in any case, and may fail at it."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        return iter(())


class PortHttp:
    """Sends requests to paths below `base_url`. Timeouts in seconds; a whole body may take four read timeouts."""

    def __init__(self, base_url: str, pool_size: int, connect_timeout_s: float, read_timeout_s: float) -> None:
        self._base_url = base_url
        self._host = urlsplit(base_url).hostname or "?"
        self._timeout = (connect_timeout_s, read_timeout_s)
        self._session = _Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Proxies and CA bundle as requests finds them; once, as looking them up costs as much as half a call.
        self._environment = self._session.merge_environment_settings(base_url, {}, True, True, None)
        self._environment["proxies"] = select_proxies(base_url, self._environment["proxies"])
        adapter = SharedTlsAdapter(pool_size, self._environment["verify"] or True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self, method: str, path: str, body: Any, token: str | None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One exchange, with `token` as bearer if given. Raises PortUnavailable when no whole answer came.

        No error names more than the host: the texts of requests may hold a proxy's password.
        """
        request = requests.PreparedRequest()
        try:
            request.prepare(
                method=method,
                url=self._base_url + path,
                headers={**_HEADERS, **(headers or {}), **({} if body is None else _JSON)},
                data=None if body is None else encode_json(body),
                # Given as `auth`, because a ~/.netrc entry would replace a mere Authorization header.
                auth=_bearer_auth(token),
            )
            with self._session.send(
                request, timeout=self._timeout, allow_redirects=False, **self._environment
            ) as response:
                if response.status_code == 407:  # Port has no such answer; to a tunnel's it becomes a ProxyError
                    schemes = parse_login_schemes([response.headers.get("Proxy-Authenticate", "")])
                    raise requests.exceptions.ProxyError from TunnelRefused(407, schemes)
                return Reply(response.status_code, self._read_body(response), response.headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, BundleUnreadable) as error:
            reason = f"Port at {self._host}: {self._describe(error)}"
            raise PortUnavailable(reason, may_be_taken=not _failed_before_sending(error)) from None

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _read_body(self, response: requests.Response) -> bytes:
        """The body, read piece by piece so that neither a drip nor an endless one holds a thread for ever."""
        deadline = time.monotonic() + 4 * self._timeout[1]
        content = bytearray()
        while chunk := response.raw.read1(65_536, decode_content=True):
            content += chunk
            if len(content) > MAX_REPLY_BYTES or time.monotonic() > deadline:
                raise requests.Timeout
        return bytes(content)

    def _describe(self, error: Exception) -> str:
        """What failed, in plain words."""
        if isinstance(error, BundleUnreadable):
            return str(error)
        if isinstance(error, requests.exceptions.ProxyError):
            refusal = cause_of(error, TunnelRefused)
            if refusal is not None and refusal.status == 407:
                return f"the proxy {describe_login(refusal.schemes)}"
            return "the proxy does not answer, or opens no tunnel; check HTTPS_PROXY and NO_PROXY"
        if isinstance(error, requests.exceptions.InvalidProxyURL):
            return "the address of the proxy cannot be used; check HTTPS_PROXY (`longshore doctor`)"
        if isinstance(error, requests.exceptions.SSLError):
            return "its certificate is not accepted; if a proxy replaces it, mount the proxy's CA (`longshore ca show`)"
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._timeout[0]:g} s"
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return f"no whole answer within {self._timeout[1]:g} s"
        if isinstance(error, requests.ConnectionError):
            return "no connection, or it was lost; check PORT_API_BASE_URL and the network"
        return f"the exchange failed ({type(error).__name__})"


def _failed_before_sending(error: Exception) -> bool:
    """Whether there was no connection to send anything over: then Port has surely not taken the call."""
    if isinstance(error, requests.exceptions.ProxyError | requests.ConnectTimeout | BundleUnreadable | ValueError):
        return True
    early = (urllib3.exceptions.NewConnectionError, ssl.SSLCertVerificationError)
    return any(cause_of(error, each) is not None for each in early)


def _bearer_auth(token: str | None) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """The bearer token, or nothing, as requests' `auth`."""

    def apply(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return apply
