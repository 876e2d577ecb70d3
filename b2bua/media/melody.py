"""The melody that is played where no file is configured: made here, note by note."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import Final

from b2bua.media.g711 import RATE
from b2bua.media.recording import Recording

NOTE_SECONDS: Final = 0.4
NOTES: Final = (392, 494, 587, 494, 440, 523, 659, 523, 392, 494, 587, 784, 659, 587, 440, 0)
"""Fundamental frequencies in hertz; 0 is a rest."""
AMPLITUDE: Final = 6000
_FADE: Final = 200
"""Samples in which a note begins, and in which it ends: without it there is a click."""


def melody() -> Recording:
    """Some seconds of plain notes."""
    notes = {hertz: array("h", _note(hertz)) for hertz in set(NOTES)}
    samples = array("h")
    for hertz in NOTES:
        samples += notes[hertz]
    return Recording(samples)


def _note(hertz: int) -> Iterator[int]:
    length = round(NOTE_SECONDS * RATE)
    for index in range(length):
        loud = AMPLITUDE * min(1.0, index / _FADE, (length - index) / _FADE)
        angle = 2 * math.pi * hertz * index / RATE
        yield round(loud * (0.8 * math.sin(angle) + 0.2 * math.sin(2 * angle)))
