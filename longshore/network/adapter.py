"""The connections of `requests`, with our own pools, and TLS contexts that are shared and that follow their bundle.

Without this, every new connection reads the whole bundle, and a connection to an https proxy trusts for ever what it
trusted at first.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from requests.models import PreparedRequest
from requests.utils import prepend_scheme_if_needed
from urllib3.util import parse_url

from longshore.network.connections import POOLS
from longshore.network.socks_proxy import is_socks, parse_socks
from longshore.network.tls import Tls, TlsContexts


class SharedTlsAdapter(HTTPAdapter):
    """`requests`' adapter; `proxy_tls` says whom to trust as an https proxy.

    `pool_classes` are `urllib3`'s pools by scheme. A proxy that cannot be used raises InvalidProxyURL, whatever is
    wrong with its address: other errors would be taken for the request's, and may quote the proxy's password.
    """

    def __init__(
        self,
        pool_size: int,
        proxy_tls: Tls,
        pools: int = 10,
        pool_classes: dict[str, Any] = POOLS,
    ) -> None:
        self._contexts = TlsContexts(self._drop_pools)
        self._pool_classes = pool_classes
        self._proxy_tls = proxy_tls
        self._proxy_lock = threading.Lock()
        self._max_pools = pools
        self._direct_pools: dict[tuple[Any, ...], Any] = {}
        super().__init__(pool_connections=pools, pool_maxsize=pool_size)

    def find_pool(self, origin: tuple[str, str, int], tls: Tls, proxy: str = "") -> Any:
        """The pool (urllib3's) that serves `origin` (scheme, host, port), through `proxy` unless it is empty.

        Pools of other `tls` options are others. Direct ones, and those through a SOCKS proxy, are remembered, as
        `urllib3` takes as long to find one as to send a request. Raises BundleUnreadable, CertificateUnusable,
        InvalidProxyURL.
        """
        scheme, host, port = origin
        options: dict[str, Any] = {"ssl_context": self._contexts.get(tls)} if scheme == "https" else {}
        if proxy and not is_socks(proxy):
            with _blame_proxy(proxy):
                address = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
                if not (parse_url(address).host and urlsplit(proxy)):  # the one takes what the other refuses
                    raise ValueError("a proxy without a host")
                return self.proxy_manager_for(address).connection_from_host(host.strip("[]"), port, scheme, options)
        key = (origin, options.get("ssl_context"), proxy)
        pool = self._direct_pools.get(key)
        if pool is None:
            if len(self._direct_pools) >= self._max_pools:
                self._direct_pools.pop(next(iter(self._direct_pools)), None)
            if proxy:
                with _blame_proxy(proxy):
                    options["_socks_options"] = {"proxy": parse_socks(proxy)}
            pool = self._direct_pools[key] = self.poolmanager.connection_from_host(
                host.strip("[]"), port, scheme, options
            )
        return pool

    def close(self) -> None:
        """As in `requests`."""
        self._direct_pools.clear()
        super().close()

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """As in `requests`."""
        with _blame_proxy(proxies):
            return super().get_connection_with_tls_context(request, verify, proxies, cert)

    def request_url(self, request: PreparedRequest, proxies: Any) -> Any:
        """As in `requests`."""
        with _blame_proxy(proxies):
            return super().request_url(request, proxies)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """As in `requests`. An https proxy is checked like an https target, and again when the bundle has changed."""
        with self._proxy_lock:
            if proxy.lower().startswith("https"):
                context = options["proxy_ssl_context"] = self._contexts.get(self._proxy_tls)
                manager = self.proxy_manager.get(proxy)
                if manager is not None and manager.proxy_config.ssl_context is not context:
                    del self.proxy_manager[proxy]
            manager = super().proxy_manager_for(proxy, **options)
            return manager if is_socks(proxy) else self._set_pool_classes(manager)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As in `requests`, with our pools."""
        super().init_poolmanager(*args, **options)
        self._set_pool_classes(self.poolmanager)

    def build_connection_pool_key_attributes(self, request: PreparedRequest, verify: Any, cert: Any = None) -> Any:
        """Which pool serves `request`: its origin and, for https, the TLS context."""
        origin, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        if origin["scheme"] != "https":
            return origin, {}
        certificate, key = (cert, "") if isinstance(cert, str) else cert or ("", "")
        return origin, {"ssl_context": self._contexts.get(Tls(verify, certificate, key))}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the context decides. `requests` would load the bundle into it once more for each connection."""

    def _drop_pools(self, context: ssl.SSLContext) -> None:
        """Nobody finds the pools of `context` any more. Not closed: a request may just have found one."""
        for key in list(self._direct_pools):
            if key[1] is context:
                self._direct_pools.pop(key, None)
        for manager in (self.poolmanager, *list(self.proxy_manager.values())):
            pools = manager.pools
            with pools.lock:
                for key in [key for key in pools._container if key.key_ssl_context is context]:
                    del pools._container[key]

    def _set_pool_classes(self, pool_manager: Any) -> Any:
        pool_manager.pool_classes_by_scheme = self._pool_classes
        return pool_manager


@contextmanager
def _blame_proxy(proxies: Any) -> Iterator[None]:
    """Attributes an unusable address to the proxy: that of the request was parsed before."""
    try:
        yield
    except ValueError:
        if not proxies:
            raise
        raise InvalidProxyURL("the address of the proxy cannot be used") from None
