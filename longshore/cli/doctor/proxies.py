"""Proxies: which one would be used for which URL, and entries of NO_PROXY that mean nothing."""

from collections.abc import Iterator

import requests

from longshore.cli.doctor.finding import CheckContext, Finding, broken, ok, warning
from longshore.cli.doctor.known_targets import known_targets
from longshore.network.no_proxy import select_proxies, strip_credentials
from longshore.network.proxy_settings import (
    PROXY_VARIABLES,
    check_proxy,
    effective_value,
    find_entry_problems,
    no_proxy_entries,
)

MAX_URLS = 30
"""URLs whose proxy is shown."""


def check(context: CheckContext) -> Iterator[Finding]:
    """Each proxy that is set, each entry of NO_PROXY, and the proxy for Port and for the known targets."""
    variables = {name: proxy for name in PROXY_VARIABLES if (proxy := effective_value(context.environ, name))}
    for name, proxy in variables.items():
        problem = check_proxy(name, proxy)
        yield ok(f"{name} is {strip_credentials(proxy)}") if problem is None else broken(*problem)
        upper, lower = context.environ.get(name), context.environ.get(name.lower())
        if upper and lower and upper != lower:
            yield warning(f"{name} and {name.lower()} differ; the second one is used", "Set both alike, or only one")
    if entries := no_proxy_entries(context.environ):
        yield ok(f"NO_PROXY has {len(entries)} entries: {', '.join(entries)}", entries=entries)
    yield from (warning(*problem) for problem in find_entry_problems(context.environ))
    if not variables:
        yield ok("none is set: everything is called directly")
        return
    targets = known_targets(context)
    for url in [context.settings.port_api_base_url, *targets.urls[:MAX_URLS]]:
        yield _for(url)
    yield ok("Kafka and Redis are always called directly")


def _for(url: str) -> Finding:
    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, True, None)
    proxy = next(iter(select_proxies(url, settings["proxies"]).values()), "")
    if not proxy:
        return ok(f"{url} is called directly", url=url, proxy=None)
    address = strip_credentials(proxy)
    return ok(f"{url} is called through {address}", url=url, proxy=address)
