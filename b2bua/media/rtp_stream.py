"""One RTP stream on a UDP port of its own: sends a tone every 20 ms while it may, and counts what comes in."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.protocol import DatagramProtocol

from b2bua.media.rtp import PACKET_SECONDS, PCMU, SAMPLES, MalformedPacket, RtpPacket, parse_packet
from b2bua.media.tone import Tone


class RtpStream(DatagramProtocol):
    """Owns its socket from `open` to `close`. Counts rise only; whoever measures takes differences."""

    def __init__(self, reactor: Any, tone: Tone, source: int) -> None:
        """`source` is the SSRC."""
        self.sent = 0
        self.received = 0
        """Packets of RTP, whoever sent them."""
        self._reactor = reactor
        self._tone = tone
        self._source = source
        self._port: Any = None
        self._remote: tuple[str, int] | None = None
        self._next: Any = None
        self._due = 0.0
        self._samples = 0
        self._marker = True

    def open(self, host: str) -> tuple[str, int]:
        """Bind any free port at a local address and return both; CannotListenError when there is none."""
        self._port = self._reactor.listenUDP(0, self, interface=host)
        return host, int(self._port.getHost().port)

    def close(self) -> None:
        """Stop sending and give the port back. May be called twice."""
        self.send_to(None)
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    def send_to(self, remote: tuple[str, int] | None) -> None:
        """Send there from now on; None stops at once."""
        self._remote = remote
        if remote is None:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            self._marker = True
        elif self._next is None and self._port is not None:
            self._due = self._reactor.seconds()
            self._send()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            parse_packet(datagram)
        except MalformedPacket:
            return
        self.received += 1

    def _send(self) -> None:
        if self._remote is None or self._port is None:
            self._next = None
            return
        packet = RtpPacket(PCMU, self.sent, self._samples, self._source, self._tone.frame(), self._marker)
        with suppress(OSError):  # media is lost as on any network; the counts show it
            self._port.write(packet.encode(), self._remote)
        self.sent += 1
        self._samples += SAMPLES
        self._marker = False
        # Due times lie on a grid, so that lateness does not add up; after a long stall the grid starts anew.
        self._due += PACKET_SECONDS
        now = self._reactor.seconds()
        if self._due < now - 10 * PACKET_SECONDS:
            self._due = now
        self._next = self._reactor.callLater(max(self._due - now, 0.0), self._send)
