"""A stream: any cut of it gives the same frames, and every frame is a piece of the stream, in order.

The first byte of an input says into what pieces the rest is cut.
"""

from __future__ import annotations

from random import Random

from b2bua.sip.framer import PING, Frame, Framer, Ping, Unframed
from tests.torture import rfc4475_semantics, rfc4475_valid

BYE = b"BYE sip:6001@example.com SIP/2.0\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nl:0\r\n\r\n"
FOLDED = b"MESSAGE sip:6001@example.com SIP/2.0\r\nContent-Length:\r\n 2\r\nX: y\r\n\r\nhi"
PINGS = b"\r\n\r\n"
WORDS = (
    b"\r\n", b"\r\n\r\n", BYE, RINGING, FOLDED, b"Content-Length: 0\r\n", b"Content-Length", b"l:", b"l :\r\n 1",
    b" SIP/2.0\r\n", b"sip/", b"\r", b"\n", b"262144", b"262145", b"1000000000",
)  # fmt: skip


def frames(data: bytes, sizes: list[int]) -> tuple[list[Frame], bool]:
    """What a framer makes of the stream in pieces of these sizes, over and over; and whether it waits for more."""
    framer, found, start, turn = Framer(), [], 0, 0
    while start < len(data):
        end = start + sizes[turn % len(sizes)]
        found += framer.feed(data[start:end])
        start, turn = end, turn + 1
    return found, framer.waiting


class FramerTarget:
    """See the module."""

    words = WORDS

    def __init__(self) -> None:
        whole = [case.data for case in (*rfc4475_valid.CASES, *rfc4475_semantics.CASES) if len(case.data) < 2000]
        streams = [BYE + RINGING + FOLDED, PINGS + BYE + PINGS + PINGS + RINGING, *(BYE + data + BYE for data in whole)]
        self.seeds = [bytes([index]) + stream for index, stream in enumerate(streams)]

    def check(self, data: bytes) -> None:
        how, stream = data[:1], data[1:]
        random = Random(how)
        sizes = [random.randint(1, 1 + random.choice((1, 3, 20, 100))) for _ in range(16)]
        whole = frames(stream, [len(stream) or 1])
        assert frames(stream, sizes) == whole, f"in pieces of {sizes}"
        assert frames(stream, [1]) == whole, "byte by byte"
        self._in_order(stream, whole[0])

    def finish(self) -> None:
        return

    def _in_order(self, stream: bytes, found: list[Frame]) -> None:
        place = 0
        for index, frame in enumerate(found):
            if isinstance(frame, Unframed):
                assert index == len(found) - 1
                return
            text = b"\r\n" if isinstance(frame, Ping) else frame
            gap = stream.index(text, place) - place
            assert frame == PING or not stream[place : place + gap].strip(b"\r\n"), "bytes of the stream are lost"
            place += gap + len(text)
            if isinstance(frame, bytes):
                assert frames(frame, [len(frame)]) == ([frame], False)


def make() -> FramerTarget:
    return FramerTarget()
