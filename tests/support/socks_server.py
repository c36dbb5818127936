"""A SOCKS5 proxy (RFC 1928, 1929) as companies run them."""

import asyncio
import ipaddress
from collections.abc import Mapping

from tests.support.relays import Relay, join

NO_LOGIN, PASSWORD, NONE_OF_THEM = 0, 2, 0xFF
IPV4, NAME, IPV6 = 1, 3, 4
SUCCEEDED, NOT_ALLOWED, REFUSED = 0, 2, 5


class SocksServer(Relay):
    """Connects whom it is asked to. With `user` it wants that name and password.

    `hosts` says where some names really are, as ports of this machine. `requests` are what it was asked for: address or
    name, and port; `answer` is its reply to them, if it is not to connect at all.
    """

    def __init__(
        self, user: str = "", password: str = "", hosts: Mapping[str, int] | None = None, answer: int = SUCCEEDED
    ) -> None:
        self._login = user, password
        self._hosts = hosts or {}
        self._answer = answer
        self.requests: list[tuple[str, int]] = []

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        wanted = PASSWORD if self._login[0] else NO_LOGIN
        writer.write(bytes([5, wanted if wanted in offered else NONE_OF_THEM]))
        if wanted not in offered or (wanted == PASSWORD and not await self._accept_login(reader, writer)):
            await writer.drain()
            return
        host, port = await self._read_request(reader)
        self.requests.append((host, port))
        try:
            if self._answer != SUCCEEDED:
                raise OSError
            greeting = bytes([5, SUCCEEDED, 0, IPV4, 0, 0, 0, 0, 0, 0])
            port_here = self._hosts.get(host)
            place = (host, port) if port_here is None else ("127.0.0.1", port_here)
            await join(reader, writer, *place, greeting=greeting)
        except OSError:
            writer.write(bytes([5, self._answer or REFUSED, 0, IPV4, 0, 0, 0, 0, 0, 0]))
            await writer.drain()

    async def _accept_login(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readexactly(1)
        login = tuple([await self._read_text(reader) for _ in range(2)])
        writer.write(bytes([1, 0 if login == self._login else 1]))
        return login == self._login

    async def _read_request(self, reader: asyncio.StreamReader) -> tuple[str, int]:
        _, _, _, kind = await reader.readexactly(4)
        if kind == NAME:
            host = await self._read_text(reader)
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == IPV4 else 16)))
        return host, int.from_bytes(await reader.readexactly(2), "big")

    async def _read_text(self, reader: asyncio.StreamReader) -> str:
        (length,) = await reader.readexactly(1)
        return (await reader.readexactly(length)).decode()
