"""The phone's end of a connection: whole messages from bytes and back, over a bare stream or a WebSocket."""

from __future__ import annotations

from typing import Final, Protocol

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

from b2bua.sip.framer import Framer, Unframed
from b2bua.transport.kinds import Kind
from tests.scenarios.virtual_sockets import Segments

KEEP_ALIVE: Final = b"\r\n\r\n"
PINGS: Final = 0.1
"""The share of messages that a keep-alive goes before."""


class WireEnd(Protocol):
    """What one connection has at a phone."""

    def begin(self) -> bytes:
        """What is to be sent once it stands."""

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The messages that these bytes complete, and what is to be sent back."""

    def encoded(self, message: bytes) -> bytes:
        """A message as bytes of the connection."""

    def goodbye(self) -> bytes:
        """What is said before it is closed."""


class StreamEnd:
    """Of TCP and TLS. Now and then the phone asks whether the server is there (RFC 5626 §4.4.1)."""

    def __init__(self, segments: Segments) -> None:
        self._framer = Framer()
        self._segments = segments

    def begin(self) -> bytes:
        return b""

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        frames = self._framer.feed(data)
        assert not any(isinstance(frame, Unframed) for frame in frames), frames
        return [frame for frame in frames if isinstance(frame, bytes)], b""  # the rest answers keep-alives

    def encoded(self, message: bytes) -> bytes:
        return KEEP_ALIVE + message if self._segments.chance(PINGS) else message

    def goodbye(self) -> bytes:
        return b""


class WebEnd:
    """A browser's WebSocket (RFC 6455, RFC 7118): masked, messages in one frame or in several, as text or not, pings between
    them."""

    def __init__(self, segments: Segments, host: str) -> None:
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._segments = segments
        self._host = host
        self._opened = False
        self._waiting: list[bytes] = []
        """Messages for when the handshake is done."""
        self._parts: list[bytes] = []
        self._closed = False
        """The server has said goodbye."""

    def begin(self) -> bytes:
        return self._connection.send(Request(host=self._host, target="/", subprotocols=["sip"]))

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        messages: list[bytes] = []
        back = b""
        self._connection.receive_data(data)
        for event in self._connection.events():
            assert not isinstance(event, RejectConnection), event
            if isinstance(event, AcceptConnection):
                assert event.subprotocol == "sip"
                self._opened = True
                back += b"".join(map(self.encoded, self._waiting))
            elif isinstance(event, TextMessage | BytesMessage):
                self._parts.append(event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
                if event.message_finished:
                    messages.append(b"".join(self._parts))
                    self._parts = []
            elif isinstance(event, CloseConnection):
                self._closed = True
        return [message for message in messages if message.strip()], back

    def encoded(self, message: bytes) -> bytes:
        if self._closed:
            return b""
        if not self._opened:
            self._waiting.append(message)
            return b""
        frames = [self._message(KEEP_ALIVE)] if self._segments.chance(PINGS) else []
        return b"".join([*frames, self._message(message)])

    def _message(self, message: bytes) -> bytes:
        parts = self._segments.cut(message)
        text = self._segments.chance(0.5) and message.isascii()
        out = b""
        for index, part in enumerate(parts):
            if self._segments.chance(PINGS):
                out += self._connection.send(Ping(payload=b"there?"))
            finished = index == len(parts) - 1
            if text:
                out += self._connection.send(TextMessage(part.decode(), message_finished=finished))
            else:
                out += self._connection.send(BytesMessage(part, message_finished=finished))
        return out

    def goodbye(self) -> bytes:
        return self._connection.send(CloseConnection(1000)) if self._opened and not self._closed else b""


def end_of(kind: Kind, segments: Segments, host: str) -> WireEnd:
    """A connection's end at a phone on this host."""
    return WebEnd(segments, host) if kind.web else StreamEnd(segments)
