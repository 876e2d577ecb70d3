from __future__ import annotations

from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message, Request


class Recorded:
    """A flow that keeps what it is given: what the tests of the upper layers send through."""

    transport, reliable = "udp", False
    local: HostPort = ("192.0.2.1", 5060)
    remote: HostPort = ("192.0.2.10", 5060)

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, message: Message) -> bytes:
        self.sent.append(message.encode())
        return self.sent[-1]

    def resend(self, data: bytes) -> None:
        self.sent.append(data)


def test_what_send_returns_is_what_resend_takes():
    flow = Recorded()
    flow.resend(flow.send(Request("OPTIONS", "sip:example.com", [], [])))
    assert flow.sent == [b"OPTIONS sip:example.com SIP/2.0\r\n\r\n"] * 2


def test_the_protocol_asks_for_no_more_than_the_core_uses():
    asked = {name for name in vars(Flow) if not name.startswith("_")}
    assert asked >= {"transport", "reliable", "local", "remote", "send", "resend"}
