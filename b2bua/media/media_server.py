"""The media of Communication Manager itself: sources by name, streams from a range of ports, one clock for all."""

from __future__ import annotations

import errno
import ipaddress
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import CannotListenError

from b2bua.media.echo_stream import EchoStream
from b2bua.media.media_clock import MediaClock
from b2bua.media.melody import melody
from b2bua.media.recording import Playback, Recording
from b2bua.media.rtp_stream import RtpStream
from b2bua.media.tone import sine
from b2bua.media.wave_file import read_wave
from b2bua.sip.errors import SipError

ECHO: Final = "echo"
MELODY: Final = "melody"
_TONE: Final = "tone:"
_FILE: Final = "file:"
_NOT_HERE: Final = frozenset((errno.EADDRNOTAVAIL, errno.EINVAL))


class MediaServer:
    """Implements `Media` of feature_server/contract.py.

    Sources: `echo`, `melody`, `tone:HERTZ` (100 to 3400), `file:PATH` of a WAV file. A file is read once.
    """

    def __init__(self, reactor: Any, ports: tuple[int, int], address: str, warn: Callable[..., object]) -> None:
        """`warn("event", key=value)` writes to the log.

        `ports` first and last, (0, 0): any free ones. `address` is told to everybody in place of what callers ask for."""
        self._reactor = reactor
        # RTP has the even ports (RFC 3550 §11); whoever sends RTCP to the one above finds nobody.
        self._ports = range(ports[0] + ports[0] % 2, ports[1] + 1, 2) if ports[1] else range(1)
        self._next = 0
        self._address = address
        self._warn = warn
        self._clock = MediaClock(reactor)
        self._open: set[RtpStream] = set()
        self._recordings: dict[str, Recording] = {}

    def open(self, source: str, host: str) -> RtpStream:
        """See `Media.open`."""
        stream = self._make(source)
        shown = self._address or host
        local = shown if _is_address(shown) else "0.0.0.0"
        try:
            self._bind(stream, local)
        except CannotListenError as error:
            if getattr(error.socketError, "errno", 0) not in _NOT_HERE:
                raise self._no_port() from None
            # An address that is ours for others only, as behind NAT: heard on all addresses of this host.
            self._bind_anywhere(stream, local)
        stream.address = shown, stream.address[1]
        self._open.add(stream)
        stream.closed = partial(self._open.discard, stream)
        return stream

    def close(self) -> None:
        """Close all streams: the process ends."""
        for stream in tuple(self._open):
            stream.close()

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._open)

    def _make(self, source: str) -> RtpStream:
        number = secrets.randbits(32)
        if source == ECHO:
            return EchoStream(self._reactor, number)
        return RtpStream(self._reactor, Playback(self._recording(source)), number, self._clock)

    def _recording(self, source: str) -> Recording:
        found = self._recordings.get(source)
        if found is None:
            try:
                found = self._recordings[source] = _read(source)
            except ValueError as error:
                self._warn("media_unplayable", reason=str(error))
                raise SipError(480, "No Media").because("B2BUA: what is to be played cannot be read; the log has why") from None
        return found

    def _bind_anywhere(self, stream: RtpStream, local: str) -> None:
        try:
            self._bind(stream, "::" if ":" in local else "0.0.0.0")
        except CannotListenError:
            raise self._no_port() from None

    def _no_port(self) -> SipError:
        self._warn("no_media_port", open=self.streams)
        return SipError(480, "No Media Port").because("B2BUA: no port for media of our own is free (media_ports)")

    def _bind(self, stream: RtpStream, host: str) -> None:
        """The next port of the range that is free: one that was given back is not at once somebody else's."""
        for _ in self._ports[1:]:
            try:
                stream.open(host, self._turn())
                return
            except CannotListenError as error:
                if getattr(error.socketError, "errno", 0) != errno.EADDRINUSE:
                    raise
        stream.open(host, self._turn())

    def _turn(self) -> int:
        port = self._ports[self._next]
        self._next = (self._next + 1) % len(self._ports)
        return port


def _read(source: str) -> Recording:
    if source == MELODY:
        return melody()
    if source.startswith(_FILE):
        return read_wave(Path(source.removeprefix(_FILE)))
    hertz = source.removeprefix(_TONE)
    if not source.startswith(_TONE) or not hertz.isdecimal():
        raise ValueError(f"{source!r} is no source")
    return sine(int(hertz))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
