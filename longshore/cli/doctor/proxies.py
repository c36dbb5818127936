"""Proxies: which one would be used for which URL, and entries of NO_PROXY that mean nothing."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from urllib.parse import urlsplit

import requests

from longshore.cli.doctor.finding import Case, Finding, broken, ok, warning
from longshore.cli.doctor.places import known_targets
from longshore.network.no_proxy import plain, proxies_for, without_credentials

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SCHEMES = ("http", "https")
SHOWN = 30
"""URLs whose proxy is shown."""

_HOST = re.compile(r"\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?(:\d+)?")


def check(case: Case) -> Iterator[Finding]:
    """Each proxy that is set, each entry of NO_PROXY, and the proxy for Port and for the known targets."""
    found = {name: value for name in NAMES if (value := _value(case.environ, name))}
    for name, proxy in found.items():
        yield _usable(name, proxy)
        upper, lower = case.environ.get(name), case.environ.get(name.lower())
        if upper and lower and upper != lower:
            yield warning(f"{name} and {name.lower()} differ; the second one is used", "Set both alike, or only one")
    yield from _exceptions(case)
    if not found:
        yield ok("none is set: everything is called directly")
        return
    places = known_targets(case)
    for url in [case.settings.port_api_base_url, *places.urls[:SHOWN]]:
        yield _for(url)
    yield ok("Kafka and Redis are always called directly")


def _value(environ: dict[str, str], name: str) -> str:
    # The order in which requests looks.
    return environ.get(name.lower()) or environ.get(name) or ""


def _usable(name: str, proxy: str) -> Finding:
    shown = without_credentials(proxy)
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        fine = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        return broken(f"{name} is no address of a proxy: {shown}", "Give http://host:port, or https://host:port")
    return ok(f"{name} is {shown}")


def _exceptions(case: Case) -> Iterator[Finding]:
    value = _value(case.environ, "NO_PROXY")
    # URLs are read as their host; whatever else has an @ may hold a password.
    entries = [entry.strip() for entry in plain(value).split(",") if entry.strip() and "@" not in entry]
    if entries:
        yield ok(f"NO_PROXY has {len(entries)} entries: {', '.join(entries)}", entries=entries)
    for entry in entries:
        if entry != "*" and (problem := _means_nothing(entry)):
            yield warning(f"the entry {entry} of NO_PROXY matches nothing: {problem[0]}", problem[1])


def _means_nothing(entry: str) -> tuple[str, str] | None:
    """Why, and what to write; None for an entry that is fine."""
    if "*" in entry:
        return "wildcards are not read", f"Write {entry.replace('*.', '.').replace('*', '') or '*'}"
    if " " in entry:
        return "entries are divided by commas", "Write a comma in place of the space"
    if "/" in entry and "://" not in entry:
        try:
            network = ip_network(entry, strict=False)
        except ValueError:
            return "it is no network", "Write e.g. 10.0.0.0/8, or a host"
        return ("networks are read for IPv4 only", "Write the addresses or names") if network.version == 6 else None
    if "://" in entry or ":" in entry.rpartition("]")[0] or entry.count(":") > 1:
        return None  # a URL, or an IPv6 address
    return None if _HOST.fullmatch(entry) else ("it is no host", "Write a host, a .domain, an address or a network")


def _for(url: str) -> Finding:
    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, True, None)
    proxy = next(iter(proxies_for(url, settings["proxies"]).values()), "")
    if not proxy:
        return ok(f"{url} is called directly", url=url, proxy=None)
    shown = without_credentials(proxy)
    return ok(f"{url} is called through {shown}", url=url, proxy=shown)
