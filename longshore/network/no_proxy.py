"""NO_PROXY: what `requests` makes of it, and the entries that it misses.

`requests` matches hosts, domains, IPv4 addresses and IPv4 networks. It knows no URLs, though guides show them, no port
after an IPv4 address, and a port after a name only where the called URL writes it out too. It knows no IPv6 networks
and no other spelling of an IPv6 address, takes spaces out in place of dividing by them, and minds case and final dots.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_DIVIDERS, _BRACKETS = re.compile(r"[\s,]+"), re.compile(r"[\[\]]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def split_entries(value: str) -> list[str]:
    """The entries of NO_PROXY. Spaces and line breaks divide them as commas do: that is how they are pasted."""
    return [entry for entry in _DIVIDERS.split(value) if entry]


def normalize_no_proxy(value: str) -> str:
    """`value` of NO_PROXY with each entry that is a URL reduced to its host, and its port if it names one.

    An entry that looks like a URL and is none stays as it is: it matches nothing.
    """
    if "://" not in value:
        return value
    return ",".join(map(_reduce_to_host, (entry.strip() for entry in re.split(r",\s*|\s+(?=\S+://)", value))))


def select_proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The proxy for `url` by its scheme; empty when it is called directly.

    `environment` is what `requests` found in the environment for this URL, the value of NO_PROXY among it as `no`.
    """
    from requests.utils import select_proxy  # here, as the settings need the rest and no HTTP

    proxy = select_proxy(url, dict(environment))
    if proxy is None or _is_excluded(environment.get("no", ""), url):
        return {}
    return {urlsplit(url).scheme: proxy}


def strip_credentials(proxy: str) -> str:
    """A proxy's address that can be shown: user and password are left out, and all that is no address."""
    if not proxy:
        return ""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        host, port = parts.hostname or "?", parts.port
    except ValueError:
        return "(no address)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme or 'http'}://{host}{'' if port is None else f':{port}'}"


def _reduce_to_host(entry: str) -> str:
    if "://" not in entry:
        return entry
    try:
        parts = urlsplit(entry)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return entry
    # An IPv6 address goes without brackets, also before a port: so it is compared in `requests`.
    return host if port is None else f"{host}:{port}"


def _is_excluded(no_proxy: str, url: str) -> bool:
    """Whether `no_proxy` has an entry that means `url`."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return any(_matches_entry(entry, host, port) for entry in split_entries(no_proxy.lower()))


def _matches_entry(entry: str, host: str, port: int | None) -> bool:
    if "/" in entry:
        return _is_within(host, entry)
    if entry.startswith("["):
        name, _, number = entry[1:].partition("]")
        return _same_address(name, host) and number.removeprefix(":") in ("", str(port))
    if _same_address(entry, host):
        return True
    name, colon, number = entry.rpartition(":") if ":" in entry else (entry, "", "")
    if ":" in name:
        return _same_address(name, host) and number == str(port)
    name = name.strip(".")
    if not name or (colon and number != str(port)):
        return False
    from requests.utils import is_ipv4_address

    return host == name or (not is_ipv4_address(host) and host.endswith(f".{name}"))


def _is_within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(_BRACKETS.sub("", network), strict=False)
    except ValueError:
        return False


def _same_address(one: str, other: str) -> bool:
    try:
        return ip_address(one) == ip_address(other)
    except ValueError:
        return False
