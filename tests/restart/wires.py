"""The sockets of a phone that says exactly what a test wants: UDP, TCP or TLS, its own listener beside its connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from tests.interop.wire import Message

Heard = Callable[[Message, "Way"], None]
"""A message, and the way that an answer to it takes."""


class Way(Protocol):
    """Where a message goes."""

    alive: bool

    def send(self, data: bytes) -> None:
        """OSError when it is gone."""


class Wire(Protocol):
    """A phone's sockets. `port` is what its Contact names."""

    port: int
    reliable: bool

    async def open(self) -> None: ...

    async def server(self) -> Way:
        """The way to the server, made anew where it is gone; OSError when nobody listens there."""

    async def close(self) -> None: ...


class Udp(asyncio.DatagramProtocol):
    """One UDP port; whatever the server's process does, the way to it stays."""

    reliable = False
    alive = True

    def __init__(self, host: str, server: tuple[str, int], heard: Heard) -> None:
        self.port = 0
        self._host = host
        self._server = server
        self._heard = heard
        self._transport: Any = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])

    async def server(self) -> Way:
        return self

    def send(self, data: bytes) -> None:
        self._transport.sendto(data, self._server)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.strip():
            self._heard(Message.read(data.decode("utf-8", "replace")), self)

    def error_received(self, exc: OSError) -> None:
        """Nobody listens at the moment: what was sent comes again by itself."""

    async def close(self) -> None:
        self._transport.close()


class _Connection:
    """One TCP or TLS connection, whoever made it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Heard) -> None:
        self._reader = reader
        self._writer = writer
        self._heard = heard
        self.alive = True
        self.task = asyncio.ensure_future(self._read())

    def send(self, data: bytes) -> None:
        if not self.alive:
            raise ConnectionError("this connection is gone")
        self._writer.write(data)

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readuntil(b"\r\n\r\n")
                if not head.strip():
                    continue
                first = Message.read(head.decode("utf-8", "replace").lstrip("\r\n"))
                body = await self._reader.readexactly(first.integer("Content-Length"))
                self._heard(Message.read((head + body).decode("utf-8", "replace").lstrip("\r\n")), self)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.alive = False
            self._writer.close()

    def close(self) -> None:
        self.alive = False
        self._writer.close()
        self.task.cancel()


class Stream:
    """A listening socket, and one connection to the server that is made when it is needed."""

    reliable = True

    def __init__(
        self,
        host: str,
        server: tuple[str, int],
        heard: Heard,
        client: ssl.SSLContext | None = None,
        listener: ssl.SSLContext | None = None,
    ) -> None:
        """`client`, `listener`: both for TLS, none for TCP."""
        self.port = 0
        self.accepted = 0
        """Connections that the server made to us."""
        self._host = host
        self._server = server
        self._heard = heard
        self._client = client
        self._listener = listener
        self._connections: list[_Connection] = []
        self._ours: _Connection | None = None
        self._opening = asyncio.Lock()
        self._listening: asyncio.Server | None = None

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._accepted, self._host, 0, ssl=self._listener)
        self.port = int(self._listening.sockets[0].getsockname()[1])

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._connections.append(_Connection(reader, writer, self._heard))

    async def server(self) -> Way:
        async with self._opening:
            if self._ours is None or not self._ours.alive:
                host, port = self._server
                name = host if self._client else None
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=self._client, server_hostname=name, local_addr=(self._host, 0)
                )
                self._ours = _Connection(reader, writer, self._heard)
                self._connections.append(self._ours)
        return self._ours

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        for connection in self._connections:
            connection.close()
        for connection in self._connections:  # and those that are made meanwhile
            connection.close()
            with suppress(asyncio.CancelledError, OSError):
                await connection.task
