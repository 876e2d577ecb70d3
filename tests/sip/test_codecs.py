"""Codecs that two descriptions agree on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.codecs import agreed_codecs, codecs

ONE = b"v=0\r\nm=audio 4000 RTP/AVP 8 0 111 101\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
OTHER = b"v=0\r\nm=audio 4002/2 RTP/SAVP 96 0\r\na=rtpmap:96 OPUS/48000/2\r\nm=video 0 RTP/AVP 31\r\n"


def test_names_by_rtpmap_and_by_number() -> None:
    assert codecs(ONE) == ["PCMA", "PCMU", "opus", "telephone-event"]
    assert codecs(OTHER) == ["OPUS", "PCMU"], "a stream with port 0 is refused"


def test_numbers_that_need_no_rtpmap() -> None:
    """RFC 3551 §6, tables 4 and 5: what a telephone offers."""
    numbered = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 13: "CN", 18: "G729", 97: "97"}
    for number, name in numbered.items():
        assert codecs(b"m=audio 4000 RTP/AVP %d\r\n" % number) == [name]


def test_what_both_have_in_the_order_of_the_first() -> None:
    assert agreed_codecs(ONE, OTHER) == ["PCMU", "opus"]
    assert agreed_codecs(ONE, b"") == []


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda noise: b"m=audio 1 x 0\r\n" + noise))
def test_whatever_a_peer_sends_is_no_mistake(body: bytes) -> None:
    assert all(isinstance(name, str) for name in codecs(body))
