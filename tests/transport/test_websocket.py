"""SIP over WebSocket (RFC 7118, RFC 6455): the handshake, frames whole and in pieces, and what breaks the rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage

from b2bua.sip.flow import Flow
from b2bua.transport.kinds import WS
from b2bua.transport.stream import LINGER_SECONDS, Limits
from b2bua.transport.websocket import MAX_MESSAGE
from tests.transaction.neighbours import request
from tests.transport.streams import CONTACT, PHONE, Listening, Pipe

OPTIONS = request("OPTIONS", transport="WS")
DATA = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"
UPGRADE = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "sip",
    "Sec-WebSocket-Version": "13",
}


class Browser:
    """The other end of a connection, as a browser's WebSocket speaks."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._socket = WSConnection(ConnectionType.CLIENT)

    def say(self, event: Any) -> None:
        self.pipe.connection.dataReceived(self._socket.send(event))

    def hear(self) -> list[Any]:
        """What came since, as events."""
        self._socket.receive_data(self.pipe.take())
        return list(self._socket.events())

    def connect(self) -> None:
        self.say(Request(host="example.com", target="/", subprotocols=["xmpp", "sip"]))
        (answer,) = self.hear()
        assert isinstance(answer, AcceptConnection) and answer.subprotocol == "sip"


def handshake(**changed: str) -> bytes:
    """A GET that opens a WebSocket with some headers replaced; "" takes one out."""
    headers = UPGRADE | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = ["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.fixture
def listening() -> Listening:
    return Listening(kind=WS)


@pytest.fixture
def browser(listening: Listening) -> Browser:
    made = Browser(listening.phone())
    made.connect()
    return made


def received(listening: Listening) -> list[bytes]:
    return [data for data, _ in listening.heard.messages]


# ---- the opening handshake


def test_the_handshake_of_the_rfc(listening: Listening) -> None:
    """RFC 7118 §8.1; the key's answer is that of RFC 6455 §1.3."""
    pipe = listening.phone()
    pipe.connection.dataReceived(handshake())
    answer = pipe.take().decode().split("\r\n")
    assert answer[0].startswith("HTTP/1.1 101 ")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in answer[1:] if line}
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert (headers["sec-websocket-protocol"], headers["upgrade"].lower()) == ("sip", "websocket")
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("path", ["/", "/ws", "/sip?token=1"])
def test_any_path_will_do(listening: Listening, path: str) -> None:
    pipe = listening.phone()
    pipe.connection.dataReceived(handshake().replace(b"GET / ", f"GET {path} ".encode()))
    assert pipe.take().startswith(b"HTTP/1.1 101 ")


def test_a_handshake_in_pieces(listening: Listening) -> None:
    pipe = listening.phone()
    for byte in handshake():
        assert pipe.take() == b""
        pipe.connection.dataReceived(bytes([byte]))
    assert pipe.take().startswith(b"HTTP/1.1 101 ")


def test_frames_behind_the_handshake_in_one_go(listening: Listening) -> None:
    """RFC 6455 §4.1 has a client wait; what one that did not wait has said does not lie about until it says more."""
    mask = b"\x11\x22\x33\x44"
    length = bytes([0x80 | len(DATA)]) if len(DATA) < 126 else b"\xfe" + len(DATA).to_bytes(2, "big")
    frame = b"\x81" + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(DATA))
    listening.phone().connection.dataReceived(handshake() + frame)
    assert received(listening) == [DATA]


