"""A datagram: read, asked for every value, written, read again; what is refused can be answered where it says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from b2bua.sip.address import parse_address
from b2bua.sip.dialog_info import parse_dialog_info
from b2bua.sip.errors import MalformedValue
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.session_expires import session_expires
from b2bua.sip.uri import parse_uri
from b2bua.sip.via import parse_via
from tests.torture import rfc4475_invalid, rfc4475_semantics, rfc4475_valid, rfc5118

CASES = (*rfc4475_valid.CASES, *rfc4475_invalid.CASES, *rfc4475_semantics.CASES, *rfc5118.CASES)
WORDS = (
    b"\r\n", b"\r\n ", b"\r\n\r\n", b"SIP/2.0", b"SIP/2.0/UDP ", b"sip:", b"sips:", b"tel:", b"Via: ", b"v:", b"From: ",
    b"To: ", b"Call-ID: ", b"CSeq: ", b"Contact: ", b"Content-Length: ", b"l:", b"Max-Forwards: ", b"Route: ",
    b"Record-Route: ", b"Proxy-Authorization: Digest ", b"Session-Expires: ", b"INVITE", b"ACK", b";branch=z9hG4bK",
    b";tag=", b";received=", b";rport", b";lr", b"<", b">", b'"', b"\\", b"%", b",", b"[::1]", b"\0", b"\xc3\xa9", b"\xff",
    b"2147483648", b"9" * 20,
)  # fmt: skip


def survives(parse: Callable[[str], Any], text: str) -> None:
    """A value that can be read is read the same from what it prints."""
    try:
        value = parse(text)
    except MalformedValue as error:
        assert 400 <= error.status < 600
        return
    again = parse(str(value))
    assert again == value, f"{text!r} is {value!r}, printed and read {again!r}"


def asked(get: Callable[[], object]) -> None:
    """A value may be malformed, and nothing else."""
    try:
        get()
    except MalformedValue as error:
        assert 400 <= error.status < 600


def values(message: Message, name: str) -> list[str]:
    """The elements of a header; none where a quote is left open."""
    try:
        return message.elements(name)
    except MalformedValue:
        return []


class ParserTarget:
    """See the module."""

    seeds = tuple(case.data for case in CASES if len(case.data) < 4000)
    words = WORDS

    def check(self, data: bytes) -> None:
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._refused(error)
            return
        written = message.encode()
        again = parse_message(written)
        assert again.encode() == written
        assert type(again) is type(message)
        for name in ("names", "lines", "body", "call_id", "cseq", "cseq_method", "from_", "to", "top_via"):
            value, same = getattr(message, name), getattr(again, name)
            assert value == same, f"{name}: {value!r} and {same!r}"
        self._values(message)
        if isinstance(message, Request):
            self._carried(message)
        else:
            asked(message.without_top_via)

    def finish(self) -> None:
        return

    def _refused(self, error: MalformedMessage) -> None:
        assert 400 <= error.status < 600
        if error.request is not None:
            refusal = response_to(error.request, error.status, error.reason, "t")
            assert refusal.top_via.response_address()
            assert refusal.encode().startswith(f"SIP/2.0 {error.status} ".encode())
            assert refusal.get_all("Via") == error.request.get_all("Via")

    def _values(self, message: Request | Response) -> None:
        for value in values(message, "Via"):
            survives(parse_via, value)
        for name in ("From", "To", "Contact", "Route", "Record-Route", "Refer-To", "P-Asserted-Identity"):
            for value in values(message, name):
                survives(parse_address, value)
        for address in (message.from_, message.to):
            survives(parse_uri, address.uri)
            asked(lambda address=address: address.parameter("expires"))
        asked(message.contact)
        asked(message.top_via.response_address)
        asked(lambda: message.top_via.with_source("192.0.2.1", 5060))
        for name in ("Max-Forwards", "Expires", "Min-SE", "RSeq"):
            asked(lambda name=name: message.integer(name))
        for name in ("Supported", "Require", "Allow"):
            asked(lambda name=name: message.tokens(name))
        asked(lambda: session_expires(message))
        asked(lambda: parse_dialog_info(message.body))

    def _carried(self, request: Request) -> None:
        """What a proxy sends on, and what it answers, is read as it was meant (RFC 3261 §16.6, §8.2.6.2)."""
        survives(parse_uri, request.uri)
        response = parse_message(response_to(request, 200, tag="t").encode())
        assert isinstance(response, Response)
        assert response.get_all("Via") == request.get_all("Via")
        assert (response.call_id, response.cseq, response.from_) == (request.call_id, request.cseq, request.from_)
        routes = len(values(request, "Route"))
        forwarded = request.forwarded("sip:6001@192.0.2.9", 69, min(routes, 1), ["<sip:192.0.2.1;lr>"])
        forwarded.insert_before("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKf")
        there = parse_message(forwarded.encode())
        assert isinstance(there, Request)
        assert values(there, "Route") == values(request, "Route")[min(routes, 1) :]
        assert there.get_all("Via")[1:] == request.get_all("Via")
        assert there.get_all("Record-Route") == ["<sip:192.0.2.1;lr>", *request.get_all("Record-Route")]
        assert there.body == request.body


def make() -> ParserTarget:
    return ParserTarget()
