from itertools import pairwise

import pytest

from b2bua.media.g711 import decode, encode
from b2bua.media.melody import NOTE_SECONDS, NOTES, melody
from b2bua.media.recording import AHEAD, Playback, Recording
from b2bua.media.rtp import PCMU, SAMPLES
from tests.interop.hearing import power


def test_a_recording_begins_anew_without_a_gap():
    recording = Recording(range(0, 25_000, 100))  # 250 samples
    playback = Playback(recording)
    heard = b"".join(playback.frame() for _ in range(10))
    assert heard == (recording.octets(PCMU, 0, 250) * 7)[: 10 * SAMPLES]


def test_a_long_one_is_encoded_as_it_is_played():
    samples = [index % 3000 for index in range(3 * AHEAD)]
    recording = Recording(samples)
    playback = Playback(recording)
    heard = b"".join(playback.frame() for _ in range(4 * AHEAD // SAMPLES))
    assert heard == encode(samples + samples[:AHEAD], PCMU)
    assert Playback(recording).frame() == heard[:SAMPLES]


def test_one_that_is_shorter_than_a_packet():
    playback = Playback(Recording([0, 1000, -1000]))
    assert b"".join(playback.frame() for _ in range(3)) == encode([0, 1000, -1000], PCMU) * 160


def test_nothing_cannot_be_played():
    with pytest.raises(ValueError, match="without a sample"):
        Recording([])


def test_the_melody_has_its_notes_and_no_clicks():
    recording = melody()
    samples = decode(recording.octets(PCMU, 0, len(recording)), PCMU)
    length = round(NOTE_SECONDS * 8000)
    assert len(samples) == length * len(NOTES)
    for number, hertz in enumerate(NOTES):
        note = samples[number * length : (number + 1) * length]
        if hertz:
            others = max(power(note, other) for other in set(NOTES) - {0, hertz, 2 * hertz, hertz // 2})
            assert power(note, hertz) > 10 * others
        else:
            assert max(map(abs, note)) == 0
    assert max(abs(two - one) for one, two in pairwise([*samples, samples[0]])) < 6000
