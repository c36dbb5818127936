"""Proxies as the environment names them: what cannot work, and entries of NO_PROXY that match nothing."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from longshore.network import socks_proxy
from longshore.network.no_proxy import normalize_no_proxy, split_entries, strip_credentials

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SCHEMES = ("http", "https", *socks_proxy.SCHEMES)

_PAC = re.compile(r"(?i)^pac\+|\.pac(?:$|[?#])|/wpad\.dat")
_HOST = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?(:\d+)?")
_ADDRESS_PREFIX = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,2})(?:\.\*){0,3}\.?")
"""Of an IPv4 address: `10.`, `10.*`, `192.168.*.*`."""


def effective_value(environ: Mapping[str, str], name: str) -> str:
    """The value in effect; of both spellings `requests` takes the lower one first."""
    return environ.get(name.lower()) or environ.get(name) or ""


def no_proxy_entries(environ: Mapping[str, str]) -> list[str]:
    """The entries of NO_PROXY that may be shown: whatever still has an @ may hold a password."""
    return [
        entry for entry in split_entries(normalize_no_proxy(effective_value(environ, "NO_PROXY"))) if "@" not in entry
    ]


def find_problems(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the proxies and NO_PROXY, and the remedy; never with a password."""
    for name in PROXY_VARIABLES:
        if proxy := effective_value(environ, name):
            yield from filter(None, [check_proxy(name, proxy)])
    yield from find_entry_problems(environ)


def find_entry_problems(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The entries of NO_PROXY that match nothing, why, and what to write."""
    entries = no_proxy_entries(environ)
    for entry in entries:
        if (problem := _describe_entry_problem(entry, alone=len(entries) == 1)) is not None:
            yield f"the entry {entry} of NO_PROXY matches nothing: {problem[0]}", problem[1]


def check_proxy(name: str, proxy: str) -> tuple[str, str] | None:
    """Why nothing can be called through `proxy`, and the remedy; None for one that can be used."""
    remedy = "Give http://host:port, https://host:port, or socks5h://host:port"
    address = strip_credentials(proxy)
    if _PAC.search(proxy):
        return f"{name} names a PAC file, which is not read: {address}", f"{remedy}, as the file names it"
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        is_usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return f"{name} is no address of a proxy: {address}", remedy
    if parts.scheme.startswith("socks") and parts.scheme not in SCHEMES:
        return f"{name} is a SOCKS proxy, {address}, but not of version 5: every call fails", remedy
    if is_usable and parts.scheme in socks_proxy.SCHEMES:
        try:
            socks_proxy.parse_socks(proxy)
        except ValueError:
            return f"{name} has a user name or a password that is too long: {address}", "127 bytes each are possible"
    if is_usable and parts.scheme in SCHEMES:
        return None
    return f"{name} is no address of a proxy: {address}", remedy


def _describe_entry_problem(entry: str, alone: bool) -> tuple[str, str] | None:
    """Why, and what to write; None for an entry that is fine."""
    if entry == "*":
        return None if alone else ("it counts only alone", "Write * as the only entry, or take it out")
    if prefix := _ADDRESS_PREFIX.fullmatch(entry):
        numbers = prefix[1].split(".")
        network = ".".join([*numbers, *["0"] * (4 - len(numbers))])
        return "a beginning of an address is no network", f"Write {network}/{8 * len(numbers)}"
    if "*" in entry:
        # A name's end can only stand for what is behind the last star.
        end = entry.rpartition("*")[2].lstrip(".")
        is_name = end and not _is_number(end.partition(":")[0].rpartition(".")[2])
        return "wildcards are not read", f"Write .{end}" if is_name else "Write each host, or a network as 10.0.0.0/8"
    if "/" in entry and "://" not in entry:
        try:
            ip_network(re.sub(r"[\[\]]", "", entry), strict=False)
        except ValueError:
            return "it is no network", "Write e.g. 10.0.0.0/8 or fd00::/8, or a host"
        return None
    if "://" in entry or ":" in entry.rpartition("]")[0] or entry.count(":") > 1:
        return None if "://" not in entry and _is_address(entry) else ("it is no address", "Write e.g. [::1]:8080")
    return None if _HOST.fullmatch(entry) else ("it is no host", "Write a host, a .domain, an address or a network")


def _is_number(text: str) -> bool:
    return text.isdigit() or not text


def _is_address(entry: str) -> bool:
    """Whether it is an IPv6 address: alone, in brackets, or with a port behind it as `normalize_no_proxy` leaves it."""
    address = entry[1:].partition("]")[0] if entry.startswith("[") else entry
    for text in (address, address.rpartition(":")[0]):
        try:
            return bool(ip_address(text))
        except ValueError:
            continue
    return False
