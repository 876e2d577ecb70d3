"""Requests and responses: header lines kept as they came, typed values made when asked for (RFC 3261 §7).

Forwarding copies the lists of headers (header_list.py) and shares the lines. Whoever makes a message may edit it until it is
handed on; after that nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self, cast

from b2bua.sip.address import Address, parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.header_lines import address_in, cseq_in, read_cseq, read_dialog
from b2bua.sip.header_list import HeaderList
from b2bua.sip.uri import CACHED_LENGTH, Uri, parse_uri
from b2bua.sip.via import Via, read_via
from b2bua.sip.why import Why

VERSION: Final = "SIP/2.0"


class Document(Protocol):
    """A typed body: a value that knows its text."""

    def encode(self) -> bytes: ...


class Message(HeaderList):
    """What requests and responses share. Values of headers are str; bytes that are no UTF-8 travel as surrogates.

    A typed value stands in a slot that is empty until the parser, the line's maker or the first question fills it. (No
    `__getattr__` for that: with one on the class, CPython reads every attribute by the slow road.)
    """

    __slots__ = ("_body", "content", "call", "why", "_call_id", "_cseq", "_cseq_method", "_from", "_to", "_via")

    def __init__(self, names: list[str], lines: list[str], body: bytes = b"") -> None:
        # Requests and responses do this themselves and not by super(): a call makes some ninety messages.
        self.names = names
        self.lines = lines
        self._body: bytes | None = body
        self.content: object = None
        """The body as a typed value where its maker had one: spares the reader a parse on a link in process."""
        self.call = ""
        """Trace id of the call that caused this message; never on the wire."""
        self.why: Why | None = None
        """Why it is sent, for the trace; never on the wire. A copy does not have it: it is sent for a reason of its own."""
        self._call_id = self._cseq_method = ""
        self._cseq = -1
        self._from: Address | None = None
        self._to: Address | None = None
        self._via: Via | None = None

    @property
    def body(self) -> bytes:
        body = self._body
        return self._write_body() if body is None else body

    @body.setter
    def body(self, body: bytes) -> None:
        self._body = body

    def defer_body(self, content: Document) -> None:
        """Give a message in the making a typed body that is written only if somebody wants its bytes.

        On a link in process nobody does, unless the trace is read: a call publishes a dozen documents.
        """
        self.content = content
        self._body = None

    @property
    def deferred(self) -> bool:
        """Whether the body is still to be written."""
        return self._body is None

    def _write_body(self) -> bytes:
        body = self._body = cast(Document, self.content).encode()
        self.names.append("Content-Length")
        self.lines.append(f"Content-Length: {len(body)}")
        return body

    # -- typed values, read when asked for ---------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        if not self._call_id:
            self._call_id = self.get("Call-ID") or ""
        return self._call_id

    @property
    def cseq(self) -> int:
        """The number of the CSeq (0 to 2³¹−1)."""
        if self._cseq < 0:
            self._read_cseq()
        return self._cseq

    @property
    def cseq_method(self) -> str:
        if self._cseq < 0:
            self._read_cseq()
        return self._cseq_method

    def _read_cseq(self) -> None:
        self._cseq, self._cseq_method = cseq_in(self._line("CSeq"))

    @property
    def from_(self) -> Address:
        if self._from is None:
            self._from = address_in(self._line("From"))
        return self._from

    @property
    def to(self) -> Address:
        if self._to is None:
            self._to = address_in(self._line("To"))
        return self._to

    @property
    def top_via(self) -> Via:
        """The topmost Via; MalformedValue when there is none that parses."""
        via = self._via
        if via is None:
            via = self._via = read_via(self._line("Via"))
        return via

    def contact(self) -> Address | None:
        """The first Contact, or None."""
        line = self._line("Contact")
        if "," not in line and line[-1] not in ": \t":
            return address_in(line)
        values = self.elements("Contact")
        return parse_address(values[0]) if values else None

    def read_mandatory(self, table: dict[str, str]) -> None:
        """Fill the values that every message is asked for, from canonical name → first line; MalformedValue if one is bad."""
        self._via = read_via(table["Via"])
        from_, to, call_id, cseq = table["From"], table["To"], table["Call-ID"], table["CSeq"]
        if len(from_) + len(to) + len(call_id) + len(cseq) <= 2 * CACHED_LENGTH:
            self._from, self._to, self._call_id = read_dialog(from_, to, call_id)
            self._cseq, self._cseq_method = read_cseq(cseq)
        else:  # too long to be remembered
            self._from, self._to, self._call_id = read_dialog.__wrapped__(from_, to, call_id)
            self._cseq, self._cseq_method = read_cseq.__wrapped__(cseq)

    def remember(self, call_id: str, cseq: int, method: str, from_: Address | None = None, to: Address | None = None) -> None:
        """Set the typed values of lines just written, so that they need not be parsed."""
        self._call_id, self._cseq, self._cseq_method = call_id, cseq, method
        self._from, self._to = from_, to

    def read_leniently(self) -> None:
        """Put empty values where To or CSeq cannot be read, so that a refusal can be made of a broken message."""
        try:
            _ = self.to
        except MalformedValue:
            self._to = Address("", "")
        try:
            _ = self.cseq
        except MalformedValue:
            self._cseq, self._cseq_method = 0, self.start_line().partition(" ")[0]

    def _forget(self, name: str) -> None:
        """Drop the typed value of a header whose line has changed."""
        if name == "Via":
            self._via = None
        elif name == "From":
            self._from = None
        elif name == "To":
            self._to = None
        elif name == "CSeq":
            self._cseq = -1
        else:
            self._call_id = ""

    def set_body(self, body: bytes, content_type: str = "") -> None:
        """Set the body with its Content-Type and Content-Length; an empty body takes both type and disposition away."""
        self.body = body
        self.content = None
        if not body:
            for name in ("Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language"):
                self.remove(name)
        elif content_type:
            self.replace("Content-Type", content_type)
        self.replace("Content-Length", str(len(body)))

    def _share(self, other: Self, names: list[str], lines: list[str]) -> Self:
        """Make `other` a message with these lines that knows what this one knows; all slots here but the start line's."""
        other.names = names
        other.lines = lines
        other._body = self._body
        other.content = self.content
        other.call = self.call
        other.why = None
        other._via = None
        other._call_id = self._call_id
        other._cseq = self._cseq
        other._cseq_method = self._cseq_method
        other._from = self._from
        other._to = self._to
        return other

    def start_line(self) -> str:
        raise NotImplementedError

    def encode(self) -> bytes:
        """The message as it stands on the wire."""
        body = self._body
        if body is None:  # first: it brings its Content-Length
            body = self._write_body()
        return _join((self.start_line(), *self.lines, "\r\n")).encode("utf-8", "surrogateescape") + body

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "replace")


