"""Media of Communication Manager without a socket: what the server would send where, kept for the test to see."""

from __future__ import annotations

from b2bua.feature_server.media_source import check_source
from b2bua.sip.errors import SipError
from b2bua.sip.flow import HostPort


class VirtualStream:
    """One stream that was opened."""

    def __init__(self, media: VirtualMedia, source: str, address: HostPort) -> None:
        self.source = source
        self.address = address
        self.to: HostPort | None = None
        """Where it sends now."""
        self.payload_type = -1
        self._media = media

    def send_to(self, remote: HostPort | None, payload_type: int) -> None:
        self.to, self.payload_type = remote, payload_type

    def close(self) -> None:
        self.to = None
        if self in self._media.open_streams:
            self._media.open_streams.remove(self)


class VirtualMedia:
    """As `MediaServer`, with ports from 20000 on that nobody binds."""

    def __init__(self) -> None:
        self.streams: list[VirtualStream] = []
        """All that were opened, in order."""
        self.open_streams: list[VirtualStream] = []
        self.ports = 100
        """How many more there are."""

    def open(self, source: str, host: str) -> VirtualStream:
        check_source(source)
        if not self.ports:
            raise SipError(480, "No Media Port")
        self.ports -= 1
        stream = VirtualStream(self, source, (host, 20_000 + 2 * len(self.streams)))
        self.streams.append(stream)
        self.open_streams.append(stream)
        return stream
