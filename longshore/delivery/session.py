"""The pooled connections of one sender, and what the environment says about how to reach each origin.

Proxies, NO_PROXY and CA bundle are what `requests` reads from the environment, with its own rules, once per origin:
asking it for every request would cost more than sending one. `.netrc` is not read (it may name webhook hosts by
accident), and no cookie outlives its chain of redirects.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from longshore.delivery.deadline_adapter import DeadlineAdapter, ProxyRoute
from longshore.delivery.egress_policy import EgressPolicy
from longshore.delivery.redirect import RedirectSession
from longshore.delivery.request import SignedRequest
from longshore.delivery.resolver import Resolver
from longshore.delivery.send_errors import BadUrl, Denied
from longshore.delivery.target import DEFAULT_PORTS, Origin, target_of
from longshore.delivery.target_options import TargetTable
from longshore.invocation.tls_section import TlsOptions
from longshore.network.answer import BoundedResponse
from longshore.network.client_certificate import wants_client_certificate
from longshore.network.no_proxy import select_proxies
from longshore.network.pooled_request import SentRequest
from longshore.network.tls import Tls

MAX_ORIGINS = 1_024
"""Origins whose route is remembered. They come from payloads, so their number has no natural end."""

TLS_PROBE_TIMEOUT_S = 1.0
"""How long to try a TLS handshake where plain HTTP got no answer."""

# urllib3 writes whole URLs, and so queries, into its debug lines and into a warning about malformed headers.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes by one content of the targets file."""

    targets: TargetTable
    by_origin: dict[Origin | tuple[Origin, TlsOptions], ProxyRoute] = field(default_factory=dict)


class Session:
    """Connections for any number of threads at once."""

    def __init__(
        self,
        verify: bool,
        pool_size: int,
        resolver: Resolver,
        egress_policy: EgressPolicy,
        targets: Callable[[], TargetTable],
    ) -> None:
        self._verify = verify
        self._targets = targets
        self._egress_policy = egress_policy
        self._requests = RedirectSession()
        self._routes = _Routes(targets())
        self._http_origins: set[Origin] = set()
        """Origins that have answered in HTTP."""
        proxy_tls = self._find_route("https://proxy.invalid/", TlsOptions()).tls
        self._adapter = DeadlineAdapter(pool_size, resolver, egress_policy, proxy_tls)

    def send(self, request: SignedRequest, timeout_s: float) -> SentRequest:
        """Send `request`; see `DeadlineAdapter.transmit`. Raises Denied too, for a host that may not be called."""
        route = self._check(request.origin, request.tls)
        if request.host and route.is_forwarded and request.origin[0] == "http":
            # It forwards what it reads, and some choose the target by it: past the limits and lists that go by the URL.
            raise Denied(
                "delivery.host_header cannot be used over http through an HTTP proxy: call the gateway without one"
            )
        return self._adapter.transmit(request, route, timeout_s)

    def note_answer(self, origin: Origin) -> None:
        """What listens at `origin` has answered in HTTP."""
        if origin not in self._http_origins:
            if len(self._http_origins) >= MAX_ORIGINS:
                self._http_origins.clear()
            self._http_origins.add(origin)

    def connect(self, origin: Origin, timeout_s: float, *, verify: bool = True, tls: TlsOptions | None = None) -> Any:
        """A connection as `send` would make it, with nothing sent; without `verify` any certificate is accepted.

        Raises as `send`.
        """
        route = self._check(origin, tls)
        return self._adapter.connect(origin, route if verify else _unverified(route), timeout_s)

    def speaks_tls(self, origin: Origin) -> bool:
        """Does the port of `origin` (plain http, no proxy, never answered in HTTP so far) take a TLS handshake?

        Many servers hang up without a word on whom they take for no TLS. Nothing is sent to one but the handshake.
        """
        scheme, host, port = origin
        if scheme != "http" or origin in self._http_origins or self.route(origin).proxy:
            return False
        origin = "https", host, port
        if self.route(origin).proxy:
            return False
        try:
            self._adapter.connect(origin, _unverified(self.route(origin)), TLS_PROBE_TIMEOUT_S).close()
        except Exception as error:
            return wants_client_certificate(error)
        return True

    def route(self, origin: Origin, tls: TlsOptions | None = None) -> ProxyRoute:
        """How to reach `origin`, from the environment as it was when it was first called.

        `tls` are the options of the mapping; without them those count that the targets file has for it.
        """
        key = origin if tls is None else (origin, tls)
        targets, routes = self._targets(), self._routes
        if routes.targets is not targets:
            routes = self._routes = _Routes(targets)
        route = routes.by_origin.get(key)
        if route is None:
            if len(routes.by_origin) >= MAX_ORIGINS:
                routes.by_origin.clear()
            scheme, host, port = origin
            authority = host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
            url = f"{scheme}://{authority}/"
            if tls is None:
                entry = targets.find(target_of(url))
                tls = entry.tls if entry is not None else None
            route = routes.by_origin[key] = self._find_route(url, tls or TlsOptions())
        return route

    def build_redirect(self, request: SignedRequest, response: BoundedResponse) -> SignedRequest | None:
        """The request that `response`, the answer to `request`, redirects to; None when it is no redirect.

        Its body must have been read. Raises BadUrl, `requests`' errors or ValueError for a location that is no URL, or
        that is missing from a truncated head.
        """
        if response.status not in (301, 302, 303, 307, 308):
            return None
        if "location" not in response.fields:
            if response.is_truncated:
                raise BadUrl("the redirect broke off before its place", "bad_redirect")
            return None
        return self._requests.follow(request, response)

    def close(self) -> None:
        """Close what is idle; attempts under way end by themselves."""
        self._adapter.close()

    def _check(self, origin: Origin, tls: TlsOptions | None = None) -> ProxyRoute:
        """The route to `origin`. Raises Denied for a host that no proxy may be asked for."""
        route = self.route(origin, tls)
        if not route.is_resolved_here:
            # The connection to the proxy may have been opened for another target, so each request is judged.
            _, host, port = origin
            self._egress_policy.check_for_proxy(host, port)
        return route

    def _find_route(self, url: str, options: TlsOptions) -> ProxyRoute:
        verify = bool(options.ca) or (self._verify if options.verify is None else options.verify)
        # As an argument, because REQUESTS_CA_BUNDLE overrules a session's `verify = False`.
        environment = self._requests.merge_environment_settings(url, {}, None, verify, None)
        bundle = environment["verify"] if isinstance(environment["verify"], str) else verify
        tls = Tls(options.ca or bundle, options.certificate, options.key, key_password_file=options.key_password_file)
        return ProxyRoute(next(iter(select_proxies(url, environment["proxies"]).values()), ""), tls)


def _unverified(route: ProxyRoute) -> ProxyRoute:
    return route._replace(tls=replace(route.tls, verify=False))
