"""Where the frames of a WebSocket client end (RFC 6455 §5.2): whoever has begun one owes the rest."""

from __future__ import annotations

_FIXED = 6
"""Bytes of a client's shortest frame: two, and the mask."""
_LONGER = {126: 2, 127: 8}
"""What the length takes besides, by its first seven bits."""


class FrameBoundary:
    """Follows a stream of frames by their lengths alone; the frames are somebody else's to judge."""

    __slots__ = ("_head", "_left")

    def __init__(self) -> None:
        self._head = b""
        """The bytes of a frame up to its payload, until they are all there."""
        self._left = 0
        """Bytes of the payload to come."""

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._head) or self._left > 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        place = 0
        while place < len(data):
            if self._left:
                taken = min(self._left, len(data) - place)
                self._left -= taken
            else:
                taken = self._wanted() - len(self._head)
                self._head += data[place : place + taken]
                if len(self._head) == self._wanted():
                    self._left, self._head = self._payload(), b""
            place += taken

    def _wanted(self) -> int:
        """How long the head will be, as far as it tells by now."""
        if len(self._head) < 2:
            return 2
        return _FIXED + _LONGER.get(self._head[1] & 0x7F, 0)

    def _payload(self) -> int:
        length = self._head[1] & 0x7F
        return int.from_bytes(self._head[2:-4], "big") if length in _LONGER else length
