"""One beat of 20 ms for all streams: some dozens of them cost one timer."""

from __future__ import annotations

from typing import Any, Protocol

from b2bua.media.rtp import PACKET_SECONDS


class Beaten(Protocol):
    """Who wants the beat."""

    def beat(self) -> None:
        """20 ms have passed: send a packet. It may take itself or others off the clock."""


class MediaClock:
    """Runs as long as somebody is on it."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._streams: dict[Beaten, None] = {}
        self._next: Any = None
        self._due = 0.0

    def add(self, stream: Beaten) -> None:
        """Its first beat is now, when it is alone, else the next one of all. Twice is once."""
        self._streams[stream] = None
        if self._next is None:
            self._due = self._reactor.seconds()
            self._beat()

    def remove(self, stream: Beaten) -> None:
        """No beat any more. May be called twice."""
        self._streams.pop(stream, None)
        if not self._streams and self._next is not None:
            self._next.cancel()
            self._next = None

    def _beat(self) -> None:
        self._next = None
        # Due times lie on a grid, so that lateness does not add up; after a long stall the grid starts anew.
        self._due += PACKET_SECONDS
        now = self._reactor.seconds()
        if self._due < now - 10 * PACKET_SECONDS:
            self._due = now
        self._next = self._reactor.callLater(max(self._due - now, 0.0), self._beat)
        for stream in tuple(self._streams):
            if stream in self._streams:
                stream.beat()
