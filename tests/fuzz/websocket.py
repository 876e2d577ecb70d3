"""A WebSocket: any cut of its stream gives the same frames, it ends once, and what a client was told can be read.

The first byte of an input says into what pieces the rest is cut; an odd one puts a client's handshake before it.
"""

from __future__ import annotations

from random import Random

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Pong, Request

from b2bua.sip.framer import Unframed
from b2bua.transport.websocket import ENDED, MAX_MESSAGE, OPENED, Reply, WebSocket
from tests.fuzz.framer import BYE, FOLDED, PINGS, RINGING

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
MASK = b"\0\0\0\0"
WORDS = (
    b"\x81\x80" + MASK, b"\x01\x80" + MASK, b"\x80\x80" + MASK, b"\x00\x80" + MASK, b"\x82\xfe", b"\x82\xff", b"\x88\x80" + MASK,
    b"\x89\x80" + MASK, b"\x8a\x80" + MASK, b"\x03\xe8", b"\x7e", b"\x7f", MASK, b"\xc3\xa9", b"\xff", BYE, PINGS, b"GET / ",
    b" HTTP/1.1\r\n", b"Host: a\r\n", b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Sec-WebSocket-Protocol: sip\r\n",
    b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Content-Length: 5\r\n", b"\r\n\r\n",
)  # fmt: skip


Taken = tuple[list[object], bool, bool]
"""Frames, whether more of one is waited for, whether nothing may be sent any more."""


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A client's frame with a mask of zeros."""
    head = bytes([opcode | (0x80 if final else 0)])
    if len(payload) < 126:
        return head + bytes([0x80 | len(payload)]) + MASK + payload
    return head + b"\xfe" + len(payload).to_bytes(2, "big") + MASK + payload


def frames(data: bytes, sizes: list[int]) -> Taken:
    """What comes of the stream in pieces of these sizes, over and over; whether it waits for more, and whether it is over."""
    websocket, found, start, turn = WebSocket(), list[object](), 0, 0
    while start < len(data):
        end = start + sizes[turn % len(sizes)]
        found += websocket.feed(data[start:end])
        start, turn = end, turn + 1
    return found, websocket.waiting, OPENED in found and not websocket.encoded(BYE)


def same(taken: Taken) -> Taken:
    """Without the text of a goodbye, which says at what place of a piece something was wrong."""
    found = [
        Reply(b"\x88" + one.data[2:4]) if isinstance(one, Reply) and one.data[:1] == b"\x88" else one for one in taken[0]
    ]
    return found, *taken[1:]


class WebSocketTarget:
    """See the module."""

    words = WORDS

    def __init__(self) -> None:
        whole = frame(1, BYE) + frame(2, RINGING) + frame(9, b"there?") + frame(1, PINGS)
        split = frame(1, FOLDED[:20], False) + frame(9, b"") + frame(0, b"", False) + frame(0, FOLDED[20:])
        streams = [whole, split, frame(8, b"\x03\xe8") + whole, frame(2, b"x" * 300) + frame(10, b""), frame(0, BYE)]
        self.seeds = [b"\1" + stream for stream in streams] + [b"\0" + HANDSHAKE + whole, b"\0" + HANDSHAKE[:40] + whole]

    def check(self, data: bytes) -> None:
        how, stream = data[:1] or b"\0", data[1:]
        if how[0] % 2:
            stream = HANDSHAKE + stream
        random = Random(how)
        sizes = [random.randint(1, 1 + random.choice((1, 3, 20, 100))) for _ in range(16)]
        whole = frames(stream, [len(stream) or 1])
        assert same(frames(stream, sizes)) == same(whole), f"in pieces of {sizes}"
        assert same(frames(stream, [1])) == same(whole), "byte by byte"
        self._in_order(whole[0], whole[2])
        self._can_be_read([one.data for one in whole[0] if isinstance(one, Reply)])

    def finish(self) -> None:
        return

    def _in_order(self, found: list[object], over: bool) -> None:
        last = [one for one in found if one is ENDED or isinstance(one, Unframed)]
        assert len(last) <= 1 and (not last or last[0] is found[-1]), "something behind the end"
        assert over or OPENED not in found or not last, "sent after the end"
        assert found.count(OPENED) <= 1
        for one in found:
            if isinstance(one, bytes):
                assert OPENED in found[: found.index(one)], "a message before the handshake"
                assert one.strip(b"\r\n") and len(one) <= MAX_MESSAGE

    def _can_be_read(self, replies: list[bytes]) -> None:
        """By another end of the same make: the answer to the handshake, pongs, and at most one goodbye."""
        if not replies or not replies[0].startswith(b"HTTP/1.1 101 "):
            assert len(replies) <= 1
            return
        events = _behind_the_handshake(b"".join(replies[1:]))
        assert all(isinstance(event, Pong | CloseConnection) for event in events), events
        goodbyes = [event for event in events if isinstance(event, CloseConnection)]
        assert len(goodbyes) <= 1 and (not goodbyes or goodbyes[0] is events[-1])


def _behind_the_handshake(data: bytes) -> list[object]:
    """The events of a client that is already connected."""
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    server.receive_data(client.send(Request(host="example.com", target="/", subprotocols=["sip"])))
    list(server.events())
    client.receive_data(server.send(AcceptConnection(subprotocol="sip")))
    list(client.events())
    client.receive_data(data)
    return list(client.events())


def make() -> WebSocketTarget:
    return WebSocketTarget()
