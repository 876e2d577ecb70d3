"""G.711 in both its laws (ITU-T G.711; RFC 3551 §4.5.14): 16-bit linear samples to octets and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from b2bua.media.rtp import PCMA, PCMU

RATE: Final = 8000
"""Samples a second."""
SILENCE: Final = 0xFF
"""µ-law zero."""

_BIAS: Final = 0x84
_CLIP: Final = 32_635
"""The largest magnitude that µ-law holds, in 16-bit samples."""
_EVEN: Final = 0x55
"""A-law inverts every other bit, so that silence has changes of level."""


def encode_mulaw(sample: int) -> int:
    """One 16-bit linear sample as a µ-law octet: sign, segment, step, all bits inverted."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    segment = magnitude.bit_length() - 8
    step = (magnitude >> (segment + 3)) & 0x0F
    return ~(sign | segment << 4 | step) & 0xFF


def decode_mulaw(octet: int) -> int:
    """A µ-law octet as a 16-bit linear sample: the middle of the interval that it stands for."""
    inverted = ~octet & 0xFF
    segment, step = inverted >> 4 & 0x07, inverted & 0x0F
    magnitude = (((step << 3) + _BIAS) << segment) - _BIAS
    return -magnitude if inverted & 0x80 else magnitude


def encode_alaw(sample: int) -> int:
    """One 16-bit linear sample as an A-law octet: sign (set for positive ones), segment, step, every other bit inverted."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else -sample - 1, 32_767) >> 4  # eleven bits
    segment = max(magnitude.bit_length() - 4, 0)
    step = (magnitude >> max(segment - 1, 0)) & 0x0F
    return (sign | segment << 4 | step) ^ _EVEN


def decode_alaw(octet: int) -> int:
    """An A-law octet as a 16-bit linear sample: the middle of the interval that it stands for."""
    plain = octet ^ _EVEN
    segment, step = plain >> 4 & 0x07, plain & 0x0F
    magnitude = (step << 4) + 8 if not segment else ((step << 4) + 0x108) << (segment - 1)
    return magnitude if plain & 0x80 else -magnitude


_ENCODERS: Final[dict[int, Callable[[int], int]]] = {PCMU: encode_mulaw, PCMA: encode_alaw}
_DECODERS: Final[dict[int, Callable[[int], int]]] = {PCMU: decode_mulaw, PCMA: decode_alaw}


@cache
def _octets(payload_type: int) -> bytes:
    """Octet of every 14-bit sample, from −8192 on: the lowest two of 16 bits decide nothing."""
    encode = _ENCODERS[payload_type]
    return bytes(encode(sample << 2) for sample in range(-8192, 8192))


def encode(samples: Iterable[int], payload_type: int) -> bytes:
    """16-bit linear samples as octets of this payload type, PCMU or PCMA."""
    octets = _octets(payload_type)
    return bytes(octets[(sample >> 2) + 8192] for sample in samples)


def decode(octets: bytes, payload_type: int) -> list[int]:
    """The inverse of `encode`, with the loss of eight bits."""
    return [_DECODERS[payload_type](octet) for octet in octets]
