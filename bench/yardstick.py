"""The yardstick: what a plain `requests.Session.post` with keep-alive costs its sender, in CPU seconds.

In a process of its own, so that nothing else of the bench is counted with it. As a program: `yardstick.py`; each line
of its standard input, `<url> <posts>`, is answered by the CPU seconds that one post took.
"""

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.support.programs import bare

POSTS = 400
"""Posts of one measurement: 0.2 to 0.5 s of CPU, read to the microsecond."""


class Yardstick:
    """Measures the post when asked to; its connection stays open in between."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.yardstick"],
            cwd=Path(__file__).parents[1],
            env=bare({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def post_s(self, posts: int = POSTS) -> float:
        """CPU seconds of one post, user and system."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self.url} {posts}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Self:
        self.post_s(50)  # imports, the connection, warm caches
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Answers the lines of standard input until it ends."""
    from bench.messages import event  # only the program needs it

    session = requests.Session()
    for line in sys.stdin:
        url, posts = line.split()
        body, headers = event("r_yardstick", url), {"Content-Type": "application/json"}
        before = time.process_time()
        for _ in range(int(posts)):
            session.post(url, data=body, headers=headers, timeout=30)
        print((time.process_time() - before) / int(posts), flush=True)


if __name__ == "__main__":
    main()
