from __future__ import annotations

import pytest

from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue

HEAD = "v=0\r\no=6001 1 7 IN IP4 192.0.2.10\r\ns=-\r\n"


def body(*lines: str, end: str = "\r\n") -> bytes:
    return (HEAD + "\r\n".join(lines) + end).encode()


def directions(data: bytes) -> list[str]:
    return [stream.direction for stream in sdp.parse_streams(data)]


AUDIO = ("c=IN IP4 192.0.2.10", "t=0 0", "m=audio 49170 RTP/AVP 0 8")


@pytest.mark.parametrize("direction", sdp.DIRECTIONS)
@pytest.mark.parametrize("end", ["\r\n", "", "\n", "\r\n\r\n"])
def test_the_direction_counts_on_the_last_line_however_it_ends(direction, end):
    assert directions(body(*AUDIO, f"a={direction}", end=end)) == [direction]


def test_lines_may_end_in_lf_alone():
    data = body(*AUDIO, "a=sendonly").replace(b"\r\n", b"\n")
    assert directions(data) == ["sendonly"]
    assert sdp.parse_origin(data).version == 7


def test_without_a_direction_it_is_sendrecv():
    assert directions(body(*AUDIO)) == ["sendrecv"]


def test_the_session_level_holds_where_a_stream_says_nothing():
    data = body(
        "c=IN IP4 192.0.2.10", "a=sendonly", "t=0 0", "m=audio 1 RTP/AVP 0", "m=video 2 RTP/AVP 31", "a=recvonly"
    )
    assert directions(data) == ["sendonly", "recvonly"]


def test_each_stream_has_its_own_port_address_and_direction():
    data = body(
        "c=IN IP4 192.0.2.10",
        "m=audio 49170/2 RTP/AVP 0",
        "a=inactive",
        "m=video 0 RTP/AVP 31",
        "m=text 5 RTP/AVP 98",
        "c=IN IP6 2001:db8::1/127/3",
    )
    assert list(sdp.parse_streams(data)) == [
        ("audio", 49170, "inactive", "192.0.2.10", False),
        ("video", 0, "sendrecv", "192.0.2.10", False),
        ("text", 5, "sendrecv", "2001:db8::1", False),
    ]


@pytest.mark.parametrize("connection", ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 0:0:0:0:0:0:0:0", "IN IP6 ::0"])
def test_legacy_hold_is_hold_and_its_direction_stays(connection):
    """RFC 6337 §5.4: the answer follows the direction attribute, never the address."""
    streams = sdp.parse_streams(body(f"c={connection}", "m=audio 1 RTP/AVP 0"))
    assert (streams[0].direction, streams[0].receives, sdp.holds(streams)) == ("sendrecv", False, True)
    streams = sdp.parse_streams(body(f"c={connection}", "m=audio 1 RTP/AVP 0", "a=sendonly"))
    assert (streams[0].direction, sdp.holds(streams)) == ("sendonly", True)


@pytest.mark.parametrize(
    ("port", "ice", "held"), [(9, True, False), (9, False, True), (40000, True, True)]
)
def test_no_candidate_yet_is_no_hold(port: int, ice: bool, held: bool) -> None:
    """RFC 8840 §4.1.1: with ICE 0.0.0.0 and port 9 stand for a default candidate that is not known."""
    lines = ("a=ice-ufrag:VSBI", "a=ice-pwd:2rRDBGvmqUzYcXxlJxcEBWOl") if ice else ()
    streams = sdp.parse_streams(body(f"m=audio {port} UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", *lines, "a=sendrecv"))
    assert sdp.holds(streams) is held


@pytest.mark.parametrize(
    ("lines", "held"),
    [
        ((*AUDIO,), False),
        ((*AUDIO, "a=sendonly"), True),
        ((*AUDIO, "a=inactive"), True),
        ((*AUDIO, "a=recvonly"), False),
        ((*AUDIO, "a=sendonly", "m=video 2 RTP/AVP 31"), False),
        ((*AUDIO, "a=sendonly", "m=video 0 RTP/AVP 31"), True),
        (("m=audio 0 RTP/AVP 0",), False),
        (("c=IN IP4 0.0.0.0", "m=audio 1 RTP/AVP 0", "c=IN IP4 192.0.2.1"), False),
        (("m=audio 1 RTP/AVP 0",), False),
        ((), False),
    ],
)
def test_whether_all_is_held(lines, held):
    assert sdp.holds(sdp.parse_streams(body(*lines))) is held


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\r\nv=0\r\n",
        body("m=audio"),
        body("m=audio x RTP/AVP 0"),
        body("m=audio 1"),
        body("m=audio -1 RTP/AVP 0"),
        body("m=audio ٣ RTP/AVP 0"),
        body(f"m=audio {'9' * 5000} RTP/AVP 0"),
    ],
)
def test_what_is_no_description_is_488(data):
    with pytest.raises(MalformedValue) as caught:
        sdp.parse_streams(data)
    assert caught.value.status == 488


