import wave

import pytest

from b2bua.media.g711 import decode
from b2bua.media.rtp import PCMU
from b2bua.media.wave_file import read_wave


def written(path, channels=1, width=2, rate=8000, data=b"\x00\x10" * 1600):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(data)
    return path


def heard(recording):
    return decode(recording.octets(PCMU, 0, len(recording)), PCMU)


def test_what_is_in_it_is_played(tmp_path):
    samples = heard(read_wave(written(tmp_path / "a.wav", data=(b"\x00\x10" * 80 + b"\x00\xf0" * 80))))
    assert len(samples) == 160
    assert all(abs(sample - 4096) < 150 for sample in samples[:80])
    assert all(abs(sample + 4096) < 150 for sample in samples[80:])


def test_of_two_channels_the_first_is_heard(tmp_path):
    samples = heard(read_wave(written(tmp_path / "a.wav", channels=2, data=b"\x00\x10\x00\x00" * 100)))
    assert len(samples) == 100
    assert all(abs(sample - 4096) < 150 for sample in samples)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 1}, "8 bits"),
        ({"rate": 44_100}, "44100 samples a second"),
        ({"channels": 3, "data": b"\0" * 600}, "3 channels"),
        ({"data": b""}, "0 seconds"),
    ],
)
def test_another_kind_is_told_in_a_sentence(tmp_path, changes, says):
    with pytest.raises(ValueError, match=says) as told:
        read_wave(written(tmp_path / "a.wav", **changes))
    assert str(told.value).startswith(str(tmp_path / "a.wav"))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a WAV file at all" * 10, b"RIFF\x24\0\0\0WAVEfmt "])
def test_what_is_no_wav_file(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(ValueError, match="no WAV file"):
        read_wave(tmp_path / "a.wav")


def test_there_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read_wave(tmp_path / "a.wav")
    with pytest.raises(ValueError, match="directory"):
        read_wave(tmp_path)


def test_the_header_promises_more_than_there_is(tmp_path):
    path = written(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-801])
    assert len(heard(read_wave(path))) == 1600 - 401
