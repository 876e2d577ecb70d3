"""A sine tone, computed: what a scripted phone says, and what an ear would tell apart."""

from __future__ import annotations

import math

from b2bua.media.g711 import RATE
from b2bua.media.recording import Playback, Recording


def sine(hertz: int, amplitude: int = 8000) -> Recording:
    """As many samples of a sine as it takes to be in phase with the clock again.

    `amplitude` in 16-bit samples; the default is about −12 dBm0.
    """
    length = RATE // math.gcd(hertz, RATE)
    return Recording(round(amplitude * math.sin(2 * math.pi * hertz * index / RATE)) for index in range(length))


class Tone(Playback):
    """An endless sine; `frame` gives the next 20 ms."""

    def __init__(self, hertz: int = 440, amplitude: int = 8000) -> None:
        super().__init__(sine(hertz, amplitude))
