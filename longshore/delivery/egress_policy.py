"""Which hosts may be called: the operator's two lists, and what nobody's mapping should reach.

Payloads choose URLs, so a webhook could be turned against the machine it leaves from: at a cloud's metadata service,
which hands out credentials, or at our own Redis and Kafka, which believe whoever speaks to them. Names are judged
before they are looked up and addresses after, and the addresses judged are those connected to: a name that resolves
to something else a moment later gains nothing. Through a proxy only the name can be judged.

In this order: `deny` is final. Metadata and our own services need an entry of their own in `allow`, since one as wide
as `*` or `10.0.0.0/8` was not written with them in mind. Then `allow`, unless empty, must have the host.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import unquote

from longshore.delivery.addresses import IP, canonical, is_local_address, is_local_name, parse_any_spelling
from longshore.delivery.host_patterns import HostPattern, HostPatterns
from longshore.delivery.metadata_services import METADATA, METADATA_NAMES, find_special_networks
from longshore.delivery.resolver import AddrInfo, Resolver
from longshore.delivery.send_errors import Denied

_CACHE_SIZE = 1_024
"""Hosts and addresses whose reading is remembered: it would double what a new connection costs."""


class InternalService(NamedTuple):
    """Something of ours that no webhook may speak to: what it is, and where."""

    name: str
    host: str
    port: int


class EgressPolicy:
    """Says no, with the reason. May be shared by any number of threads.

    `internal_services` are our own services; it may be replaced at any time.
    """

    def __init__(
        self,
        allow: HostPatterns | None = None,
        deny: HostPatterns | None = None,
        internal_services: Sequence[InternalService] = (),
    ) -> None:
        self._allow = HostPatterns() if allow is None else allow
        self._deny = HostPatterns() if deny is None else deny
        self.internal_services: Sequence[InternalService] = internal_services
        self._last_addresses: dict[InternalService, Sequence[IP]] = {}

    def check_before_lookup(self, host: str, port: int) -> None:
        """Raises Denied for a host that need not be looked up to be refused."""
        name, address = _parse_host(host)
        needs_address = address is None and self._allow.needs_address
        self._deny_if(
            self._find_deny_reason(name, port, address)
            or (None if needs_address else self._find_allow_reason(name, port, address))
        )

    def check_for_proxy(self, host: str, port: int) -> None:
        """Raises Denied for a host that a proxy may not be asked for; what it resolves to is the proxy's business."""
        name, address = _parse_host(host)
        self._deny_if(self._find_deny_reason(name, port, address) or self._find_allow_reason(name, port, address))

    def filter_addresses(
        self, host: str, port: int, addresses: Sequence[AddrInfo], resolver: Resolver, timeout_s: float
    ) -> Sequence[AddrInfo]:
        """Those of `addresses`, to which `host` resolved, that may be connected to. Raises Denied if there are none.

        Our own services at this port are looked up with `resolver`, within `timeout_s` each.
        """
        name, _ = _parse_host(host)
        internal_services = [
            (each, self._resolve_service(each, resolver, timeout_s))
            for each in self.internal_services
            if each.port == port
        ]
        causes: list[str] = []
        reachable = []
        for each in addresses:
            address = _ip_of(each)
            cause = (
                self._find_deny_reason(name, port, address)
                or self._find_internal_reason(name, port, address, internal_services)
                or self._find_allow_reason(name, port, address)
            )
            if cause is None:
                reachable.append(each)
            else:
                causes.append(cause)
        if causes and not reachable:
            raise Denied(causes[0])
        return reachable

    def _find_deny_reason(self, name: str, port: int, address: IP | None) -> str | None:
        """Why `deny`, metadata services or internal services exclude this host, as far as name and address tell."""
        pattern = self._deny.find_match(name, port, address)
        if pattern is not None:
            place = _format_place(name, port, address)
            return f"{place} is denied by {pattern.text} in WEBHOOK_DENY: take it out to allow it"
        if address is not None:
            for network, description in find_special_networks(address):
                if not self._is_allowed_within(network, port, address):
                    return self._describe_refusal(name, port, address, description, str(address))
        if name in METADATA_NAMES and not any(entry.name == name for entry in self._allow):
            return self._describe_refusal(name, port, address, METADATA, name)
        for service in self.internal_services:
            if port != service.port or not _is_same_host(service.host, name, address):
                continue
            if not self._is_allowed_service(service, address):
                entry = _format_host_port(service.host.lower(), port)
                return self._describe_refusal(name, port, address, f"our own {service.name}", entry)
        return None

    def _find_internal_reason(
        self, name: str, port: int, address: IP, internal_services: Sequence[tuple[InternalService, Sequence[IP]]]
    ) -> str | None:
        for service, service_addresses in internal_services:
            is_same = address in service_addresses or (
                any(map(is_local_address, service_addresses)) and is_local_address(address)
            )
            if is_same and not self._is_allowed_service(service, address):
                entry = _format_host_port(str(address), port)
                return self._describe_refusal(name, port, address, f"our own {service.name}", entry)
        return None

    def _resolve_service(self, service: InternalService, resolver: Resolver, timeout_s: float) -> Sequence[IP]:
        try:
            results = resolver.resolve(service.host, service.port, timeout_s)
            self._last_addresses[service] = [_ip_of(each) for each in results]
        except (OSError, UnicodeError):
            pass  # its last known addresses still hold
        return self._last_addresses.get(service, ())

    def _find_allow_reason(self, name: str, port: int, address: IP | None) -> str | None:
        if not self._allow or self._allow.find_match(name, port, address) is not None:
            return None
        return f"{_format_place(name, port, address)} is not in WEBHOOK_ALLOW: add it there to allow it"

    def _is_allowed_within(self, network: IPv4Network | IPv6Network, port: int, address: IP) -> bool:
        """Was `address` allowed by an entry that can only have meant something in `network`?"""
        return any(
            entry.network is not None
            and entry.network.network_address in network
            and entry.network.prefixlen >= network.prefixlen
            and entry.matches("", port, address)
            for entry in self._allow
        )

    def _is_allowed_service(self, service: InternalService, address: IP | None) -> bool:
        """Was `service` allowed by an entry with its port, and its own name or its address?"""
        host, service_address = _parse_host(service.host)
        return any(
            entry.port == service.port
            and (
                entry.name == host
                if entry.network is None
                else _contains(entry, address) or _contains(entry, service_address)
            )
            for entry in self._allow
        )

    def _describe_refusal(self, name: str, port: int, address: IP | None, description: str, entry: str) -> str:
        how = f"add {entry} to WEBHOOK_ALLOW" if self._allow else f"set WEBHOOK_ALLOW=*,{entry}"
        return f"{_format_place(name, port, address)} is {description}, which no webhook may call: {how} to allow it"

    @staticmethod
    def _deny_if(cause: str | None) -> None:
        if cause is not None:
            raise Denied(cause)