class Request(Message):
    """A SIP request; `uri` is the Request-URI as sent."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, names: list[str], lines: list[str], body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.names = names
        self.lines = lines
        self._body = body
        self.content = self.why = self._from = self._to = self._via = None
        self.call = self._call_id = self._cseq_method = ""
        self._cseq = -1

    def parsed_uri(self) -> Uri:
        """The Request-URI in parts; MalformedValue if it is none."""
        return parse_uri(self.uri)

    def copy(self) -> Request:
        """A new request with the same lines: what a proxy edits and sends on."""
        return self._twin(self.uri)

    def _twin(self, uri: str) -> Request:
        if self._body is None:  # first: it brings its Content-Length
            self._write_body()
        twin = new_request(Request)
        twin.method, twin.uri = self.method, uri
        return self._share(twin, self.names[:], self.lines[:])

    def forwarded(self, uri: str, hops: int, routes: int = 0, record_routes: Sequence[str] = ()) -> Request:
        """A new request as a proxy sends it on (RFC 3261 §16.6): to another Request-URI, with this Max-Forwards, the first
        `routes` values of Route taken off, these values of Record-Route put above those that are there."""
        request = self._twin(uri)
        names, lines = request.names, request.lines
        for _ in range(routes):
            index = names.index("Route")
            if "," in lines[index] or lines[index][-1] == ":":  # more or less than one value in the line
                request.remove_first("Route")
            else:
                del names[index], lines[index]
        if "Max-Forwards" in names:
            lines[names.index("Max-Forwards")] = f"Max-Forwards: {hops}"
        else:
            request.append("Max-Forwards", str(hops))
        if record_routes:
            index = names.index("Record-Route") if "Record-Route" in names else len(names)
            names[index:index] = ["Record-Route"] * len(record_routes)
            lines[index:index] = [f"Record-Route: {value}" for value in record_routes]
        return request

    def start_line(self) -> str:
        return f"{self.method} {self.uri} {VERSION}"

    def __repr__(self) -> str:
        return f"<{self.method} {self.uri} {self.get('Call-ID')} {self.get('CSeq')}>"


class Response(Message):
    """A SIP response."""

    __slots__ = ("status", "reason")

    def __init__(self, status: int, reason: str, names: list[str], lines: list[str], body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.names = names
        self.lines = lines
        self._body = body
        self.content = self.why = self._from = self._to = self._via = None
        self.call = self._call_id = self._cseq_method = ""
        self._cseq = -1

    def copy(self) -> Response:
        """A new response with the same lines: what a feature edits and passes on."""
        return self._twin(0)

    def without_top_via(self) -> Response:
        """A new response as a proxy passes it upstream: its own Via, the topmost, taken off (RFC 3261 §16.7 step 3)."""
        if self.names[0] == "Via" and "," not in self.lines[0]:
            return self._twin(1)
        response = self._twin(0)
        response.remove_first("Via")
        return response

    def _twin(self, start: int) -> Response:
        """A copy from this line on."""
        if self._body is None:  # first, as in a request's
            self._write_body()
        twin = new_response(Response)
        twin.status, twin.reason = self.status, self.reason
        return self._share(twin, self.names[start:], self.lines[start:])

    def start_line(self) -> str:
        return f"{VERSION} {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<{self.status} {self.reason} {self.get('Call-ID')} {self.get('CSeq')}>"


def _make_request(_: type[Request]) -> Request:
    return Request("", "", [], [])


def _make_response(_: type[Response]) -> Response:
    return Response(0, "", [], [])


_INTERPRETED: Final = __file__.endswith(".py")
# Whoever makes a message this way sets every slot itself. Interpreted, a constructor before that costs as much again;
# compiled, there is no way without one, and it costs next to nothing.
new_request: Final[Callable[[type[Request]], Request]] = Request.__new__ if _INTERPRETED else _make_request
new_response: Final[Callable[[type[Response]], Response]] = Response.__new__ if _INTERPRETED else _make_response


_join: Final = "\r\n".join
