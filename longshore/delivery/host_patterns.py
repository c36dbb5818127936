"""Lists of hosts by name, domain, address or network, as operators write them.

    hooks.example.com, *.internal.example.com, 10.20.0.0/16, 192.0.2.7:8443, [2001:db8::1]:8443, *

Each entry may end in a port; without one it holds for all ports. `*` alone is every host.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from longshore.delivery.addresses import IP, canonical, parse_any_spelling
from longshore.delivery.send_errors import BadHostPattern, BadUrl
from longshore.delivery.target import origin_of, prepare_url

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::(.*))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_ADDRESS = re.compile(r"[/:]|(?:^|\.)[0-9]+\.?$")
"""What no name holds: a slash, a colon, a last part of digits alone."""
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class HostPattern:
    """One entry: a name, a domain (`name` begins with a dot), a network, or every host (neither)."""

    text: str
    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def means_the_same(self, other: "HostPattern") -> bool:
        """Is it the same entry, maybe in another spelling?"""
        return (self.name, self.network, self.port) == (other.name, other.network, other.port)

    def matches(self, host: str, port: int, address: IP | None) -> bool:
        """Is `host` (lower case) or `address`, as far as it is known, at `port` meant by this entry?"""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address in self.network
        if self.name.startswith("."):
            return host.endswith(self.name)
        return self.name in ("", host)


class HostPatterns:
    """A list of entries; false when it has none."""

    def __init__(self, entries: Iterable[HostPattern] = ()) -> None:
        self._entries = tuple(entries)
        self.needs_address = any(entry.network is not None for entry in self._entries)
        """Does any entry need the address to be known?"""

    @classmethod
    def parse(cls, text: str) -> "HostPatterns":
        """The list that `text` holds, entries between commas. Raises BadHostPattern for the first bad one."""
        return cls(_parse_pattern(entry.strip()) for entry in text.split(",") if entry.strip())

    def find_match(self, host: str, port: int, address: IP | None) -> HostPattern | None:
        """The first entry that matches this host."""
        return next((entry for entry in self._entries if entry.matches(host, port, address)), None)

    def __iter__(self) -> Iterator[HostPattern]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _parse_pattern(entry: str) -> HostPattern:
    if "@" in entry or "://" in entry:
        # Not quoted: what stands before an @ may be a password.
        raise BadHostPattern("an entry", "is a URL or holds a user name; give the host alone, or host:port")
    host, port = _split_port(entry)
    if host == "*":
        return HostPattern(entry, port=port)
    if host.startswith("*."):
        return HostPattern(entry, f".{_parse_name(entry, host[2:])}", port=port)
    if _ADDRESS.search(host) or entry.startswith("[") or parse_any_spelling(host) is not None:
        return HostPattern(entry, network=_parse_network(entry, host), port=port)
    return HostPattern(entry, _parse_name(entry, host), port=port)


def _split_port(entry: str) -> tuple[str, int | None]:
    match = _BRACKETED.fullmatch(entry)
    if match is not None:
        host, port = match[1], match[2]
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, None
    if port is None:
        return host, None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _MAX_PORT):
        raise BadHostPattern(entry, f"has a port that is none; give a number from 1 to {_MAX_PORT}")
    return host, int(port)


def _parse_network(entry: str, text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise BadHostPattern(entry, _describe_problem(text)) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None and network.prefixlen >= 96:
        network = ip_network(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
    return ip_network(canonical(network.network_address)) if network.num_addresses == 1 else network


def _describe_problem(text: str) -> str:
    try:
        return f"has bits set beyond its length; did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        pass
    address = parse_any_spelling(text)
    if address is not None:
        return f"is an address in an unusual spelling; did you mean {address}?"
    return "is no address or network; give e.g. 10.0.0.7 or 10.0.0.0/8"


def _parse_name(entry: str, text: str) -> str:
    """The name in the spelling that targets have: lower case, other scripts as IDNA, no dot at the end."""
    try:
        _, host, _ = origin_of(prepare_url(f"http://{text}/"))
    except BadUrl:
        host = ""
    host = host.rstrip(".")
    # What would end the host of a URL is not in a name.
    if re.search(r"[/?#\\]", text) or ".." in host or not _NAME.fullmatch(host):
        raise BadHostPattern(entry, "is no host name; give e.g. hooks.example.com, *.example.com or 10.0.0.0/8")
    return host
