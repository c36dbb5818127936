"""A piece of network that can fail: between a client and a server everything goes through it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from longshore.runtime.embedded_redis import HOST
from tests.support.relays import Relay

Result = TypeVar("Result")
CHUNK_BYTES = 16_384


class Line(Relay):
    """Leads to `target` (a port), and listens at `port`, or at a free one."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.port = port
        self._target = target
        self._delay_s = 0.0
        self._bytes_per_s = 0.0
        self._is_silent = False
        self._deaf: set[asyncio.StreamWriter] = set()
        """What goes to these is thrown away, for good."""
        self._open: set[asyncio.StreamWriter] = set()
        self._never = asyncio.Event()
        """Of the line, as nothing else keeps a task alive that waits for good."""

    @contextmanager
    def cut(self) -> Iterator[None]:
        """All connections are reset, and new ones refused, within the `with`."""
        door = self._run(self._close_door())
        try:
            yield
        finally:
            self._run(self._open_door(door))

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """Nothing passes, and nobody is told. What is connected by then stays so for good, others not."""
        self._run(self._fall_silent(True))
        try:
            yield
        finally:
            self._run(self._fall_silent(False))

    @contextmanager
    def slow(self, delay_s: float) -> Iterator[None]:
        """Each piece takes so long, in each direction."""
        self._delay_s = delay_s
        try:
            yield
        finally:
            self._delay_s = 0.0

    @contextmanager
    def narrow(self, bytes_per_s: float) -> Iterator[None]:
        """No connection carries more than this, in each direction."""
        self._bytes_per_s = bytes_per_s
        try:
            yield
        finally:
            self._bytes_per_s = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on, as well as the line is."""
        far_reader, far = await asyncio.open_connection(HOST, self._target)
        ends = {writer, far}
        self._open |= ends
        if self._is_silent:
            self._deaf |= ends
        directions = [
            asyncio.create_task(self._carry(reader, far)),
            asyncio.create_task(self._carry(far_reader, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            far.close()
            self._open -= ends
            self._deaf -= ends

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await asyncio.sleep(self._delay_s)
            if self._bytes_per_s:
                await asyncio.sleep(len(data) / self._bytes_per_s)
            if writer not in self._deaf:
                writer.write(data)
                await writer.drain()
        if writer in self._deaf:
            await self._never.wait()  # the end of a connection does not pass either

    async def _fall_silent(self, silent: bool) -> None:
        self._is_silent = silent
        if silent:
            self._deaf |= self._open

    async def _close_door(self) -> socket.socket:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        # Bound and not listening: the port stays ours, and refuses.
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, self.port))
        return door

    async def _open_door(self, door: socket.socket) -> None:
        self._server = await asyncio.start_server(self._guard, sock=door)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
