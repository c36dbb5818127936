"""Which places may be called: the operator's two lists, and what nobody's mapping should reach.

Payloads choose URLs, so a webhook could be turned against the machine it leaves from: at a cloud's metadata service,
which hands out credentials, or at our own Redis and Kafka, which believe whoever speaks to them. Names are judged
before they are looked up and addresses after, and the addresses judged are those connected to: a name that resolves
to something else a moment later gains nothing. Through a proxy only the name can be judged.

In this order: `deny` is final. Metadata and our own services need an entry of their own in `allow`, since one as wide
as `*` or `10.0.0.0/8` was not written with them in mind. Then `allow`, unless empty, must have the place.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote

from longshore.delivery.addresses import IP, canonical, names_this_machine, on_this_machine, parse_any_spelling
from longshore.delivery.host_patterns import HostPattern, HostPatterns
from longshore.delivery.resolver import Address, Resolver
from longshore.delivery.send_errors import Denied

_METADATA = "the metadata service of a cloud"
_NETWORKS: tuple[tuple[IPv4Network | IPv6Network, str], ...] = (
    (ip_network("169.254.0.0/16"), "link-local, where clouds have their metadata service"),
    (ip_network("fe80::/10"), "link-local"),
    (ip_network("fd00:ec2::/32"), _METADATA),  # AWS
    (ip_network("fd20:ce::254"), _METADATA),  # Google Cloud
    (ip_network("fd00:c1::a9fe:a9fe"), _METADATA),  # Oracle Cloud
    (ip_network("fd00:42::42"), _METADATA),  # Scaleway
    (ip_network("100.100.100.200"), _METADATA),  # Alibaba Cloud
    (ip_network("168.63.129.16"), _METADATA),  # Azure's host agent
    (ip_network("192.0.0.192"), _METADATA),  # Oracle Cloud Classic
    # Who translates chooses where in it the IPv4 address stands (RFC 8215); what is usual was unwrapped before.
    (ip_network("64:ff9b:1::/48"), "NAT64 for local use, behind which any address may be"),
)
_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "api.metadata.cloud.ibm.com",
    }
)
"""Names of such services: behind a proxy the address is not seen."""

_REMEMBERED = 1_024
"""Hosts and addresses whose reading is remembered: it would double what a new connection costs."""


class InternalService(NamedTuple):
    """Something of ours that no webhook may speak to: what it is, and where."""

    what: str
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
        self._found: dict[InternalService, Sequence[IP]] = {}

    def before_lookup(self, host: str, port: int) -> None:
        """Raises Denied for a host that need not be looked up to be refused."""
        name, address = _plain(host)
        needs_address = address is None and self._allow.by_address
        self._raise(
            self._forbidden(name, port, address) or (None if needs_address else self._unlisted(name, port, address))
        )

    def before_proxy(self, host: str, port: int) -> None:
        """Raises Denied for a host that a proxy may not be asked for; what it resolves to is the proxy's business."""
        name, address = _plain(host)
        self._raise(self._forbidden(name, port, address) or self._unlisted(name, port, address))

    def permitted(
        self, host: str, port: int, addresses: Sequence[Address], resolver: Resolver, timeout_s: float
    ) -> Sequence[Address]:
        """Those of `addresses`, to which `host` resolved, that may be connected to. Raises Denied if there are none.

        Our own services at this port are looked up with `resolver`, within `timeout_s` each.
        """
        name, _ = _plain(host)
        internal_services = [
            (each, self._look_up(each, resolver, timeout_s)) for each in self.internal_services if each.port == port
        ]
        causes: list[str] = []
        kept = []
        for each in addresses:
            address = _of(each)
            cause = (
                self._forbidden(name, port, address)
                or self._ours(name, port, address, internal_services)
                or self._unlisted(name, port, address)
            )
            if cause is None:
                kept.append(each)
            else:
                causes.append(cause)
        if causes and not kept:
            raise Denied(causes[0])
        return kept

    def _forbidden(self, name: str, port: int, address: IP | None) -> str | None:
        """Why this place is out of the question, as far as name and address tell."""
        denied = self._deny.covering(name, port, address)
        if denied is not None:
            return f"{_place(name, port, address)} is denied by {denied.text} in WEBHOOK_DENY: take it out to allow it"
        if address is not None:
            for network, what in _special(address):
                if not self._within(network, port, address):
                    return self._no(name, port, address, what, str(address))
        if name in _NAMES and not any(entry.name == name for entry in self._allow):
            return self._no(name, port, address, _METADATA, name)
        for service in self.internal_services:
            if port == service.port and _same_host(service.host, name, address) and not self._for_own(service, address):
                return self._no(name, port, address, f"our own {service.what}", _joined(service.host.lower(), port))
        return None

    def _ours(
        self, name: str, port: int, address: IP, internal_services: Sequence[tuple[InternalService, Sequence[IP]]]
    ) -> str | None:
        for service, theirs in internal_services:
            same = address in theirs or (any(map(on_this_machine, theirs)) and on_this_machine(address))
            if same and not self._for_own(service, address):
                return self._no(name, port, address, f"our own {service.what}", _joined(str(address), port))
        return None

    def _look_up(self, service: InternalService, resolver: Resolver, timeout_s: float) -> Sequence[IP]:
        try:
            self._found[service] = [_of(each) for each in resolver.resolve(service.host, service.port, timeout_s)]
        except (OSError, UnicodeError):
            pass  # where it was last still holds
        return self._found.get(service, ())

    def _unlisted(self, name: str, port: int, address: IP | None) -> str | None:
        if not self._allow or self._allow.covering(name, port, address) is not None:
            return None
        return f"{_place(name, port, address)} is not in WEBHOOK_ALLOW: add it there to allow it"

    def _within(self, network: IPv4Network | IPv6Network, port: int, address: IP) -> bool:
        """Was `address` allowed by an entry that can only have meant something in `network`?"""
        return any(
            entry.network is not None
            and entry.network.network_address in network
            and entry.network.prefixlen >= network.prefixlen
            and entry.covers("", port, address)
            for entry in self._allow
        )

    def _for_own(self, service: InternalService, address: IP | None) -> bool:
        """Was `service` allowed by an entry with its port, and its own name or its address?"""
        host, its_address = _plain(service.host)
        return any(
            entry.port == service.port
            and (
                entry.name == host if entry.network is None else _covers(entry, address) or _covers(entry, its_address)
            )
            for entry in self._allow
        )

    def _no(self, name: str, port: int, address: IP | None, what: str, entry: str) -> str:
        how = f"add {entry} to WEBHOOK_ALLOW" if self._allow else f"set WEBHOOK_ALLOW=*,{entry}"
        return f"{_place(name, port, address)} is {what}, which no webhook may call: {how} to allow it"

    @staticmethod
    def _raise(cause: str | None) -> None:
        if cause is not None:
            raise Denied(cause)


