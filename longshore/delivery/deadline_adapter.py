"""`requests`' adapter for deliveries: the pools that obey an attempt's deadline, by origin and route."""

from typing import Any, NamedTuple

from longshore.delivery.connection_pool import pool_classes
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.request import SignedRequest
from longshore.delivery.resolver import Resolver
from longshore.delivery.target import Origin
from longshore.network.adapter import SharedTlsAdapter
from longshore.network.pooled_request import SentRequest, send_request
from longshore.network.socks_proxy import is_socks
from longshore.network.tls import Tls

MAX_POOLS = 256
"""Origins whose idle connections are kept."""


class ProxyRoute(NamedTuple):
    """How to reach an origin: its proxy, empty without one; whom to trust there, and which certificate to show."""

    proxy: str
    tls: Tls

    @property
    def is_forwarded(self) -> bool:
        """Whether a plain request goes to an HTTP proxy, which may answer in the target's place."""
        return bool(self.proxy) and not is_socks(self.proxy)

    @property
    def is_resolved_here(self) -> bool:
        """Whether we look the name up, and so know the address."""
        return not self.proxy or self.proxy.lower().startswith("socks5:")


class DeadlineAdapter(SharedTlsAdapter):
    """`requests`' adapter with pools that obey the attempt's deadline, and with shared TLS contexts."""

    def __init__(self, pool_size: int, resolver: Resolver, egress_policy: EgressPolicy, proxy_tls: Tls) -> None:
        super().__init__(pool_size, proxy_tls, MAX_POOLS, pool_classes(resolver, egress_policy))

    def transmit(self, request: SignedRequest, route: ProxyRoute, timeout_s: float) -> SentRequest:
        """Send `request`; `timeout_s` is for connecting, and for each write. Raises whatever `urllib3` raises."""
        scheme, _, _ = request.origin
        pool = self.find_pool(request.origin, route.tls, route.proxy)
        url, _, _ = request.url.partition("#")
        request_target = url if scheme == "http" and route.is_forwarded else "/" + url.split("/", 3)[3]
        return send_request(
            pool, request.method, request_target, request.headers, request.body, timeout_s, request.host
        )

    def connect(self, origin: Origin, route: ProxyRoute, timeout_s: float) -> Any:
        """A connection (urllib3's) as a request would get it, through which nothing was sent; to be closed.

        Raises whatever `urllib3` raises.
        """
        pool = self.find_pool(origin, route.tls, route.proxy)
        conn = pool._get_conn()
        conn.timeout = timeout_s
        try:
            if pool.proxy is not None and origin[0] == "https":
                pool._prepare_proxy(conn)
            else:
                conn.connect()
        except BaseException:
            conn.close()
            raise
        return conn
