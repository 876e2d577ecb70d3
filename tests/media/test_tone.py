import cmath
import math
from itertools import pairwise

import pytest

from b2bua.media.g711 import RATE, SILENCE, decode_mulaw, encode_mulaw
from b2bua.media.rtp import SAMPLES
from b2bua.media.tone import Tone


@pytest.mark.parametrize(
    ("sample", "octet"),
    [(0, 0xFF), (-1, 0x7F), (8, 0xFE), (1000, 0xCE), (-1000, 0x4E), (32_767, 0x80), (-32_768, 0x00)],
)
def test_samples_are_coded_as_g711_says(sample, octet):
    assert encode_mulaw(sample) == octet


def test_every_octet_reads_back():
    for octet in range(256):
        # Minus zero has no linear sample of its own.
        assert encode_mulaw(decode_mulaw(octet)) == (SILENCE if octet == 0x7F else octet)


@pytest.mark.parametrize("sample", range(-32_000, 32_001, 997))
def test_the_error_is_one_part_in_thirty_two(sample):
    assert abs(decode_mulaw(encode_mulaw(sample)) - sample) <= max(abs(sample) / 28, 4)


def power(samples: list[int], hertz: int) -> float:
    return abs(sum(value * cmath.exp(-2j * math.pi * hertz * index / RATE) for index, value in enumerate(samples)))


@pytest.mark.parametrize(("hertz", "other"), [(440, 880), (880, 440)])
def test_a_tone_has_its_pitch_and_no_seam(hertz, other):
    tone = Tone(hertz)
    samples = [decode_mulaw(octet) for _ in range(50) for octet in tone.frame()]
    assert len(samples) == 50 * SAMPLES
    assert power(samples, hertz) > 50 * power(samples, other)
    step = max(abs(b - a) for a, b in pairwise(samples))
    assert step < 1.1 * 8000 * 2 * math.pi * hertz / RATE + 300