# -- o= -----------------------------------------------------------------------------------------------------


def test_the_origin_prints_as_it_was_read():
    origin = sdp.parse_origin(body(*AUDIO))
    assert origin == ("6001", "1", 7, "IN IP4 192.0.2.10")
    assert str(origin) == "o=6001 1 7 IN IP4 192.0.2.10"


@pytest.mark.parametrize(
    "data",
    [
        b"v=0\r\ns=-\r\n",
        b"v=0\r\no=a 1 x IN IP4 h\r\n",
        b"v=0\r\no=a 1 2\r\n",
        f"v=0\r\no=a 1 {'9' * 5000} IN\r\n".encode(),
    ],
)
def test_an_origin_that_is_missing_or_broken_is_488(data):
    with pytest.raises(MalformedValue) as caught:
        sdp.parse_origin(data)
    assert caught.value.status == 488


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"v=0\r\n", b"\r\ns=-\r\nx\xff o=\r\n\r\n a=sendonly"), (b"v=0\n", b"\ns=-\n"), (b"", b""), (b"v=0\r\n", b"")],
)
def test_every_byte_beside_the_origin_stays(before, after):
    data = before + b"o=caf\xe9 1 7 IN IP4 192.0.2.10" + after
    assert sdp.split_origin(data) == (before, b"o=caf\xe9 1 7 IN IP4 192.0.2.10", after)
    assert str(sdp.parse_origin(data)).encode("utf-8", "surrogateescape") == b"o=caf\xe9 1 7 IN IP4 192.0.2.10"


def test_there_may_be_no_origin():
    for body in (b"v=0\r\ns=o=\r\n", b""):
        with pytest.raises(MalformedValue):
            sdp.split_origin(body)


# -- rewriting the direction --------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", sdp.DIRECTIONS)
def test_a_direction_on_every_stream(direction):
    data = body(
        "a=recvonly", "m=audio 1 RTP/AVP 0", "a=sendonly", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", end=""
    )
    changed = sdp.with_direction(data, direction)
    assert changed == body(
        "m=audio 1 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", f"a={direction}", "m=video 0 RTP/AVP 31", f"a={direction}"
    )
    assert directions(changed) == [direction, direction]
    assert sdp.with_direction(changed, direction) == changed


def test_bytes_that_are_no_utf_8_stay():
    assert b"s=caf\xe9" in sdp.with_direction(body(*AUDIO).replace(b"s=-", b"s=caf\xe9"), "inactive")


START = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def described(*streams: str, session: str = "") -> bytes:
    """One audio stream per element: its a= line, "" for none."""
    text = START + session
    for direction in streams:
        text += "m=audio 4000 RTP/AVP 0\r\n" + (f"a={direction}\r\n" if direction else "") + "a=ptime:20\r\n"
    return text.encode()


@pytest.mark.parametrize(
    ("offered", "answered", "legal"),
    [
        ("sendrecv", "sendrecv", "sendrecv"), ("sendrecv", "sendonly", "sendonly"), ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendrecv", "recvonly"), ("sendonly", "sendonly", "inactive"), ("sendonly", "recvonly", "recvonly"),
        ("sendonly", "inactive", "inactive"), ("recvonly", "sendrecv", "sendonly"), ("recvonly", "recvonly", "inactive"),
        ("recvonly", "sendonly", "sendonly"), ("inactive", "sendrecv", "inactive"), ("inactive", "sendonly", "inactive"),
        ("inactive", "recvonly", "inactive"), ("inactive", "inactive", "inactive"),
    ],
)  # fmt: skip
def test_legal_answer(offered: str, answered: str, legal: str) -> None:
    assert sdp.legal_answer(described(offered), described(answered)) == described(legal)


