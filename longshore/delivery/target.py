"""Which target a URL belongs to, and which lane an invocation waits in.

The target is the origin (scheme, host, port): what shares a machine shares its limits. The lane is target and action,
so that one bad route behind a gateway does not take the gateway's other routes with it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import unquote

from longshore.delivery.addresses import parse_any_spelling
from longshore.delivery.send_errors import BadUrl
from longshore.invocation.urls import split_url

DEFAULT_PORTS = {"http": 80, "https": 443}
"""The schemes that can be called, and the port each means when the URL names none."""

Origin = tuple[str, str, int]
"""Scheme, host and port."""

MAX_CACHED_URL_CHARS = 2_048
"""Longer URLs are not remembered: 4096 of them would be too much memory."""


def target_of(url: str) -> str:
    """The origin of `url` as `scheme://host:port`, in the one spelling used for limits, lanes and logs.

    Lower case, the default port written out, names in other scripts as IDNA and without a dot at the end, addresses
    in their usual spelling, IPv6 in brackets. Never holds the path, the query or a user name. It is read with the same
    code that later makes the request, so that what is limited is what is called. Raises BadUrl when nothing could be
    called.
    """
    scheme, host, port = origin_of(prepare_url(url))
    return f"{scheme}://{_canonical_host(host)}:{port}"


def lane_of(target: str, action: str) -> str:
    """The lane of `action` (the identifier of the action, `change_log`, or `-`) within `target`."""
    return f"{target} {action}"


def prepare_url(url: str, query: Sequence[tuple[str, str]] = ()) -> str:
    """`url` with `query` appended, encoded as `requests` does it: `%2F` stays, a space becomes `%20`.

    Raises BadUrl.
    """
    if query or len(url) > MAX_CACHED_URL_CHARS:
        return _prepare_uncached(url, query)
    return _prepare_cached(url)


def _prepare_uncached(url: str, query: Sequence[tuple[str, str]] = ()) -> str:
    # Here, as in `_origin`: settings without a URL or host to read need no HTTP library.
    from requests.exceptions import RequestException
    from requests.models import PreparedRequest
    from urllib3.exceptions import HTTPError

    if any(character < " " or character == "\x7f" for character in url):
        # `requests` would percent-encode them; nobody means that, and a log or proxy may decode it again.
        raise BadUrl("the URL holds a line break or another control character", "bad_request")
    parts = split_url(url)
    if parts.login is not None and parts.scheme.lower() in DEFAULT_PORTS:
        # Before anybody reads the URL, as errors quote it. It also makes a URL look as if it went elsewhere:
        # http://good.example@evil.example/.
        remedy = "send it in an Authorization header of the mapping instead"
        raise BadUrl(f"the URL holds a user name or a password before its host: {remedy}", "bad_request")
    prepared = PreparedRequest()
    try:
        prepared.prepare_url(url, list(query))
    except (RequestException, HTTPError, ValueError):
        raise BadUrl(_describe_problem(url)) from None  # the original error quotes the whole URL, and so its query
    if prepared.url is None or not prepared.url.lower().startswith(("http://", "https://")):
        raise BadUrl(_describe_problem(url))
    return prepared.url


_MAX_HOST_CHARS = 255
"""Longest name that DNS has (RFC 1035); beyond it a redirect would only write what it likes into causes and logs."""

_NO_HOST = re.compile(r"[\x00-\x20\x7f/?#@:\\\[\]]")
"""What stands in no name or address. A proxy may decode it where it is percent-encoded; for it the host ends there."""

# Few URLs make most of the traffic, and preparing one costs more than signing.
_prepare_cached = lru_cache(maxsize=4096)(_prepare_uncached)


def origin_of(url: str) -> Origin:
    """Scheme, host and port of a URL that `prepare_url` made. Raises BadUrl for a host that is none."""
    # Only what can decide the origin, so that a payload's ids in paths and queries do not wash out the cache.
    return _origin("/".join(url.split("/", 3)[:3]).partition("?")[0])


@lru_cache(maxsize=1024)
def _origin(url: str) -> Origin:
    from urllib3.exceptions import HTTPError
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
    except HTTPError:
        raise BadUrl(_describe_problem(url)) from None
    scheme, host = (parts.scheme or "").lower(), (parts.host or "").lower()
    if (
        scheme not in DEFAULT_PORTS
        or not host.strip("[]")
        or len(host) > _MAX_HOST_CHARS
        or (not host.startswith("[") and _NO_HOST.search(unquote(host)))
    ):
        raise BadUrl(_describe_problem(url))
    return scheme, _compress_ipv6(host), parts.port if parts.port is not None else DEFAULT_PORTS[scheme]


@lru_cache(maxsize=1024)
def _canonical_host(host: str) -> str:
    """One spelling of what is one machine: `example.com.`, `127.1` and `[::ffff:127.0.0.1]` are no others.

    Only to count by: it is called as it is written, since a dot at the end means something to the resolver.
    """
    name = host.rstrip(".")
    # The zone of a link-local address tells two of them apart.
    address = None if "%" in name else parse_any_spelling(name)
    if address is None:
        return name or host
    return f"[{address}]" if address.version == 6 else str(address)


def _compress_ipv6(host: str) -> str:
    """An IPv6 address in its one short spelling; any other host as it is."""
    if not host.startswith("["):
        return host
    try:
        return f"[{IPv6Address(host[1:-1].replace('%25', '%'))}]"
    except ValueError:
        return host


def _describe_problem(url: str) -> str:
    if not url.strip():
        return "the mapping gave no URL"
    if not url.lstrip().lower().startswith(("http://", "https://")):
        return "the URL does not begin with http:// or https://"
    return "the URL has no usable host or port"
