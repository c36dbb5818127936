"""The pooled connections of one sender, and what the environment says about how to reach each origin.

Proxies, NO_PROXY and CA bundle are what `requests` reads from the environment, with its own rules, once per origin:
asking it for every request would cost more than sending one. `.netrc` is not read (it may name webhook hosts by
accident), and no cookie outlives its chain of redirects.
"""

import logging
from typing import Any, NamedTuple

from requests.models import PreparedRequest
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry
from urllib3.util import Timeout as Timeouts

from longshore.delivery.connection import pool_classes
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.failure_reasons import wants_client_certificate
from longshore.delivery.redirect import RedirectSession
from longshore.delivery.resolver import Resolver
from longshore.delivery.send_errors import BadUrl
from longshore.delivery.target import origin_of, prepare_url
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.answer import head_cut
from longshore.network.no_proxy import select_proxies

REMEMBERED = 1_024
"""Origins whose way is remembered. They come from payloads, so their number has no natural end."""

TLS_LOOK_S = 1.0
"""How long to find out whether TLS is spoken where plain HTTP was met with silence."""

POOLS = 256
"""Origins whose idle connections are kept."""

_NEVER = Retry(False)
"""Neither retries nor redirects: both are decided here, where it is known what was sent."""

# urllib3 writes whole URLs, and so queries, into its debug lines and into a warning about malformed headers.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class ProxyRoute(NamedTuple):
    """How to reach an origin: its proxy, if it has one, by its scheme, and whom to trust (`TlsContexts.for_verify`)."""

    proxies: dict[str, str]
    verify: bool | str


class Adapter(SharedTlsAdapter):
    """`requests`' adapter with pools that obey the attempt's deadline, and with shared TLS contexts."""

    def __init__(
        self, pool_size: int, resolver: Resolver, egress_policy: EgressPolicy, proxy_verify: bool | str
    ) -> None:
        super().__init__(pool_size, proxy_verify, POOLS, pool_classes(resolver, egress_policy))

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        """Which pool serves `request`: its origin and, for https, the TLS context."""
        scheme, host, port = origin_of(request.url or "")
        tls = {"ssl_context": self._contexts.for_verify(verify)} if scheme == "https" else {}
        return {"scheme": scheme, "host": host.strip("[]"), "port": port}, tls

    def open(self, request: PreparedRequest, way: ProxyRoute, timeout_s: float) -> BaseHTTPResponse:
        """Send `request` and return the response with its body still unread.

        `timeout_s` is for connecting and for each read. Raises whatever `urllib3` raises.
        """
        pool, place = self._pool(request, way)
        response: BaseHTTPResponse = pool.urlopen(
            request.method,
            place,
            body=request.body,
            headers=request.headers,
            retries=_NEVER,
            redirect=False,
            assert_same_host=False,
            timeout=Timeouts(connect=timeout_s, read=timeout_s),
            preload_content=False,
            decode_content=False,
        )
        return response

    def connect(self, request: PreparedRequest, way: ProxyRoute, timeout_s: float) -> Any:
        """A connection (urllib3's) as `request` would get it, through which nothing was sent; to be closed.

        Raises whatever `urllib3` raises.
        """
        pool, _ = self._pool(request, way)
        conn = pool._get_conn()
        conn.timeout = timeout_s
        try:
            if pool.proxy is not None and pool.scheme == "https" and (request.url or "").startswith("https"):
                pool._prepare_proxy(conn)
            else:
                conn.connect()
        except BaseException:
            conn.close()
            raise
        return conn

    def _pool(self, request: PreparedRequest, way: ProxyRoute) -> tuple[Any, str]:
        """The pool that serves `request`, and what its first line names: the path, or for some proxies the URL."""
        if way.proxies:
            pool = self.get_connection_with_tls_context(request, way.verify, proxies=way.proxies)
            return pool, self.request_url(request, way.proxies)
        # The same in short: looking for a proxy that is not there costs more than finding the pool.
        origin, tls = self.build_connection_pool_key_attributes(request, way.verify)
        return self.poolmanager.connection_from_host(**origin, pool_kwargs=tls), request.path_url


