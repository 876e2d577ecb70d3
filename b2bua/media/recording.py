"""Sound that is played in a loop: linear samples, encoded once for all streams, and a place in them for each stream."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from b2bua.media import g711
from b2bua.media.rtp import PCMU, SAMPLES

AHEAD: Final = 8000
"""Samples that are encoded at a time: a second. A long file all at once would keep everybody waiting."""


class Recording:
    """16-bit samples at 8,000 a second; shared by all who play it."""

    def __init__(self, samples: Iterable[int]) -> None:
        """At least one sample, else ValueError."""
        self._samples = samples if isinstance(samples, array) else array("h", samples)
        if not self._samples:
            raise ValueError("a recording without a sample")
        self._encoded: dict[int, bytearray] = {}

    def __len__(self) -> int:
        """In samples."""
        return len(self._samples)

    def octets(self, payload_type: int, start: int, end: int) -> bytes:
        """From sample to sample in G.711 of this payload type, an octet each; encoded once for all who ask."""
        encoded = self._encoded.setdefault(payload_type, bytearray())
        while len(encoded) < min(end, len(self)):
            encoded += g711.encode(self._samples[len(encoded) : len(encoded) + AHEAD], payload_type)
        return bytes(encoded[start:end])


class Playback:
    """Somebody's place in a recording, which begins anew at its end without a gap."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._position = 0

    def frame(self, payload_type: int = PCMU) -> bytes:
        """The next 20 ms, 160 octets."""
        recording, frame = self._recording, b""
        while len(frame) < SAMPLES:
            end = min(self._position + SAMPLES - len(frame), len(recording))
            frame += recording.octets(payload_type, self._position, end)
            self._position = end % len(recording)
        return frame
