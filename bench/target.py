"""A target that costs next to nothing: answers 200 and remembers when each run arrived. It plays Port, too.

    target.py [number of ports, 1] [the first port, any]

Bare asyncio rather than the sandbox's server, which takes 0.2 ms of CPU for each request: the target shares its cores
with the programs that are measured. A request to `/slow/<ms>` is answered after so many ms, one to `/hang` never, one
to `/stats` with the counts so far. Prints its ports and, when its standard input ends, one JSON object: run id →
arrivals (seconds since 1970).
"""

import asyncio
import json
import os
import re
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
RUN_ID = re.compile(rb'"runId":"([^"]+)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
SLOW = b"/slow/"
PORT = b"/v1/"

arrivals: dict[str, list[float]] = {}
counts = {"requests": 0, "answers": 0, "in_flight": 0}


def build_answer(body: bytes) -> bytes:
    """A whole answer with this body."""
    return HEAD % len(body) + body


ANSWER = build_answer(b'{"ok":true}')
PORT_ANSWER = build_answer(b'{"ok":true,"accessToken":"bench","expiresIn":10800}')


class Target(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""
        self.waiting = 0

    def connection_lost(self, error: Exception | None) -> None:
        """What was not answered is in flight no more."""
        counts["in_flight"] -= self.waiting
        self.waiting = 0

    def data_received(self, data: bytes) -> None:
        """Takes every whole request."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.data, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.data) < whole:
                return
            if run_id := RUN_ID.search(self.data, end, whole):
                arrivals.setdefault(run_id[1].decode(), []).append(time.time())
            path = self.data[: self.data.index(b"\r\n")].split(b" ")[1]
            self.data = self.data[whole:]
            self.take(path)

    def take(self, path: bytes) -> None:
        """Answers a request now, later or never."""
        if path == b"/stats":
            self.transport.write(build_answer(json.dumps(counts).encode()))
            return
        counts["requests"] += 1
        counts["in_flight"] += 1
        self.waiting += 1
        if path.startswith(SLOW):
            asyncio.get_running_loop().call_later(int(path[len(SLOW) :]) / 1000, self.answer, ANSWER)
        elif not path.startswith(b"/hang"):
            self.answer(PORT_ANSWER if path.startswith(PORT) else ANSWER)

    def answer(self, answer: bytes) -> None:
        """Writes the answer, if anybody still waits for it."""
        if self.waiting:
            self.waiting -= 1
            counts["in_flight"] -= 1
            counts["answers"] += 1
            self.transport.write(answer)


async def main() -> None:
    """Serves until standard input ends."""
    loop = asyncio.get_running_loop()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    servers = [await loop.create_server(Target, "127.0.0.1", port, backlog=8192) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    try:
        print(json.dumps(arrivals), flush=True)
    except BrokenPipeError:  # whoever started it was killed
        os._exit(1)


if __name__ == "__main__":
    asyncio.run(main())
