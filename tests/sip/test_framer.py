"""Messages cut from a stream: however the bytes arrive, the frames are the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from b2bua.sip.framer import MAX_BODY, MAX_HEAD, PING, Frame, Framer, Unframed
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message
from tests.sip.wire import invite

BYE = b"BYE sip:6001@example.com SIP/2.0\r\nCall-ID: a\r\nContent-Length: 0\r\n\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nl:0\r\n\r\n"
MESSAGE = b"MESSAGE sip:6001@example.com SIP/2.0\r\nCONTENT-LENGTH \t: 4\r\nSubject: x\r\n\r\n\r\n\r\n"
FOLDED = b"MESSAGE sip:6001@example.com SIP/2.0\r\nContent-Length:\r\n 2\r\nX: y\r\n\r\nhi"
INVITE = invite(body=b"v=0\r\n\r\n")


def frames(data: bytes) -> list[Frame]:
    return Framer().feed(data)


def one_by_one(data: bytes) -> list[Frame]:
    framer = Framer()
    return [frame for index in range(len(data)) for frame in framer.feed(data[index : index + 1])]


@pytest.mark.parametrize("message", [BYE, RINGING, MESSAGE, FOLDED, INVITE])
def test_one_message(message: bytes) -> None:
    assert frames(message) == one_by_one(message) == [message]


def test_messages_back_to_back() -> None:
    data = BYE + MESSAGE + RINGING
    assert frames(data) == one_by_one(data) == [BYE, MESSAGE, RINGING]


def test_a_body_is_waited_for() -> None:
    framer = Framer()
    assert framer.feed(FOLDED[:-1]) == [] and framer.waiting
    assert framer.feed(FOLDED[-1:]) == [FOLDED] and not framer.waiting


def test_leading_blank_lines_are_skipped() -> None:
    """RFC 3261 §7.5; a single CRLF is the answer to our own ping."""
    assert frames(b"\r\n" + BYE) == [BYE]
    assert frames(BYE + b"\r\n" + BYE) == [BYE, BYE]


def test_a_double_crlf_is_a_ping() -> None:
    """RFC 5626 §4.4.1."""
    assert frames(b"\r\n\r\n") == one_by_one(b"\r\n\r\n") == [PING]
    assert frames(b"\r\n\r\n" + BYE + b"\r\n\r\n\r\n\r\n") == [PING, BYE, PING, PING]
    assert frames(b"\r\n\r\n\r\n" + BYE) == [PING, BYE]
    framer = Framer()
    assert framer.feed(b"\r\n") == [] and not framer.waiting


BROKEN = {
    "no Content-Length": (b"OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n", "missing content length", 400),
    "Content-Length only in a folded line": (b"OPTIONS sip:a SIP/2.0\r\nTo: x\r\n l: 0\r\n\r\n", "missing content length", 400),
    "no number": (b"OPTIONS sip:a SIP/2.0\r\nl: many\r\n\r\n", "content length", 400),
    "empty": (b"OPTIONS sip:a SIP/2.0\r\nl:\r\nX: 1\r\n\r\n", "content length", 400),
    "negative": (b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n", "content length", 400),
    "two that differ": (b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\nxx", "content length", 400),
    "ten digits": (b"OPTIONS sip:a SIP/2.0\r\nl: 1000000000\r\n\r\n", "content length", 400),
    "large": (b"OPTIONS sip:a SIP/2.0\r\nl: %d\r\n\r\n" % (MAX_BODY + 1), "too long", 513),
}


@pytest.mark.parametrize(("data", "kind", "status"), BROKEN.values(), ids=BROKEN.keys())
def test_where_no_end_is_known_the_stream_is_over(data: bytes, kind: str, status: int) -> None:
    assert frames(BYE + data + BYE) == one_by_one(BYE + data + BYE)
    first, flaw = frames(BYE + data + BYE)
    assert first == BYE and isinstance(flaw, Unframed)
    assert (flaw.kind, flaw.status) == (kind, status)
    assert flaw.head == data[: data.index(b"\r\n\r\n") + 4]


def test_two_lengths_that_agree_are_the_parsers_to_refuse() -> None:
    data = b"OPTIONS sip:a SIP/2.0\r\nl: 2\r\nContent-Length: 2\r\n\r\nxx"
    assert frames(data) == [data]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"\nBYE sip:a SIP/2.0\r\n\r\n",
        b"\rBYE sip:a SIP/2.0\r\n\r\n",
        b" BYE sip:a SIP/2.0\r\n\r\n",
        b"a=sendrecv\r\n",  # what is left over when a Content-Length was too small
        bytes(range(256)) * 400,
    ],
)
def test_what_is_no_sip_ends_the_stream(data: bytes) -> None:
    flaw = Unframed(b"", "not SIP", 400, "Bad Request")
    assert frames(data + BYE) == one_by_one(data + BYE) == [flaw]


def test_a_start_line_without_end() -> None:
    data = b"INVITE sip:" + b"x" * MAX_HEAD
    assert frames(data[:MAX_HEAD]) == []
    assert frames(data) == [Unframed(b"", "too long", 400, "Bad Request")]


def test_a_head_without_end() -> None:
    """What came of it is kept in whole lines, for the answer."""
    head = b"OPTIONS sip:a SIP/2.0\r\nX: " + b"x" * 60_000 + b"\r\nY: "
    framer = Framer()
    assert framer.feed(head) == []
    (flaw,) = framer.feed(b"y" * 10_000)
    assert isinstance(flaw, Unframed) and (flaw.kind, flaw.status) == ("too long", 513)
    assert flaw.head == head[:-5] + b"\r\n\r\n"
    assert framer.broken and not framer.waiting and framer.feed(BYE) == []


def test_the_longest_head_and_body() -> None:
    start, end = b"OPTIONS sip:a SIP/2.0\r\nl: %d\r\nX: " % MAX_BODY, b"\r\n\r\n"
    data = start + b"x" * (MAX_HEAD - len(start) - len(end)) + end + b"y" * MAX_BODY
    assert frames(data) == [data]


def test_frames_parse() -> None:
    (frame,) = frames(INVITE)
    assert isinstance(frame, bytes) and isinstance(parse_message(frame), Request)


# ---- any cut

piece = st.sampled_from(
    [BYE, RINGING, MESSAGE, FOLDED, b"\r\n", b"\r\n\r\n", *(data for data, _, _ in BROKEN.values()), b"junk\r\n", b"\n"]
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(piece, max_size=8).map(b"".join), st.data())
def test_any_cut_gives_the_same_frames(data: bytes, draws: st.DataObject) -> None:
    cuts = sorted(draws.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    framer = Framer()
    found = [frame for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) for frame in framer.feed(data[start:end])]
    assert found == frames(data)


class Stream(RuleBasedStateMachine):
    """A sender that puts whole messages into a pipe which hands them over in pieces of its own."""

    @initialize()
    def begin(self) -> None:
        self.framer = Framer()
        self.pipe = b""
        self.sent: list[bytes] = []
        self.heard: list[Frame] = []

    @rule(message=st.sampled_from([BYE, RINGING, MESSAGE, FOLDED]), gap=st.sampled_from([b"", b"\r\n"]))
    def send(self, message: bytes, gap: bytes) -> None:
        self.pipe += gap + message
        self.sent.append(message)

    @rule(size=st.integers(1, 200))
    def deliver(self, size: int) -> None:
        self.heard += self.framer.feed(self.pipe[:size])
        self.pipe = self.pipe[size:]

    @invariant()
    def nothing_is_lost_or_made_up(self) -> None:
        assert self.heard == self.sent[: len(self.heard)] and not self.framer.broken

    def teardown(self) -> None:
        self.heard += self.framer.feed(self.pipe)
        assert self.heard == self.sent and not self.framer.waiting


TestStream = Stream.TestCase
TestStream.settings = settings(max_examples=50, stateful_step_count=30, derandomize=True, deadline=None, database=None)
