"""Requests that are too long for a datagram (RFC 3261 §18.1.1): how long a request is, and the interface that finds
a stream instead."""

from __future__ import annotations

from typing import Final, Protocol

from b2bua.sip.flow import Flow
from b2bua.sip.message import Request

MAX_DATAGRAM: Final = 1300
"""Bytes of a request that go over UDP where the path's MTU is unknown."""


class Streams(Protocol):
    """Where such requests go; `b2bua.transport.listener_set.ListenerSet` is one."""

    def stream_beside(self, flow: Flow, size: int) -> Flow | None:
        """A flow over a stream to the same peer; None when there is no way."""

    def refused(self, flow: Flow, size: int) -> None:
        """Such a flow came to nothing: the request goes over UDP after all."""


def length_of(request: Request) -> int:
    """Bytes of a request on the wire (a character outside ASCII counts as one)."""
    body, lines = len(request.body), request.lines  # the body first: a deferred one brings its Content-Length
    return len(request.method) + len(request.uri) + 13 + sum(map(len, lines)) + 2 * len(lines) + body
