"""Descriptions: what is changed is what was asked for, every other line stays; a legal answer is legal.

An input is an offer and, behind a line `--`, an answer to it.
"""

from __future__ import annotations

from b2bua.sip.errors import MalformedValue
from b2bua.sip.sdp import (
    DIRECTIONS,
    Origin,
    holds,
    legal_answer,
    parse_origin,
    parse_streams,
    split_origin,
    with_direction,
)

CUT = b"\n--\n"
AUDIO = (
    b"v=0\r\no=6001 7 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
)
VIDEO = b"m=video 40002/2 RTP/AVP 31\r\nc=IN IP6 ::\r\na=sendrecv\r\na=mid:2\r\n"
REFUSED = b"m=audio 0 RTP/AVP 0\r\n"
OFFERS = (
    AUDIO, AUDIO + b"a=sendonly\r\n", AUDIO + b"a=inactive\r\n" + VIDEO, AUDIO + b"a=recvonly\r\n" + VIDEO + REFUSED,
    AUDIO.replace(b"t=0 0\r\n", b"t=0 0\r\na=sendonly\r\n"), AUDIO.replace(b"192.0.2.11", b"0.0.0.0") + VIDEO,
    (AUDIO + VIDEO).replace(b"\r\n", b"\n"),
)  # fmt: skip
WORDS = (
    CUT, b"\r\n", b"\n", b"v=0\r\n", b"o=- 1 1 IN IP4 192.0.2.1\r\n", b"m=audio 9 RTP/AVP 0\r\n", b"m=",
    b"c=IN IP4 0.0.0.0\r\n", b"c=", b"a=sendrecv\r\n", b"a=sendonly\r\n", b"a=recvonly\r\n", b"a=inactive\r\n", b"a=", b" ",
    b"\t", b"\x0b", b"\x85", b"\xc2\xa0", b"9" * 50, b"/", b"\xff",
)  # fmt: skip
_SAID = {direction.encode() for direction in DIRECTIONS}
_EXCLUDED = {
    "sendonly": ("sendrecv", "sendonly"),
    "recvonly": ("sendrecv", "recvonly"),
    "inactive": ("sendrecv", "sendonly", "recvonly"),
}
"""Direction offered → what may not answer it (RFC 3264 §6.1)."""


def other_lines(body: bytes) -> list[bytes]:
    """All lines but blank ones and those of a direction, without the CRs at their ends."""
    lines = [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip(b"\r")]
    return [line for line in lines if not line.startswith(b"a=") or line[2:].strip(b" \t\r") not in _SAID]


class SdpTarget:
    """See the module."""

    seeds = (*OFFERS, *(offer + CUT + answer for offer in OFFERS for answer in (OFFERS[0], OFFERS[3])))
    words = WORDS

    def check(self, data: bytes) -> None:
        offer, _, answer = data.partition(CUT)
        self._origin(offer)
        try:
            streams = parse_streams(offer)
        except MalformedValue as error:
            assert error.status == 488
            return
        holds(streams)
        self._direction(offer)
        try:
            given = parse_streams(answer)
        except MalformedValue as error:
            assert error.status == 488
            return
        legal = legal_answer(offer, answer)
        assert len(parse_streams(legal)) >= max(len(streams), len(given))
        for asked, got in zip(streams, parse_streams(legal), strict=False):
            assert not got.port or got.direction not in _EXCLUDED.get(asked.direction, ()), legal
        for asked, got in zip(streams[len(given) :], parse_streams(legal)[len(given) :], strict=True):
            assert (asked.media, got.port) == (got.media, 0), legal
        kept = other_lines(answer)
        assert other_lines(legal)[: len(kept)] == kept, legal
        assert legal_answer(offer, legal) == legal

    def finish(self) -> None:
        return

    def _origin(self, body: bytes) -> None:
        try:
            before, line, after = split_origin(body)
        except MalformedValue as error:
            assert error.status == 488
            return
        assert before + line + after == body
        origin = Origin("-", "4711", 2, "IN IP4 192.0.2.9")
        changed = before + str(origin).encode() + after
        assert parse_origin(changed) == origin
        try:
            own = parse_origin(body)
        except MalformedValue:
            return
        assert parse_origin(before + str(own).encode("utf-8", "surrogateescape") + after) == own

    def _direction(self, body: bytes) -> None:
        streams = parse_streams(body)
        for direction in DIRECTIONS:
            changed = with_direction(body, direction)
            assert parse_streams(changed) == tuple(stream._replace(direction=direction) for stream in streams)
            assert other_lines(changed) == other_lines(body)


def make() -> SdpTarget:
    return SdpTarget()