@lru_cache(maxsize=_CACHE_SIZE)
def _parse_host(host: str) -> tuple[str, IP | None]:
    """A host in the spelling of rules, and the address if it is one."""
    # A proxy may decode what stands percent-encoded in a name.
    name = unquote(host).strip("[]").rstrip(".").lower()
    address = parse_any_spelling(name)
    return (name, None) if address is None else (str(address), address)


def _ip_of(address: AddrInfo) -> IP:
    return _parse_ip(address[4][0])


@lru_cache(maxsize=_CACHE_SIZE)
def _parse_ip(text: str) -> IP:
    return canonical(ip_address(text.partition("%")[0]))


def _contains(entry: HostPattern, address: IP | None) -> bool:
    return entry.network is not None and address is not None and address in entry.network


def _is_same_host(host: str, name: str, address: IP | None) -> bool:
    """Does `name`, or the `address` it spells, mean the service's `host`, as far as names tell?"""
    service_name, service_address = _parse_host(host)
    return name == service_name or (_is_this_machine(service_name, service_address) and _is_this_machine(name, address))


def _is_this_machine(name: str, address: IP | None) -> bool:
    return is_local_name(name) if address is None else is_local_address(address)


def _format_place(name: str, port: int, address: IP | None) -> str:
    at = "" if address is None or name == str(address) else f" (at {address})"
    return f"{_format_host_port(name, port)}{at}"


def _format_host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
