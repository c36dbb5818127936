"""IP addresses as they are meant, whatever way they are spelled or wrapped.

`169.254.169.254` is also `2852039166`, `0xa9fea9fe`, `0251.0376.0251.0376` and `::ffff:169.254.169.254`. A rule about
an address must hold for all of them.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

IP = IPv4Address | IPv6Address

_WRAPPED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/96", "::ffff:0:0:0/96", "::/96")))
"""Networks whose last 32 bits are an IPv4 address: NAT64 (RFC 6052, and RFC 8215 for local use), "IPv4-translated"
(RFC 2765) and "IPv4-compatible" (RFC 4291, given up)."""

_LOOPBACK_V4, _LOOPBACK_V6 = IPv4Address("127.0.0.1"), IPv6Address("::1")


def canonical(address: IP) -> IP:
    """Where a connection to `address` ends up: IPv4 within IPv6 is unwrapped, "any address" is this machine."""
    if isinstance(address, IPv6Address):
        # "::" or "::1". Not `is_unspecified`: from Python 3.13 on it looks into ::ffff:0.0.0.0, which is IPv4's.
        if int(address) in (0, int(_LOOPBACK_V6)):
            return _LOOPBACK_V6
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _WRAPPED):
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return IPv6Address(int(address))  # without its zone
        address = inner
    return _LOOPBACK_V4 if address.is_unspecified else address


def parse_any_spelling(host: str) -> IP | None:
    """The address that `host` spells in any way the system's resolver takes; None for a name.

    Beyond the usual spellings these are the ones of `inet_aton`: one to four numbers, decimal, octal or hexadecimal.
    """
    text = host.strip("[]").rstrip(".")
    try:
        return canonical(ip_address(text))
    except ValueError:
        pass
    if not text[:1].isdecimal():
        return None
    try:
        return canonical(IPv4Address(socket.inet_aton(text)))
    except (OSError, ValueError):
        return None


def is_local_name(host: str) -> bool:
    """Does `host` (lower case, no dot at the end) mean this machine by its name alone (RFC 6761, 6.3)?"""
    return host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower()


def is_local_address(address: IP) -> bool:
    """Would a connection to `address` stay on this machine? Sends nothing."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Connecting a datagram socket only picks the route; to an address of our own it starts from that address.
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0].partition("%")[0]) == address
    except OSError:
        return False
