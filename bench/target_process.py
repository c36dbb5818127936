"""`bench/target.py` as a process: for the bench, and for the tests of many invocations."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("target.py")


class TargetProcess:
    """The target on `count` ports, the first of them `port` if one is given."""

    def __init__(self, count: int = 1, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(count), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.ports = [int(number) for number in self._process.stdout.readline().split()]

    def url(self, number: int = 0, path: str = "/hook") -> str:
        """Where one of the ports is."""
        return f"http://127.0.0.1:{self.ports[number]}{path}"

    def stats(self) -> dict[str, int]:
        """Its counts so far: requests, answers, in_flight."""
        with urllib.request.urlopen(self.url(0, "/stats"), timeout=30) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def stop(self) -> dict[str, list[float]]:
        """Ends it; returns when each run arrived (seconds since 1970)."""
        arrivals, _ = self._process.communicate()
        times: dict[str, list[float]] = json.loads(arrivals)
        return times

    def kill(self) -> None:
        """Makes sure that nothing is left of it."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "TargetProcess":
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()
