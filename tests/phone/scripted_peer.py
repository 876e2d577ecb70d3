"""A phone on a clock that is turned by hand, and the other end of its wire, which says what the test tells it to."""

from __future__ import annotations

from b2bua.observer import Observer
from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.phone import Phone
from b2bua.sip.digest import challenge_text
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.sdp import parse_origin, parse_streams
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TICK, Timers

PHONE = ("192.0.2.10", 5060)
SERVER = ("192.0.2.1", 5060)
ROUTE = "<sip:token@192.0.2.1:5060;lr>"


class Wire:
    """The flow to the server: keeps what the phone sends."""

    transport = "udp"
    via_transport = "UDP"
    listener = "udp:192.0.2.10:5060"
    reliable = False
    local = PHONE
    remote = SERVER

    def __init__(self) -> None:
        self.sent: list[Request | Response] = []
        self.resent = 0

    def send(self, message):
        data = message.encode()
        self.sent.append(parse_message(data))
        return data

    def resend(self, data):
        self.resent += 1

    def towards(self, remote):
        return self


class Scene:
    """One phone and its peer. `drawn` is what the phone's `uniform` returns: the lower bound unless set."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.drawn: float | None = None
        self.bounds: list[tuple[float, float]] = []
        self.timers = Timers(lambda: self.seconds)
        self.wire = Wire()
        self.changes: list[tuple[str, object]] = []
        self.ports = iter(range(30_000, 40_000, 2))
        layer = TransactionLayer(self.timers, Identifiers("p"), Observer())
        identity = Identity("6001", "example.com", "secret")
        self.phone = Phone(layer, self.wire, identity, self._uniform, self)
        self.layer = layer
        self.branch = 0

    def _uniform(self, low, high):
        self.bounds.append((low, high))
        return low if self.drawn is None else self.drawn

    # -- the user of the phone

    def open_media(self):
        return "192.0.2.10", next(self.ports)

    def registration_changed(self, registration):
        self.changes.append(("registration", registration.status))

    def call_changed(self, call):
        self.changes.append(("call", call.state))

    def media_changed(self, call):
        self.changes.append(("media", call.session.sends))

    def lamp_changed(self, lamp):
        self.changes.append(("lamp", lamp.document.version if lamp.document else None))

    def phone_failed(self, error):
        raise error

    # -- the wire

    def take(self) -> list[Request | Response]:
        """What the phone has sent since the last call."""
        sent = self.wire.sent[:]
        self.wire.sent.clear()
        return sent

    def one(self, kind: str | int):
        """The only message that the phone has sent since, which is of this method or status."""
        sent = self.take()
        assert [_kind(message) for message in sent] == [kind]
        return sent[0]

    def advance(self, seconds: float) -> None:
        end = self.seconds + seconds
        while self.seconds < end - 1e-9:
            self.seconds = min(self.seconds + TICK, end)
            self.timers.advance()

    def deliver(self, message: Request | Response) -> None:
        self.layer.message_received(parse_message(message.encode()), self.wire)

    def reply(
        self, request: Request, status: int, body: bytes = b"", *headers: tuple[str, str], tag: str = "peer"
    ) -> None:
        """Answer a request of the phone's."""
        response = response_to(request, status, tag=tag if status > 100 else "")
        if request.method in ("INVITE", "SUBSCRIBE") and 100 < status < 300:
            response.append("Record-Route", ROUTE)
            response.append("Contact", "<sip:6002@192.0.2.1:5060;fs=cm>")
        for name, value in headers:
            response.append(name, value)
        response.set_body(body, "application/sdp")
        self.deliver(response)

    def challenge(self, request: Request, nonce: str, stale: bool = False, status: int = 407) -> None:
        name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
        self.reply(request, status, b"", (name, challenge_text("example.com", nonce, stale)))

    def ask(
        self, method: str, call_id: str, cseq: int, to_tag: str = "", body: bytes = b"", *headers: tuple[str, str],
        from_tag: str = "peer",
    ):  # fmt: skip
        """A request of the peer's to the phone."""
        self.branch += 1
        request = Request(method, "sip:6001@192.0.2.10:5060", [], [])
        request.append("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKpeer{self.branch};rport")
        request.append("From", f"<sip:6002@example.com>;tag={from_tag}")
        request.append("To", f"<sip:6001@example.com>{f';tag={to_tag}' if to_tag else ''}")
        request.append("Call-ID", call_id)
        request.append("CSeq", f"{cseq} {method}")
        request.append("Record-Route", ROUTE)
        request.append("Contact", "<sip:6002@192.0.2.1:5060;fs=cm>")
        for name, value in headers:
            request.append(name, value)
        request.set_body(body, "application/sdp")
        self.deliver(request)
        return request

    def ask_in(self, call: Call, method: str, cseq: int, body: bytes = b"", *headers: tuple[str, str]):
        """The same inside a call."""
        dialog = call.dialog
        return self.ask(method, dialog.call_id, cseq, dialog.local_tag, body, *headers, from_tag=dialog.remote_tag)

    # -- where most tests begin

    def established(self) -> Call:
        """A call that the phone made, talking both ways; the peer's CSeq is free."""
        call = self.phone.dial("6002")
        invite = self.one("INVITE")
        self.reply(invite, 200, description("sendrecv"))
        self.one("ACK")
        assert call.state is CallState.ESTABLISHED
        self.changes.clear()
        return call

    def called(self) -> Call:
        """A call that the peer made, talking both ways; its INVITE had CSeq 1."""
        self.phone.answer_after = 0.0
        self.ask("INVITE", "incoming", 1, "", description("sendrecv"))
        assert [_kind(message) for message in self.take()] == [180, 200]
        (call,) = self.phone.calls
        self.ask_in(call, "ACK", 1)
        self.changes.clear()
        return call


def _kind(message: Request | Response) -> str | int:
    return message.method if isinstance(message, Request) else message.status


def description(
    direction: str, version: int = 1, address: str = "192.0.2.20", port: int = 4000, extra: str = ""
) -> bytes:
    """A peer's description of one audio stream; "" for `direction` leaves the line out."""
    line = f"a={direction}\r\n" if direction else ""
    return (
        f"v=0\r\no=peer 7 {version} IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n{line}{extra}"
    ).encode()


def direction(message: Request | Response | bytes) -> str:
    """The direction of the first stream."""
    return parse_streams(message if isinstance(message, bytes) else message.body)[0].direction


def version(message: Request | Response | bytes) -> int:
    return parse_origin(message if isinstance(message, bytes) else message.body).version
