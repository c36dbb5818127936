"""A target that costs next to nothing: answers 200 at once and remembers when each run arrived.

    target.py [number of ports, 1] [the first port, any]

Bare asyncio rather than the sandbox's server, which takes 0.2 ms of CPU for each request: the target shares its cores
with the programs that are measured. A request to `/hang` is never answered. Prints its ports and, when its standard
input ends, one JSON object: run id → arrivals (seconds since 1970).
"""

import asyncio
import json
import re
import sys
import time

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
RUN_ID = re.compile(rb'"runId":"([^"]+)"')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

arrivals: dict[str, list[float]] = {}


class Target(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answers every whole request."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.data, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.data) < whole:
                return
            if run_id := RUN_ID.search(self.data, end, whole):
                arrivals.setdefault(run_id[1].decode(), []).append(time.time())
            hangs = self.data.startswith(b"POST /hang")
            self.data = self.data[whole:]
            if not hangs:
                self.transport.write(ANSWER)


async def main() -> None:
    """Serves until standard input ends."""
    loop = asyncio.get_running_loop()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    servers = [await loop.create_server(Target, "127.0.0.1", port, backlog=2048) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(arrivals))


if __name__ == "__main__":
    asyncio.run(main())
