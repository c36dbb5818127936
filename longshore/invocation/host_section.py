"""Reads `host_header`: the `Host` of requests that a gateway routes by it, in place of the URL's host."""

import re
from typing import Any

from longshore.invocation.section_values import InvalidValue, read_text

MAX_CHARS = 255
MAX_PORT = 65_535

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")


def read_host_header(value: Any) -> str:
    """A literal host, with a port where it has one. Raises InvalidValue."""
    host = read_text(value)
    match = _HOST.fullmatch(host)
    if len(host) > MAX_CHARS or match is None or not 1 <= int(match[1] or 1) <= MAX_PORT:
        raise InvalidValue("is no host: give a name or an address, and a port where it has one, e.g. app.internal:8443")
    return host
