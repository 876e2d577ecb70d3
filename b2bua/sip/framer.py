"""Cuts a byte stream into SIP messages (RFC 3261 §18.3), and finds the keep-alives between them (RFC 5626 §4.4.1).

No I/O: bytes go in as they come, frames come out. However the stream was cut on its way, the frames are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_HEAD: Final = 65_536
"""Bytes up to the blank line: as long as a datagram may be."""
MAX_BODY: Final = 262_144
"""Bytes of one body: far beyond any description or document; bounds what one connection can make us hold."""

_END: Final = b"\r\n\r\n"
_CRLF: Final = b"\r\n"
_VERSION: Final = b"sip/"
"""Stands in every start line, at one of its ends; the rest of the line is the parser's to judge, which can answer."""
_FIRST: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~\r")
# A folded line begins with a blank, so it is never taken for a header of its own (RFC 3261 §7.3.1).
_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:(?:[ \t]|\r\n[ \t])*([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ping:
    """A double CRLF between messages: to be answered with one CRLF."""


@dataclass(frozen=True, slots=True)
class Unframed:
    """Where the stream cannot be cut any more: nothing that follows is read. `head` is what can be answered, if any."""

    head: bytes
    """The message up to its blank line, or as much of it as was taken; b"" when it is no SIP at all."""
    kind: str
    """A short label for the parse-error counter."""
    status: int
    reason: str


Frame = bytes | Ping | Unframed
PING: Final = Ping()


class Framer:
    """The reading end of one connection."""

    __slots__ = ("_blank_lines", "_buffer", "_need", "_scanned", "_started", "broken")

    def __init__(self) -> None:
        self.broken = False
        """An `Unframed` was found: whatever is fed from now on is dropped."""
        self._buffer = bytearray()
        self._blank_lines = 0
        self._scanned = 0
        """Bytes of the buffer in which no blank line ends."""
        self._started = False
        """The start line has been looked at."""
        self._need = 0
        """Length of the message whose head is complete; 0 while it is not."""

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer) and not self.broken

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream; the frames that they complete, in order."""
        frames: list[Frame] = []
        if self.broken:
            return frames
        self._buffer += data
        while self._buffer and not self.broken:
            frame = self._next()
            if frame is None:
                break
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if not self._need:
            if not self._started:
                blank = self._skip_blank_lines()
                if blank is not None:
                    return blank
                if not self._buffer:
                    return None
            flaw = self._read_head()
            if flaw is not None:
                return flaw
        if not self._need or len(self._buffer) < self._need:
            return None
        message = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._need = self._scanned = self._blank_lines = 0
        self._started = False
        return message

    def _skip_blank_lines(self) -> Ping | None:
        """Blank lines before a start line count for nothing (RFC 3261 §7.5), but two in a row ask for one back."""
        buffer = self._buffer
        while buffer[:2] == _CRLF:
            del buffer[:2]
            self._blank_lines += 1
            if self._blank_lines == 2:
                self._blank_lines = 0
                return PING
        return None

    def _read_head(self) -> Unframed | None:
        """Look for the end of the head and say how long the message is; what makes that impossible is given back."""
        buffer = self._buffer
        if not self._started:
            if buffer[0] not in _FIRST or (buffer[0] == 13 and len(buffer) > 1):
                return self._break(b"", "not SIP")
            line_end = buffer.find(_CRLF, 0, MAX_HEAD)
            if line_end < 0:
                return self._break(b"", "too long") if len(buffer) > MAX_HEAD else None
            if _VERSION not in buffer[:line_end].lower():
                return self._break(b"", "not SIP")
            self._started = True
        end = buffer.find(_END, max(self._scanned - 3, 0), MAX_HEAD)
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) <= MAX_HEAD:
                return None
            # As far as it goes in whole lines, to tell its sender.
            return self._break(bytes(buffer[: buffer.rfind(_CRLF, 0, MAX_HEAD)]) + _END, "too long", 513, "Message Too Large")
        head = bytes(buffer[: end + 4])
        lengths = {value.strip() for value in _LENGTH.findall(head, 0, end + 2)}
        if not lengths:
            # RFC 3261 §18.3: on a stream nothing else says where the message ends.
            return self._break(head, "missing content length", 400, "Missing Content-Length")
        value = lengths.pop()
        if lengths or not (value.isascii() and value.isdigit() and len(value) <= 9):
            return self._break(head, "content length", 400, "Bad Content-Length")
        if int(value) > MAX_BODY:
            return self._break(head, "too long", 513, "Message Too Large")
        self._need = end + 4 + int(value)
        return None

    def _break(self, head: bytes, kind: str, status: int = 400, reason: str = "Bad Request") -> Unframed:
        self.broken = True
        self._buffer.clear()
        return Unframed(head, kind, status, reason)
