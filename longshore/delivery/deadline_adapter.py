"""`requests`' adapter for deliveries: the pools that obey an attempt's deadline, by origin and route."""

from typing import Any, NamedTuple

from requests.models import PreparedRequest

from longshore.delivery.connection_pool import pool_classes
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.resolver import Resolver
from longshore.delivery.target import origin_of
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.pooled_request import SentRequest, send_request

MAX_POOLS = 256
"""Origins whose idle connections are kept."""


class ProxyRoute(NamedTuple):
    """How to reach an origin: its proxy, if it has one, by its scheme, and whom to trust (`TlsContexts.for_verify`)."""

    proxies: dict[str, str]
    verify: bool | str


class DeadlineAdapter(SharedTlsAdapter):
    """`requests`' adapter with pools that obey the attempt's deadline, and with shared TLS contexts."""

    def __init__(
        self, pool_size: int, resolver: Resolver, egress_policy: EgressPolicy, proxy_verify: bool | str
    ) -> None:
        super().__init__(pool_size, proxy_verify, MAX_POOLS, pool_classes(resolver, egress_policy))

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        """Which pool serves `request`: its origin and, for https, the TLS context."""
        scheme, host, port = origin_of(request.url or "")
        tls = {"ssl_context": self._contexts.for_verify(verify)} if scheme == "https" else {}
        return {"scheme": scheme, "host": host.strip("[]"), "port": port}, tls

    def transmit(self, request: PreparedRequest, route: ProxyRoute, timeout_s: float) -> SentRequest:
        """Send `request`; `timeout_s` is for connecting, and for each write. Raises whatever `urllib3` raises."""
        pool, request_target = self._pool(request, route)
        method, body = request.method or "", request.body
        return send_request(pool, method, request_target, request.headers, body, timeout_s)

    def connect(self, request: PreparedRequest, route: ProxyRoute, timeout_s: float) -> Any:
        """A connection (urllib3's) as `request` would get it, through which nothing was sent; to be closed.

        Raises whatever `urllib3` raises.
        """
        pool, _ = self._pool(request, route)
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

    def _pool(self, request: PreparedRequest, route: ProxyRoute) -> tuple[Any, str]:
        """The pool that serves `request`, and what its first line names: the path, or for some proxies the URL."""
        if route.proxies:
            pool = self.get_connection_with_tls_context(request, route.verify, proxies=route.proxies)
            return pool, self.request_url(request, route.proxies)
        # The same in short: looking for a proxy that is not there costs more than finding the pool.
        origin, tls = self.build_connection_pool_key_attributes(request, route.verify)
        return self.poolmanager.connection_from_host(**origin, pool_kwargs=tls), request.path_url
