"""One message on one hop as the readers of the trace see it: the bytes, and the few facts that they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from b2bua.sip.address import Address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request
from b2bua.sip.parser import parse_message
from b2bua.sip.uri import parse_uri


class Facts(NamedTuple):
    """What is read out of a message; "" and 0 where it is not there. The message itself is let go again."""

    method: str = ""
    """Of a request; "" for a response."""
    status: int = 0
    """Of a response; 0 for a request."""
    call_id: str = ""
    cseq: int = 0
    cseq_method: str = ""
    from_user: str = ""
    to_user: str = ""
    uri_user: str = ""
    """User part of the Request-URI."""
    to_tag: str = ""
    credentials: bool = False
    """Whether the request carries Authorization or Proxy-Authorization."""
    via: str = ""
    """Sent-by of the topmost Via: the address of the one who asked, as it names itself."""


UNREADABLE: Final = Facts()
"""The facts of bytes that are no SIP message."""


@dataclass(slots=True)
class Hop:
    """A message between two named parties. `call` and `step` are filled in by the reader."""

    time: float
    transport: str
    source: str
    destination: str
    data: bytes
    facts: Facts
    call: str | None = None
    retransmission: bool = False
    step: int = 0
    """1–9, or 0 for none of the nine steps."""
    note: str = ""
    """What an offer or answer changes, or what is wrong with it."""
    fault: str = ""
    """What was done to it on purpose."""
    decisions: tuple[str, ...] = ()
    """Why it was sent, and what became of it: sentences that begin with their kind."""
    addresses: tuple[str, str] = ("", "")
    """`ip:port` of source and destination; "" where it is not known, as on the link in process."""

    @property
    def body(self) -> bytes:
        return self.data.lstrip(b"\r\n").partition(b"\r\n\r\n")[2]


def read_facts(data: bytes) -> Facts:
    """The facts of one message; never raises, for a trace must show what is broken, too."""
    try:
        message = parse_message(data)
    except MalformedMessage as error:
        if error.request is None:
            return UNREADABLE
        message = error.request
    try:
        sender, receiver = message.from_, message.to
        common = (message.call_id, message.cseq, message.cseq_method, _user(sender), _user(receiver))
    except MalformedValue:
        return UNREADABLE
    via = _sent_by(message)
    if isinstance(message, Request):
        credentials = message.has("Proxy-Authorization") or message.has("Authorization")
        return Facts(message.method, 0, *common, _user(Address("", message.uri)), receiver.tag, credentials, via)
    return Facts("", message.status, *common, "", receiver.tag, False, via)


def _sent_by(message: Message) -> str:
    try:
        return message.top_via.sent_by
    except MalformedValue:
        return ""


def _user(address: Address) -> str:
    try:
        return parse_uri(address.uri).username
    except MalformedValue:
        return ""
