"""What a phone heard, told apart by its pitch (Goertzel's algorithm)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final

RATE: Final = 8000
_HEADER: Final = 44
"""Octets of a WAV header; its lengths are right only once the file has been closed."""


def samples_of(path: Path) -> Sequence[int]:
    """What a WAV file of 16 bits and one channel has so far."""
    data = path.read_bytes()[_HEADER:] if path.exists() else b""
    return array("h", data[: len(data) // 2 * 2])


def power(samples: Sequence[int], hertz: float) -> float:
    """Mean power at this frequency; a full sine of amplitude A has A²/4."""
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for sample in samples:
        one, two = sample + factor * one - two, one
    return (one * one + two * two - factor * one * two) / max(len(samples), 1) ** 2


def is_tone(samples: Sequence[int], hertz: float) -> bool:
    """Whether this frequency stands out: at least half of all the power of half a second or more is in it."""
    if len(samples) < RATE // 2:
        return False
    total = sum(sample * sample for sample in samples) / len(samples)
    return total > 100_000 and 2 * power(samples, hertz) > total / 2
