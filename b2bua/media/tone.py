"""A sine tone as G.711 µ-law, computed: what a scripted phone says, and what an ear would tell apart."""

from __future__ import annotations

import math
from typing import Final

from b2bua.media.rtp import SAMPLES

RATE: Final = 8000
"""Samples a second."""
SILENCE: Final = 0xFF
"""µ-law zero."""

_BIAS: Final = 0x84
_CLIP: Final = 32_635
"""The largest magnitude that µ-law holds, in 16-bit samples."""


def encode_sample(sample: int) -> int:
    """One 16-bit linear sample as a µ-law octet (ITU-T G.711): sign, segment, step, all bits inverted."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    segment = magnitude.bit_length() - 8
    step = (magnitude >> (segment + 3)) & 0x0F
    return ~(sign | segment << 4 | step) & 0xFF


def decode_sample(octet: int) -> int:
    """A µ-law octet as a 16-bit linear sample: the middle of the interval that it stands for."""
    inverted = ~octet & 0xFF
    segment, step = inverted >> 4 & 0x07, inverted & 0x0F
    magnitude = (((step << 3) + _BIAS) << segment) - _BIAS
    return -magnitude if inverted & 0x80 else magnitude


class Tone:
    """An endless sine; `frame` gives the next 20 ms. One period set is computed, the rest is repetition."""

    def __init__(self, hertz: int = 440, amplitude: int = 8000) -> None:
        """`amplitude` in 16-bit samples; the default is about −12 dBm0."""
        length = RATE // math.gcd(hertz, RATE)  # samples until the sine is in phase with the clock again
        samples = [round(amplitude * math.sin(2 * math.pi * hertz * index / RATE)) for index in range(length)]
        self._wave = bytes(map(encode_sample, samples))
        self._position = 0

    def frame(self) -> bytes:
        """The next 160 octets."""
        start = self._position
        self._position = (start + SAMPLES) % len(self._wave)
        repeats = (start + SAMPLES) // len(self._wave) + 1
        return (self._wave * repeats)[start : start + SAMPLES]