class Session:
    """Connections for any number of threads at once."""

    def __init__(self, verify: bool, pool_size: int, resolver: Resolver, egress_policy: EgressPolicy) -> None:
        self._verify = verify
        self._egress_policy = egress_policy
        self._requests = RedirectSession()
        self._ways: dict[tuple[str, str, int], ProxyRoute] = {}
        self._answered: set[tuple[str, str, int]] = set()
        """Origins that have answered."""
        self._adapter = Adapter(pool_size, resolver, egress_policy, self._ask("https://proxy.invalid/").verify)

    def open(self, request: PreparedRequest, timeout_s: float) -> BaseHTTPResponse:
        """Send `request`; see `Adapter.open`. Raises Denied too, for a place that may not be called."""
        url = request.url or ""
        way = self.way(url)
        if way.proxies:
            # The connection to the proxy may have been opened for another target, so each request is judged.
            _, host, port = origin_of(url)
            self._egress_policy.before_proxy(host, port)
        response = self._adapter.open(request, way, timeout_s)
        if len(self._answered) >= REMEMBERED:
            self._answered.clear()
        self._answered.add(origin_of(url))
        return response

    def connect(self, request: PreparedRequest, timeout_s: float, *, trusting: bool = False) -> Any:
        """A connection as `open` would make it, with nothing sent; `trusting` any certificate. Raises as `open`."""
        url = request.url or ""
        way = self.way(url)
        if way.proxies:
            _, host, port = origin_of(url)
            self._egress_policy.before_proxy(host, port)
        return self._adapter.connect(request, way._replace(verify=False) if trusting else way, timeout_s)

    def speaks_tls(self, url: str) -> bool:
        """Does the port of `url` (plain http, no proxy, never answered in HTTP so far) take a TLS handshake?

        Many servers hang up without a word on whom they take for no TLS. Nothing is sent to one but the handshake.
        """
        scheme, host, port = origin = origin_of(url)
        if scheme != "http" or origin in self._answered or self.way(url).proxies:
            return False
        request = PreparedRequest()
        request.url = f"https://{host}:{port}/"
        if self.way(request.url).proxies:
            return False
        try:
            self._adapter.connect(request, self.way(request.url)._replace(verify=False), TLS_LOOK_S).close()
        except Exception as error:
            return wants_client_certificate(error)
        return True

    def way(self, url: str) -> ProxyRoute:
        """How to reach `url`, as the environment had it when its origin was first asked for."""
        origin = origin_of(url)
        way = self._ways.get(origin)
        if way is None:
            if len(self._ways) >= REMEMBERED:
                self._ways.clear()
            way = self._ways[origin] = self._ask(url)
        return way

    def redirected(self, request: PreparedRequest, raw: BaseHTTPResponse) -> PreparedRequest | None:
        """The request that `raw`, the answer to `request`, redirects to; None when it is no redirect.

        The body of `raw` must have been read. Raises BadUrl, `requests`' errors or ValueError for a
        place that is none, or that the answer broke off before.
        """
        if raw.status not in (301, 302, 303, 307, 308):
            return None
        if "location" not in raw.headers:
            if head_cut(raw):
                raise BadUrl("the redirect broke off before its place", "bad_redirect")
            return None
        response = self._adapter.build_response(request, raw)
        following = self._requests.follow(request, response)
        if following is not None:
            origin_of(prepare_url(following.url or ""))
        return following

    def close(self) -> None:
        """Close what is idle; attempts under way end by themselves."""
        self._adapter.close()

    def _ask(self, url: str) -> ProxyRoute:
        # As an argument, because REQUESTS_CA_BUNDLE overrules a session's `verify = False`.
        found = self._requests.merge_environment_settings(url, {}, None, self._verify, None)
        verify = found["verify"] if isinstance(found["verify"], str) else self._verify
        return ProxyRoute(select_proxies(url, found["proxies"]), verify)
