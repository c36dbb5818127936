"""Redirects by `requests`' own rules, but for what another host may see.

301, 302 and 303 turn a POST into a GET without a body, 307 and 308 repeat it as it was (RFC 9110, 15.4); relative
locations, fragments and cookies of a redirect are handled as `requests` does. Differences: in a request to another host
(or port, or from https to http) the signature and all mapped headers are dropped, and `.netrc` is not read for
credentials.
"""

from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from longshore.delivery.request import DEFAULT_HEADERS, SignedRequest
from longshore.delivery.target import origin_of, prepare_url
from longshore.network.answer import BoundedResponse, wrap

MAX_REDIRECTS = 30
"""As in `requests`."""

MAX_COOKIES = 50
"""Cookies taken from one redirect: what RFC 6265 (6.1) asks of clients for a domain. The standard library takes a
second of CPU for the thousands that fit into a head, at each of the hops."""

_CROSS_HOST_HEADERS = ("Content-Type", "Content-Length", "Cookie")
"""What goes on to another host: what describes the body, and what was made for this hop."""


class RedirectSession(requests.Session):
    """The rules of redirects. It never sends anything itself."""

    def follow(self, request: SignedRequest, response: BoundedResponse) -> SignedRequest | None:
        """The next request after `response`, whose body was read already, answered `request`."""
        _drop_cookies(response)
        source = request.source or _as_source(request)
        answer = HTTPAdapter().build_response(source, wrap(response))
        answer._content, answer._content_consumed = b"", True  # type: ignore[attr-defined]
        following = next(self.resolve_redirects(answer, source, yield_requests=True), None)
        if following is None:
            return None
        url, body = following.url or "", cast(bytes | None, following.body)
        origin, headers = origin_of(prepare_url(url)), dict(following.headers)
        tls, host = (request.tls, request.host) if origin == request.origin else (None, "")
        return SignedRequest(following.method or "", url, origin, headers, body, following, tls, host)

    def rebuild_proxies(self, prepared_request: PreparedRequest, proxies: Any) -> dict[str, str]:
        """Leave the proxy's password to the connection to the proxy: the next host may be called directly."""
        prepared_request.headers.pop("Proxy-Authorization", None)
        return {}

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Drop what another host must not see; never ask `.netrc`."""
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            headers = prepared_request.headers
            crossing_headers = {name: headers[name] for name in _CROSS_HOST_HEADERS if name in headers}
            headers.clear()
            headers.update(DEFAULT_HEADERS.values())
            headers.update(crossing_headers)


def _as_source(request: SignedRequest) -> PreparedRequest:
    """`request` as `requests` has it."""
    source: Any = PreparedRequest()
    source.method, source.url, source.body = request.method, request.url, request.body
    source.headers = CaseInsensitiveDict(request.headers)
    source._cookies = RequestsCookieJar()
    return cast(PreparedRequest, source)


def _drop_cookies(response: BoundedResponse) -> None:
    """Leave `MAX_COOKIES` of what the cookie jar will look at."""
    cookies = response.msg.get_all("Set-Cookie", [])
    if len(cookies) > MAX_COOKIES:
        del response.msg["Set-Cookie"]
        for cookie in cookies[:MAX_COOKIES]:
            response.msg["Set-Cookie"] = cookie