BAD = {
    "another subprotocol": handshake(Sec_WebSocket_Protocol="xmpp, SIPX"),
    "no subprotocol": handshake(Sec_WebSocket_Protocol=""),
    "no upgrade": handshake(Upgrade=""),
    "no key": handshake(Sec_WebSocket_Key=""),
    "no version": handshake(Sec_WebSocket_Version=""),
    "a page": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "a form": b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\nab",
    "SIP": DATA,
    "no text": handshake(Sec_WebSocket_Protocol="sip, \xe9"),
    "a host that is none": handshake(Host="xn--\xe9"),
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_handshake_is_refused(listening: Listening, data: bytes) -> None:
    """400, then nothing is read any more and the connection goes."""
    pipe = listening.phone()
    pipe.connection.dataReceived(data)
    answer = pipe.take()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"connection: close" in answer.lower()
    assert pipe.half_closed and listening.listener.find(PHONE) is None
    assert [flaw.kind for flaw in listening.heard.flaws] == ["websocket handshake"]
    pipe.connection.dataReceived(handshake() + DATA)
    assert pipe.take() == b"" and listening.heard.messages == []
    listening.pass_time(LINGER_SECONDS)
    assert pipe.aborted and listening.listener.flows() == 0


def test_another_version_is_told_ours(listening: Listening) -> None:
    """RFC 6455 §4.2.2."""
    pipe = listening.phone()
    pipe.connection.dataReceived(handshake(Sec_WebSocket_Version="8"))
    answer = pipe.take().lower()
    assert answer.startswith(b"http/1.1 426 ") and b"sec-websocket-version: 13" in answer


def test_a_slow_handshake_is_cut_off(listening: Listening) -> None:
    """Each byte is a sign of life, but the handshake has to end."""
    pipe = listening.phone()
    data = iter(handshake())
    seconds = 0
    while not pipe.lost and seconds < 100:
        listening.pass_time(1)
        pipe.connection.dataReceived(bytes([next(data)]))
        seconds += 1
    assert pipe.aborted and Limits().whole - 1 < seconds < Limits().whole + 5


def test_a_handshake_alone_is_no_phone(listening: Listening) -> None:
    """Who opens WebSockets and says nothing is cut off like who opens connections."""
    browser, silent = Browser(listening.phone()), Browser(listening.phone(("192.0.2.11", 1)))
    for each in (browser, silent):
        each.connect()
    browser.say(TextMessage(data=DATA.decode()))
    listening.pass_time(Limits().whole + 4)
    assert silent.pipe.aborted and not browser.pipe.lost


def test_a_flow_is_there_when_the_handshake_is_done(listening: Listening) -> None:
    """What is sent before waits for it."""
    pipe = listening.phone()
    flow = pipe.connection.flow
    flow.send(OPTIONS)
    assert pipe.take() == b"" and listening.heard.trace == []
    browser = Browser(pipe)
    browser.say(Request(host="example.com", target="/", subprotocols=["sip"]))
    accepted, message = browser.hear()
    assert isinstance(accepted, AcceptConnection) and message.data == OPTIONS.encode().decode()
    assert listening.listener.find(PHONE) is flow


def test_nobody_is_called_by_websocket(listening: Listening) -> None:
    """RFC 7118 §3: the browser opens the connection or there is none."""
    flow = listening.listener.flow(CONTACT)
    flow.send(OPTIONS)
    listening.pass_time(1)
    assert listening.reactor.opening == [] and listening.heard.lost == [flow]


# ---- messages


@pytest.mark.parametrize("frame", [TextMessage(data=DATA.decode()), BytesMessage(data=DATA)], ids=["text", "binary"])
def test_one_message_a_frame(listening: Listening, browser: Browser, frame: Any) -> None:
    browser.say(frame)
    browser.say(frame)
    assert received(listening) == [DATA, DATA]
    flow: Flow = listening.heard.messages[0][1]
    port = listening.listener.bound[1]
    assert (flow.transport, flow.via_transport, flow.reliable) == ("ws", "WS", True)
    assert (flow.listener, flow.local, flow.remote) == (f"ws:127.0.0.1:{port}", ("127.0.0.1", port), PHONE)
    assert listening.heard.trace == [("received", flow, DATA)] * 2


def test_a_message_needs_no_content_length(listening: Listening, browser: Browser) -> None:
    """RFC 7118 §5: the frame says where it ends."""
    message = DATA.replace(b"Content-Length: 0\r\n", b"") + b"v=0\r\n"
    browser.say(TextMessage(data=message.decode()))
    assert received(listening) == [message]


@pytest.mark.parametrize("kind", [TextMessage, BytesMessage])
def test_a_fragmented_message(listening: Listening, browser: Browser, kind: Any) -> None:
    """With a ping between the fragments, which is answered at once."""
    text: Any = "OPTIONS sip:example.com SIP/2.0\r\nSubject: naïve\r\n\r\n"
    parts = text if kind is TextMessage else text.encode()
    for place in range(0, len(parts), 7):
        browser.say(kind(data=parts[place : place + 7], message_finished=place + 7 >= len(parts)))
        if place == 7:
            browser.say(Ping(payload=b"now"))
            (pong,) = browser.hear()
            assert isinstance(pong, Pong) and pong.payload == b"now"
    assert received(listening) == [text.encode()]


def test_frames_byte_by_byte(listening: Listening, browser: Browser) -> None:
    data = browser._socket.send(TextMessage(data=DATA.decode())) * 2
    for byte in data:
        browser.pipe.connection.dataReceived(bytes([byte]))
    assert received(listening) == [DATA, DATA]


@pytest.mark.parametrize("finished", [True, False], ids=["one frame", "fragments"])
def test_an_oversized_message(listening: Listening, browser: Browser, finished: bool) -> None:
    """1009 (RFC 6455 §7.4.1), and no more is kept of it than may be."""
    part = b"x" * (MAX_MESSAGE + 1 if finished else 50_000)
    for _ in range(1 if finished else 7):
        browser.say(BytesMessage(data=part, message_finished=finished))
    (goodbye,) = browser.hear()
    assert isinstance(goodbye, CloseConnection) and goodbye.code == 1009
    assert received(listening) == [] and browser.pipe.half_closed
    assert [flaw.kind for flaw in listening.heard.flaws] == ["too long"]


def test_the_largest_message(listening: Listening, browser: Browser) -> None:
    browser.say(BytesMessage(data=b"x" * MAX_MESSAGE))
    assert [len(data) for data in received(listening)] == [MAX_MESSAGE]


def test_a_fragmented_message_that_drips_in_is_cut_off(listening: Listening, browser: Browser) -> None:
    browser.say(TextMessage(data=DATA.decode()))
    seconds = 0
    while not browser.pipe.lost and seconds < 100:
        listening.pass_time(1)
        browser.say(TextMessage(data="x", message_finished=False))
        seconds += 1
    assert browser.pipe.aborted and Limits().whole - 2 < seconds < Limits().whole + 5


@pytest.mark.parametrize("begun", [b"\x81", b"\x81\xfe\x01", b"\x81\x82\0\0\0\0a"], ids=["start", "length", "payload"])
def test_a_frame_begun_behind_a_message_is_owed(listening: Listening, browser: Browser, begun: bytes) -> None:
    """In one go with the message before it, too."""
    browser.pipe.connection.dataReceived(browser._socket.send(TextMessage(data=DATA.decode())) + begun)
    assert received(listening) == [DATA]
    listening.pass_time(Limits().whole + 4)
    assert browser.pipe.aborted


def test_empty_fragments_fill_nothing(listening: Listening, browser: Browser) -> None:
    browser.say(BytesMessage(data=b"", message_finished=False))
    browser.pipe.connection.dataReceived(b"\x00\x80\0\0\0\0" * 1000)
    assert browser.pipe.connection._websocket._parts == []
    listening.pass_time(Limits().whole + 4)
    assert browser.pipe.aborted


BROKEN = {
    "without mask": b"\x81\x03abc",
    "not UTF-8": b"\x81\x82\x00\x00\x00\x00\xff\xfe",
    "reserved bit": b"\xc1\x80\x00\x00\x00\x00",
    "reserved opcode": b"\x83\x80\x00\x00\x00\x00",
    "long ping": b"\x89\xfe\x00\x7e\x00\x00\x00\x00" + bytes(126),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_frames_that_break_the_rules(listening: Listening, browser: Browser, data: bytes) -> None:
    """The connection is failed with the code of RFC 6455 §7.4.1, nobody else's is."""
    other = Browser(listening.phone(("192.0.2.11", 1)))
    other.connect()
    browser.pipe.connection.dataReceived(data)
    (goodbye,) = browser.hear()
    assert goodbye.code == (1007 if data == BROKEN["not UTF-8"] else 1002)
    assert browser.pipe.half_closed and not other.pipe.half_closed
    assert [flaw.kind for flaw in listening.heard.flaws] == ["websocket"]
    other.say(TextMessage(data=DATA.decode()))
    assert received(listening) == [DATA]


def test_sent_as_one_text_frame(listening: Listening, browser: Browser) -> None:
    flow = browser.pipe.connection.flow
    data = flow.send(OPTIONS)
    flow.resend(data)
    first, second = browser.hear()
    assert isinstance(first, TextMessage) and first.data.encode() == data == second.data.encode()
    assert [what for what, _, _ in listening.heard.trace] == ["sent", "resent"]


def test_what_is_no_text_is_sent_as_a_binary_frame(browser: Browser) -> None:
    odd = OPTIONS.encode() + b"\xff"
    browser.pipe.connection.flow.resend(odd)
    (frame,) = browser.hear()
    assert isinstance(frame, BytesMessage) and frame.data == odd


def test_a_double_crlf_is_answered_with_one(listening: Listening, browser: Browser) -> None:
    """RFC 7118 §6 with RFC 5626 §4.4.1; a single one is taken for nothing."""
    browser.say(TextMessage(data="\r\n"))
    assert browser.hear() == []
    browser.say(TextMessage(data="\r\n\r\n"))
    (answer,) = browser.hear()
    assert answer.data == "\r\n" and received(listening) == []


# ---- whatever comes


def opened(listening: Listening, port: int) -> Browser:
    made = Browser(listening.phone(("192.0.2.10", port)))
    made.connect()
    return made


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.integers(1, 4)), max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_however_the_stream_is_cut(messages: list[tuple[bytes, int]], data: st.DataObject) -> None:
    """Messages in so many fragments each, the bytes in pieces of any size: what comes out is what went in."""
    listening = Listening(kind=WS)
    browser = opened(listening, 1)
    stream = b""
    for message, fragments in messages:
        size = -(-len(message) // fragments)
        for place in range(0, len(message), size):
            last = place + size >= len(message)
            stream += browser._socket.send(BytesMessage(data=message[place : place + size], message_finished=last))
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        browser.pipe.connection.dataReceived(stream[:cut])
        stream = stream[cut:]
    assert received(listening) == [message for message, _ in messages if message.strip(b"\r\n")]
    assert not browser.pipe.half_closed


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8), st.booleans(), st.binary(min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_garbage_ends_its_connection_at_most(pieces: list[bytes], shaken: bool, tail: bytes) -> None:
    """Before the handshake, within a proper one, and after it: nothing is raised, and other browsers go on."""
    listening = Listening(kind=WS)
    other = opened(listening, 1)
    pipe = listening.phone(("192.0.2.11", 1))
    if shaken:
        pipe.connection.dataReceived(handshake(Host="example.com\r\nX: " + tail.hex()))
    for piece in (*pieces, b"GET / HTTP/1.1\r\n", tail, b"\r\n\r\n"):
        pipe.connection.dataReceived(piece)
    other.say(TextMessage(data=DATA.decode()))
    assert received(listening)[-1] == DATA
    assert listening.observer.counts["internal_errors"] == {}


HEADER = st.sampled_from(sorted(UPGRADE))
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=255, blacklist_characters="\x7f"), max_size=20)


