"""Asking for the pages of another program: at an address, or at the local socket of a supervisor's child."""

import http.client
import json
import socket
from dataclasses import dataclass

from longshore.telemetry.health import Verdict

MOST_BYTES = 32 << 20
"""Of an answer. A page with all its targets has less than one of them."""


class Unreachable(Exception):
    """Nobody answers, or not with a page of ours; says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a program serves its pages: `socket` is the name of a local one, else `host` and `port`."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str = ""

    def verdict(self, path: str, timeout_s: float) -> Verdict:
        """What /livez or /readyz say. Raises NoAnswer."""
        try:
            return Verdict.read(json.loads(self.text(path, timeout_s)))
        except ValueError as error:
            raise Unreachable(f"something else answers there ({error})") from None

    def text(self, path: str, timeout_s: float) -> bytes:
        """The body of a page. Raises NoAnswer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        try:
            if self.socket:
                connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.sock.settimeout(timeout_s)
                connection.sock.connect(f"\0{self.socket}")
            connection.request("GET", path)
            return connection.getresponse().read(MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer ({type(error).__name__})") from None
        finally:
            connection.close()
