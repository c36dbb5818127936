"""A machine of its own for a program: a network namespace, and a cable to this machine that can be pulled.

All that listens on this machine's loopback is reached from there at the same addresses, and through the cable.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from types import TracebackType

import psutil

INNER = "eth0"
NETWORK, SIZE = "198.18", 1 << 14
"""Addresses that are for tests of networks (RFC 2544), in so many pairs."""
LOCALNET = "/proc/sys/net/ipv4/conf/{}/route_localnet"
ALLOW = ("sh", "-c", 'echo 1 > "$0"')
_numbers = itertools.count(os.getpid() * 16)


def lack() -> str:
    """Why there can be none here; empty if there can."""
    if os.geteuid():
        return "a network namespace takes root"
    if not shutil.which("ip"):
        return "ip is not installed (Debian: apt install iproute2)"
    try:
        with Namespace():
            return ""
    except (subprocess.CalledProcessError, OSError) as error:
        return f"no network namespace can be had: {error}"


class Namespace:
    """Exists within a `with`; a program that still runs in it then keeps it, without a cable."""

    def __init__(self) -> None:
        number = next(_numbers)
        self._name = f"longshore-{os.getpid()}-{number}"
        self._outer = f"ls{number}"
        at = number % SIZE * 4
        self._here, self._there = (f"{NETWORK}.{at >> 8}.{(at & 255) + end}" for end in (1, 2))
        self.launcher = ("ip", "netns", "exec", self._name)
        """What a command has in front to run in it, as the same process."""

    def pull(self) -> None:
        """Nothing passes any more, and nobody is told."""
        _ip("-n", self._name, "link", "set", INNER, "down")

    def plug(self) -> None:
        """The cable is in again."""
        _ip("-n", self._name, "link", "set", INNER, "up")
        _ip("-n", self._name, "route", "add", "127.0.0.0/8", "via", self._here, "src", self._there)

    def connections(self) -> int:
        """How many lead from this process to there, as far as it has been told."""
        mine = psutil.Process().net_connections("tcp4")
        return sum(each.status == psutil.CONN_ESTABLISHED and each.raddr[0] == self._there for each in mine)

    def __enter__(self) -> Namespace:
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._outer, "type", "veth", "peer", "name", INNER, "netns", self._name)
            _ip("addr", "add", f"{self._here}/30", "dev", self._outer)
            _ip("link", "set", self._outer, "up")
            _ip("-n", self._name, "addr", "add", f"{self._there}/30", "dev", INNER)
            # Else addresses of the loopback would be taken for a mistake when they come through a cable. Its own
            # loopback is never set up, so that they lead there.
            _run(*ALLOW, LOCALNET.format(self._outer))
            _run(*self.launcher, *ALLOW, LOCALNET.format(INNER))
            self.plug()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        subprocess.run(("ip", "link", "del", self._outer), stderr=subprocess.DEVNULL)  # there may be none yet
        _ip("netns", "del", self._name)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10)