@lru_cache(maxsize=_REMEMBERED)
def _special(address: IP) -> Sequence[tuple[IPv4Network | IPv6Network, str]]:
    """What `address` is, of that which is denied by default."""
    return [each for each in _NETWORKS if address in each[0]]


@lru_cache(maxsize=_REMEMBERED)
def _plain(host: str) -> tuple[str, IP | None]:
    """A host in the spelling of rules, and the address if it is one."""
    # A proxy may decode what stands percent-encoded in a name.
    name = unquote(host).strip("[]").rstrip(".").lower()
    address = parse_any_spelling(name)
    return (name, None) if address is None else (str(address), address)


def _of(address: Address) -> IP:
    return _read(address[4][0])


@lru_cache(maxsize=_REMEMBERED)
def _read(text: str) -> IP:
    return canonical(ip_address(text.partition("%")[0]))


def _covers(entry: HostPattern, address: IP | None) -> bool:
    return entry.network is not None and address is not None and address in entry.network


def _same_host(host: str, name: str, address: IP | None) -> bool:
    """Does `name`, or the `address` it spells, mean the service's `host`, as far as names tell?"""
    theirs, their_address = _plain(host)
    return name == theirs or (_here(theirs, their_address) and _here(name, address))


def _here(name: str, address: IP | None) -> bool:
    return names_this_machine(name) if address is None else on_this_machine(address)


def _place(name: str, port: int, address: IP | None) -> str:
    at = "" if address is None or name == str(address) else f" (at {address})"
    return f"{_joined(name, port)}{at}"


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
