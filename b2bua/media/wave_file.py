"""A WAV file as a recording: PCM, 16 bits, 8,000 samples a second, one channel, or two of which the first is heard."""

from __future__ import annotations

import sys
import wave
from array import array
from pathlib import Path
from typing import Final

from b2bua.media.g711 import RATE
from b2bua.media.recording import Recording

LONGEST: Final = 600
"""Seconds that are read; a longer file is refused: it would fill the memory."""


def read_wave(path: Path) -> Recording:
    """ValueError, with a sentence that begins with the path, for a file that cannot be read or is of another kind."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, frames = file.getparams()[:4]
            if width != 2 or rate != RATE or channels not in (1, 2):
                what = f"{8 * width} bits, {rate} samples a second, {channels} channels"
                raise ValueError(f"{path}: {what}; 16 bits, {RATE} samples a second, one channel or two are wanted")
            if not 0 < frames <= LONGEST * RATE:
                raise ValueError(f"{path}: {frames // RATE} seconds; more than none and {LONGEST} at most are wanted")
            octets = file.readframes(frames)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: no WAV file with PCM: {error or 'it ends too early'}") from None
    samples = array("h", octets[: len(octets) // (2 * channels) * 2 * channels])
    if sys.byteorder == "big":
        samples.byteswap()
    return Recording(samples[::channels])