def test_legal_answer_per_stream_and_a_refused_one_as_it_is() -> None:
    offer = described("sendonly", "sendrecv", "sendonly")
    answer = described("sendrecv", "sendrecv", "sendrecv")
    assert sdp.legal_answer(offer, answer) == described("recvonly", "sendrecv", "recvonly")
    refused = answer.replace(b"m=audio 4000", b"m=audio 0", 1)
    assert sdp.legal_answer(offer, refused) == refused[: refused.rindex(b"m=")] + described("recvonly")[len(START) :]


@pytest.mark.parametrize("session", ["", "a=sendrecv\r\n"])
def test_legal_answer_without_a_line_of_its_own_gets_one_at_the_end_of_the_stream(session: str) -> None:
    answer = described("", session=session)
    legal = sdp.legal_answer(described("sendonly"), answer)
    assert legal == answer + b"a=recvonly\r\n"


def test_legal_answer_keeps_line_ends_and_a_last_line_without_one() -> None:
    answer = described("sendrecv").replace(b"a=ptime:20\r\n", b"").replace(b"\r\n", b"\n").rstrip(b"\n")
    assert sdp.legal_answer(described("sendonly"), answer).endswith(b"RTP/AVP 0\na=recvonly\n")


def test_legal_answer_brings_down_each_line_that_says_a_direction_whatever_ends_it() -> None:
    answer = described("recvonly").replace(b"a=ptime:20\r\n", b"a=sendrecv\r\r\n")  # the last one counts
    legal = sdp.legal_answer(described("sendonly"), answer)
    assert [stream.direction for stream in sdp.parse_streams(legal)] == ["recvonly"]


@pytest.mark.parametrize("line", [b"a=sendonly\xc2\xa0\r\n", b"a=\x0bsendonly\r\n"])
def test_blanks_that_sdp_does_not_know_are_part_of_the_value(line: bytes) -> None:
    assert [stream.direction for stream in sdp.parse_streams(described("") + line)] == ["sendrecv"]
    assert line in sdp.with_direction(described("") + line, "inactive")


def test_legal_answer_has_every_m_line() -> None:
    offer = described("sendrecv") + b"m=video 6000 RTP/AVP 96 97\r\na=rtpmap:96 VP8/90000\r\n"
    answer = described("sendrecv")
    assert sdp.legal_answer(offer, answer) == answer + b"m=video 0 RTP/AVP 96 97\r\n"


def test_legal_answer_refuses_a_stream_whose_m_line_has_odd_blanks() -> None:
    offer = described("sendrecv") + b"m=\tvideo \t6000 RTP/AVP  96 \r\n"
    assert sdp.legal_answer(offer, described("sendrecv")) == described("sendrecv") + b"m=video 0 RTP/AVP  96\r\n"


@pytest.mark.parametrize("end", ["\r\n", "\n", ""])
def test_an_offer_gains_the_streams_that_the_session_has_had(end: str) -> None:
    known = b"v=0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\nm=video 4002 RTP/AVP 31 32\r\nm=audio 4004 RTP/AVP 8\r\n"
    offer = f"v=0{end or chr(10)}m=audio 5000 RTP/AVP 0{end}".encode()
    found = sdp.with_more_streams(offer, known)
    assert [(stream.media, stream.port) for stream in sdp.parse_streams(found)] == [("audio", 5000), ("video", 0), ("audio", 0)]
    assert found.startswith(offer)
    assert sdp.with_more_streams(found, known) == found
    assert sdp.with_more_streams(offer, b"") == offer


def test_the_first_streams_alone() -> None:
    body = b"v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\nm=video 4002 RTP/AVP 31\r\n"
    assert sdp.first_streams(body, 1) == b"v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"
    assert sdp.first_streams(body, 2) == sdp.first_streams(body, 3) == body