@given(st.dictionaries(HEADER, VALUE, max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_handshake_with_odd_values_is_answered(changed: dict[str, str]) -> None:
    """101 or a refusal, and never silence."""
    listening = Listening(kind=WS)
    pipe = listening.phone()
    pipe.connection.dataReceived(handshake(**{name.replace("-", "_"): value for name, value in changed.items()}))
    assert pipe.take()[:13] in (b"HTTP/1.1 101 ", b"HTTP/1.1 400 ", b"HTTP/1.1 426 ")


# ---- the end


def test_a_goodbye_is_answered(listening: Listening, browser: Browser) -> None:
    """RFC 6455 §5.5.1; what is sent afterwards fails, as on any flow that is gone."""
    flow = browser.pipe.connection.flow
    browser.say(CloseConnection(code=1000))
    (goodbye,) = browser.hear()
    assert isinstance(goodbye, CloseConnection) and goodbye.code == 1000
    assert browser.pipe.half_closed and listening.heard.lost == [flow] and listening.listener.find(PHONE) is None
    assert listening.heard.flaws == []
    flow.send(OPTIONS)
    assert browser.pipe.take() == b""


def test_the_server_says_goodbye_when_it_stops(listening: Listening, browser: Browser) -> None:
    unfinished = listening.phone(("192.0.2.11", 1))
    listening.listener.close()
    (goodbye,) = browser.hear()
    assert isinstance(goodbye, CloseConnection) and goodbye.code == 1001 and browser.pipe.lost
    assert unfinished.take() == b"" and unfinished.lost


def test_a_slow_reader_is_cut(browser: Browser) -> None:
    """Pings count, too: a peer that asks and does not read fills nobody's memory."""
    listening = Listening(Limits(backlog=1000), kind=WS)
    greedy = Browser(listening.phone())
    greedy.connect()
    greedy.pipe.connection.pauseProducing()
    for _ in range(100):
        greedy.say(Ping(payload=b"x" * 100))
        if greedy.pipe.aborted:
            break
    assert greedy.pipe.aborted and listening.dropped("slow reader") == 1 and not browser.pipe.lost


def test_a_refused_client_hears_why(listening: Listening) -> None:
    """What wsproto's own client makes of it."""
    browser = Browser(listening.phone())
    browser.say(Request(host="example.com", target="/", subprotocols=["msrp"]))
    answer, *_ = browser.hear()
    assert isinstance(answer, RejectConnection) and answer.status_code == 400
