"""The transports that are connections: TCP bare, under TLS, and as a WebSocket with and without TLS (RFC 3261 §18, RFC 7118)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """How messages travel over a TCP connection."""

    transport: str
    """As settings, trace and metrics name it, and as listeners' names begin."""
    secure: bool
    """Under TLS."""
    web: bool
    """One WebSocket message a SIP message. Such connections are never opened by us (RFC 7118 §3)."""

    @property
    def via_transport(self) -> str:
        """As it stands in a Via (RFC 3261 §20.42, RFC 7118 §5.1)."""
        return self.transport.upper()


TCP: Final = Kind("tcp", secure=False, web=False)
TLS: Final = Kind("tls", secure=True, web=False)
WS: Final = Kind("ws", secure=False, web=True)
WSS: Final = Kind("wss", secure=True, web=True)

KINDS: Final = MappingProxyType({kind.transport: kind for kind in (TCP, TLS, WS, WSS)})
