"""Sound that is played in a loop: linear samples, encoded once for all streams, and a place in them for each stream."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from b2bua.media import g711
from b2bua.media.rtp import PCMU, SAMPLES


class Recording:
    """16-bit samples at 8,000 a second; shared by all who play it."""

    def __init__(self, samples: Iterable[int]) -> None:
        """At least one sample, else ValueError."""
        self._samples = array("h", samples)
        if not self._samples:
            raise ValueError("a recording without a sample")
        self._encoded: dict[int, bytes] = {}

    def encoded(self, payload_type: int) -> bytes:
        """All of it in G.711 of this payload type, an octet a sample."""
        if payload_type not in self._encoded:
            self._encoded[payload_type] = g711.encode(self._samples, payload_type)
        return self._encoded[payload_type]


class Playback:
    """Somebody's place in a recording, which begins anew at its end without a gap."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._position = 0

    def frame(self, payload_type: int = PCMU) -> bytes:
        """The next 20 ms, 160 octets."""
        octets = self._recording.encoded(payload_type)
        start = self._position
        self._position = (start + SAMPLES) % len(octets)
        if start + SAMPLES <= len(octets):
            return octets[start : start + SAMPLES]
        repeats = (start + SAMPLES) // len(octets) + 1
        return (octets * repeats)[start : start + SAMPLES]
