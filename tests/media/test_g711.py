import pytest

from b2bua.media.g711 import decode, decode_alaw, decode_mulaw, encode, encode_alaw, encode_mulaw
from b2bua.media.rtp import PCMA, PCMU


@pytest.mark.parametrize(
    ("sample", "octet"),
    [(0, 0xD5), (-1, 0x55), (16, 0xD4), (1000, 0xFA), (-1000, 0x7A), (32_767, 0xAA), (-32_768, 0x2A)],
)
def test_a_law_is_coded_as_g711_says(sample, octet):
    assert encode_alaw(sample) == octet


def test_every_octet_of_a_law_reads_back():
    for octet in range(256):
        assert encode_alaw(decode_alaw(octet)) == octet


@pytest.mark.parametrize("sample", range(-32_000, 32_001, 997))
def test_the_error_of_a_law_is_one_part_in_thirty_two(sample):
    assert abs(decode_alaw(encode_alaw(sample)) - sample) <= max(abs(sample) / 28, 8)


def test_many_samples_are_coded_as_one_is():
    samples = list(range(-32_768, 32_768, 101))
    assert list(encode(samples, PCMA)) == [encode_alaw(sample) for sample in samples]
    assert decode(encode(samples, PCMU), PCMU) == [decode_mulaw(octet) for octet in encode(samples, PCMU)]
    # The table has one entry for four samples: at the edge of an interval that may be the neighbour.
    for sample, octet in zip(samples, encode(samples, PCMU), strict=True):
        assert octet in (encode_mulaw(sample), encode_mulaw(sample - 3))
