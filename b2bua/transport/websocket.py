"""SIP over WebSocket (RFC 7118, RFC 6455), the server's side: the opening handshake, then one SIP message a WebSocket message.

`WebSocket` does no I/O: bytes go in as they come, messages and what is to be written come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, RejectConnection, Request, TextMessage
from wsproto.events import Ping as PingFrame
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

from b2bua.sip.framer import MAX_BODY, MAX_HEAD, PING, Unframed
from b2bua.transport.frame_boundary import FrameBoundary
from b2bua.transport.stream import Connection

SUBPROTOCOL: Final = "sip"
MAX_MESSAGE: Final = MAX_HEAD + MAX_BODY
"""Bytes of one message, as over TCP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that the peer gets: of the handshake, a pong, a close frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake is done."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing comes any more, and nothing may be sent."""


_END: Final = b"\r\n\r\n"
OPENED: Final = Opened()
ENDED: Final = Ended()


class WebSocket:
    """One connection's WebSocket: `b2bua.transport.stream.Framing`, whose frames are messages as bytes, `PING`, `Unframed`,
    and the three above."""

    def __init__(self) -> None:
        self.waiting = False
        """Whether the handshake, a frame or a message has begun and not ended."""
        self._connection = WSConnection(ConnectionType.SERVER)
        self._parts: list[bytes] = []
        self._length = 0
        self._begun = False
        """The first fragment of a message came, and not yet the last."""
        self._frames = FrameBoundary()
        self._over = False
        self._tail = b""
        """The last bytes of a handshake that has not ended."""

    def feed(self, data: bytes) -> Sequence[object]:
        if self._over:
            return []
        frames: list[object] = []
        head, rest = self._split(data)
        try:
            for part in (head, rest) if rest else (head,):
                if not self._over:
                    if self._connection.connection is not None:
                        self._frames.feed(part)
                    self._connection.receive_data(part)
                    self._read(frames)
        except (RemoteProtocolError, ValueError) as error:
            # ValueError: of bytes in the request's header that are no text.
            hint = getattr(error, "event_hint", None)
            self._refuse(hint if isinstance(hint, RejectConnection) else RejectConnection(), frames)
        unopened = self._connection.connection is None
        self.waiting = not self._over and (unopened or self._begun or self._frames.inside)
        return frames

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        """The handshake, and what comes behind it in one go: wsproto would throw that away where a client sends frames before
        it has our answer (RFC 6455 §4.1 has it wait)."""
        if self._connection.connection is not None:
            return data, b""
        joined = self._tail + data
        end = joined.find(_END)
        if end < 0:
            self._tail = joined[-len(_END) + 1 :]
            return data, b""
        cut = end + len(_END) - len(self._tail)
        return data[:cut], data[cut:]

    def _read(self, frames: list[object]) -> None:
        """Take what the bytes so far say."""
        for event in self._connection.events():
            self._take(event, frames)
            if frames and isinstance(frames[-1], Unframed | Ended):
                break

    def _take(self, event: Event, frames: list[object]) -> None:
        if isinstance(event, TextMessage):
            self._part(event.data.encode(), event.message_finished, frames)
        elif isinstance(event, BytesMessage):
            self._part(bytes(event.data), event.message_finished, frames)
        elif isinstance(event, PingFrame):
            frames.append(Reply(self._connection.send(event.response())))
        elif isinstance(event, Request):
            self._open(event, frames)
        elif isinstance(event, CloseConnection):
            self._close(event, frames)

    def _open(self, request: Request, frames: list[object]) -> None:
        """RFC 7118 §4.1: a client that does not offer `sip` speaks something else."""
        if SUBPROTOCOL not in request.subprotocols:
            self._refuse(RejectConnection(), frames)
            return
        frames += (Reply(self._connection.send(AcceptConnection(subprotocol=SUBPROTOCOL))), OPENED)

    def _refuse(self, answer: RejectConnection, frames: list[object]) -> None:
        self._over = True
        headers = [*answer.headers, (b"connection", b"close")]
        answer = RejectConnection(status_code=answer.status_code, headers=headers)
        frames += (Reply(self._connection.send(answer)), Unframed(b"", "websocket handshake", 400, "Bad Request"))

    def _part(self, data: bytes, finished: bool, frames: list[object]) -> None:
        self._length += len(data)
        if self._length > MAX_MESSAGE:
            self._over = True
            goodbye = CloseConnection(code=CloseReason.MESSAGE_TOO_BIG)
            frames += (Reply(self._connection.send(goodbye)), Unframed(b"", "too long", 513, "Message Too Large"))
            return
        if data:  # fragments may be empty, any number of them
            self._parts.append(data)
        self._begun = not finished
        if not finished:
            return
        message = b"".join(self._parts)
        self._parts, self._length = [], 0
        if message.strip(b"\r\n"):
            frames.append(message)
        elif message == b"\r\n\r\n":
            frames.append(PING)  # RFC 7118 §6: the keep-alive of RFC 5626 §3.5.1 may be used here, too

    def _close(self, event: CloseConnection, frames: list[object]) -> None:
        """The peer says goodbye, or broke the rules of RFC 6455: wsproto reports both so."""
        broken = self._connection.state is ConnectionState.OPEN
        self._over = True
        frames.append(Reply(self._connection.send(event.response())))
        frames.append(Unframed(b"", "websocket", 400, "Bad Request") if broken else ENDED)

    def encoded(self, message: bytes) -> bytes:
        """A message as one frame: text where it is UTF-8, which every client reads (RFC 7118 §5), else binary. b"" once the
        WebSocket is closed."""
        if self._over:
            return b""
        try:
            return self._connection.send(TextMessage(data=message.decode()))
        except UnicodeDecodeError:
            return self._connection.send(BytesMessage(data=message))

    def goodbye(self) -> bytes:
        """The close frame of a server that ends; b"" where there is nobody to say it to."""
        if self._over or self._connection.state is not ConnectionState.OPEN:
            return b""
        self._over = True
        return self._connection.send(CloseConnection(code=CloseReason.GOING_AWAY))


class WebSocketConnection(Connection):
    """A connection whose flow opens with the WebSocket's handshake."""

    _websocket: WebSocket

    def _new_framer(self) -> WebSocket:
        self._websocket = WebSocket()
        return self._websocket

    def _stands(self) -> None:
        return

    def _take(self, frame: object) -> None:
        if isinstance(frame, Reply):
            self._put(frame.data)
        elif isinstance(frame, Opened):
            self.flow.opened(self)
        elif isinstance(frame, Ended):
            self._close_gently()
        else:
            super()._take(frame)

    def write(self, data: bytes) -> None:
        self._put(self._websocket.encoded(data))

    def end(self) -> None:
        self._put(self._websocket.goodbye())
        super().end()
