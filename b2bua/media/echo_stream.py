"""An RTP stream that says what it hears: the far end of an echo test."""

from __future__ import annotations

from typing import Any

from b2bua.media.recording import Playback
from b2bua.media.rtp import PCMU, MalformedPacket, parse_packet
from b2bua.media.rtp_stream import RtpStream
from b2bua.media.tone import sine


class EchoStream(RtpStream):
    """Each packet of the agreed payload type goes back at once, numbered anew but for its time, to where the description
    says and nowhere else.

    Where it came from is not looked at: a phone with several addresses sends from another one than it names.
    """

    def __init__(self, reactor: Any, source: int) -> None:
        super().__init__(reactor, Playback(sine(440)), source)

    def send_to(self, remote: tuple[str, int] | None, payload_type: int = PCMU) -> None:
        self._remote, self._payload_type = self._reachable(remote), payload_type
        self._marker = self._marker or self._remote is None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            packet = parse_packet(datagram)
        except MalformedPacket:
            return
        self.received += 1
        if self._remote is not None and packet.payload_type == self._payload_type:
            self.send(packet.payload, packet.timestamp)  # theirs, which counts pauses and packets of any length
