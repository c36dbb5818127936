"""Fetches the pages of another program: at an address, or at the local socket of a supervisor's child."""

import http.client
import json
import socket
from dataclasses import dataclass

from longshore.telemetry.health import HealthVerdict

MAX_ANSWER_BYTES = 32 << 20
"""A page with all its targets has less than 1 MB."""


class Unreachable(Exception):
    """No answer, or not a page of ours; the text says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a program serves its pages: `socket` is the name of a local one, empty for `host` and `port`."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str = ""

    def fetch_verdict(self, path: str, timeout_s: float) -> HealthVerdict:
        """The answer of /livez or /readyz. Raises Unreachable."""
        try:
            return HealthVerdict.parse(json.loads(self.fetch(path, timeout_s)))
        except ValueError as error:
            raise Unreachable(f"something else answers there ({error})") from None

    def fetch(self, path: str, timeout_s: float) -> bytes:
        """The body of a page. Raises Unreachable."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            if self.socket:
                connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.sock.settimeout(timeout_s)
                connection.sock.connect(f"\0{self.socket}")
            connection.request("GET", path)
            return connection.getresponse().read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()
