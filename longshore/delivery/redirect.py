"""Redirects by `requests`' own rules, but for what another host may see.

301, 302 and 303 turn a POST into a GET without a body, 307 and 308 repeat it as it was (RFC 9110, 15.4); relative
locations, fragments and cookies of a redirect are handled as `requests` does. Differences: in a request to another host
(or port, or from https to http) the signature and all mapped headers are dropped, and `.netrc` is not read for
credentials.
"""

from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from requests.models import PreparedRequest, Response

from longshore.delivery.request import DEFAULT_HEADERS

MAX_REDIRECTS = 30
"""As in `requests`."""

MAX_COOKIES = 50
"""Cookies taken from one redirect: what RFC 6265 (6.1) asks of clients for a domain. The standard library takes a
second of CPU for the thousands that fit into a head, at each of the hops."""

_CROSS_HOST_HEADERS = ("Content-Type", "Content-Length", "Cookie")
"""What goes on to another host: what describes the body, and what was made for this hop."""


class RedirectSession(requests.Session):
    """The rules of redirects. It never sends anything itself."""

    def follow(self, request: PreparedRequest, response: Response) -> PreparedRequest | None:
        """The next request after `response`, whose body was read already, answered `request`."""
        response._content, response._content_consumed = b"", True  # type: ignore[attr-defined]
        _drop_cookies(response)
        if request._cookies is None:  # type: ignore[attr-defined]
            request._cookies = RequestsCookieJar()  # type: ignore[attr-defined]
        return next(self.resolve_redirects(response, request, yield_requests=True), None)

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


def _drop_cookies(response: Response) -> None:
    """Leave `MAX_COOKIES` of what the cookie jar will look at."""
    answer: Any = response.raw._original_response
    cookies = answer.msg.get_all("Set-Cookie", [])
    if len(cookies) > MAX_COOKIES:
        del answer.msg["Set-Cookie"]
        for cookie in cookies[:MAX_COOKIES]:
            answer.msg["Set-Cookie"] = cookie
