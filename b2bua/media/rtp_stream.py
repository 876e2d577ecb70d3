"""One RTP stream on a UDP port of its own: sends sound every 20 ms while it may, and counts what comes in."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.protocol import DatagramProtocol

from b2bua.media.media_clock import MediaClock
from b2bua.media.rtp import PCMU, SAMPLES, MalformedPacket, RtpPacket, parse_packet


class Sound(Protocol):
    """What is said."""

    def frame(self, payload_type: int) -> bytes:
        """The next 20 ms in G.711 of this payload type."""


class RtpStream(DatagramProtocol):
    """Owns its socket from `open` to `close`. Counts rise only; whoever measures takes differences."""

    def __init__(self, reactor: Any, sound: Sound, source: int, clock: MediaClock | None = None) -> None:
        """`source` is the SSRC; without a clock that others are on, too, it has one of its own."""
        self.sent = 0
        self.received = 0
        """Packets of RTP, whoever sent them."""
        self.address = ("", 0)
        """Where it hears, once open, as others know it."""
        self.closed: Callable[[], None] = lambda: None
        """Told when the port is given back."""
        self._reactor = reactor
        self._sound = sound
        self._source = source
        self._clock = clock or MediaClock(reactor)
        self._port: Any = None
        self._bound = ""
        self._remote: tuple[str, int] | None = None
        self._payload_type = PCMU
        self._samples = 0
        self._marker = True

    def open(self, host: str, port: int = 0) -> tuple[str, int]:
        """Bind a port (0: any free one) at a local address and return both; CannotListenError when that cannot be."""
        self._port, self._bound = self._reactor.listenUDP(port, self, interface=host), host
        self.address = host, int(self._port.getHost().port)
        return self.address

    def close(self) -> None:
        """Stop sending and give the port back. May be called twice."""
        self.send_to(None)
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
            self.closed()

    def send_to(self, remote: tuple[str, int] | None, payload_type: int = PCMU) -> None:
        """Send there from now on; None stops at once."""
        self._remote, self._payload_type = self._reachable(remote), payload_type
        if self._remote is None:
            self._clock.remove(self)
            self._marker = True
        elif self._port is not None:
            self._clock.add(self)

    def _reachable(self, remote: tuple[str, int] | None) -> tuple[str, int] | None:
        """The same, or None for what a peer may write and no packet can be sent to: a name, the other family, a group."""
        try:
            address = ipaddress.ip_address(remote[0]) if remote is not None and 0 < remote[1] <= 65535 else None
        except ValueError:
            return None
        if address is None or address.is_multicast or str(address) == "255.255.255.255":
            return None
        return remote if (address.version == 6) == (":" in self._bound) else None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            parse_packet(datagram)
        except MalformedPacket:
            return
        self.received += 1

    def beat(self) -> None:
        """From the clock."""
        self.send(self._sound.frame(self._payload_type), self._samples)
        self._samples += SAMPLES

    def send(self, payload: bytes, timestamp: int) -> None:
        """One packet to the remote address; none where there is none."""
        if self._remote is None or self._port is None:
            return
        packet = RtpPacket(self._payload_type, self.sent, timestamp, self._source, payload, self._marker)
        with suppress(OSError):  # media is lost as on any network; the counts show it
            self._port.write(packet.encode(), self._remote)
        self.sent += 1
        self._marker = False
