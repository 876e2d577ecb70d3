"""From bytes to a Request or Response (RFC 3261 §7, §18.3), in one pass that leaves the values for later.

The cost is one search for the blank line, one decode, one split, and one pass for the header names with a dictionary look-up
each; folding, blanks before the colon and rare names are handled only where the look-up misses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from b2bua.sip.errors import MalformedValue
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request, Response
from b2bua.sip.names import CANONICAL, SINGLE, canonical_name
from b2bua.sip.uri import CACHED_LENGTH

MAX_HEADERS: Final = 512
"""More lines than any real message has; bounds the work that one datagram can cause."""

_usual: Final = {f"{spelling}:": name for spelling, name in CANONICAL.items()}.__getitem__
"""With the colon, so that a line which has none is never taken for a header."""
_BLANKS: Final = " \t"
_TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")


def parse_message(data: bytes) -> Request | Response:
    """Parse one datagram, or one message cut from a stream; MalformedMessage says what was wrong.

    The result has Via, From, To, Call-ID and CSeq, each parseable and (but for Via) once, and a Content-Length that is
    true. Bytes behind Content-Length are dropped (RFC 3261 §18.3). Leading blank lines are skipped (§7.5).
    """
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank and head.endswith(b"\r\n"):
        # The blank line after the headers is missing; the message is read as far as it goes, to answer it.
        head = head[:-2]
    text = head.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    rest = "".join(lines)  # what to look for single signs in: half the cost of counting them all in `text`
    if "\n" in rest or "\r" in rest:
        raise MalformedMessage("line ends")
    # RFC 3261 §25.1: NUL is legal as a quoted-pair and nowhere else.
    if "\0" in rest and "\0" in text.replace("\\\0", ""):
        raise MalformedMessage("null byte")
    start = lines.pop(0)
    if len(lines) > MAX_HEADERS:
        raise MalformedMessage("too many headers")
    flaw = "" if blank else "truncated"
    try:
        names = list(map(_usual, _spellings(text)))
        table = dict(zip(names, lines, strict=True))
    except (KeyError, ValueError):
        names, lines = _unusual(lines)
        if "" in names:
            flaw = "header line"
        table = dict(zip(names, lines, strict=True))
    read = _read_start(start) if len(start) <= CACHED_LENGTH else None
    if read is None:
        message = _start(start, names, lines, body)
    elif read[0]:
        message = Request(read[0], read[1], names, lines, body)
    else:
        message = Response(read[2], read[1], names, lines, body)
    _check(message, table, body, flaw)
    return message


_spellings: Final = re.compile(r"\n([^:]*:)").findall
"""What stands before the colon of each line behind the first. A line without one swallows the next, or is missing at the
end: either shows, as no header's spelling has a line end in it."""


@lru_cache(maxsize=2048)
def _read_start(line: str) -> tuple[str, str, int] | None:
    """A plain start line: method, Request-URI, 0, or "", reason, status; None for all that `_start` is to look at.

    Cached: a dialog has the same few.
    """
    try:
        message = _start(line, [], [], b"")
    except MalformedMessage:
        return None
    return (message.method, message.uri, 0) if isinstance(message, Request) else ("", message.reason, message.status)


def _start(start: str, names: list[str], lines: list[str], body: bytes) -> Request | Response:
    if start[:8] == "SIP/2.0 ":
        code, _, reason = start[8:].partition(" ")
        if len(code) == 3 and code.isascii() and code.isdigit() and 100 <= int(code) <= 699:
            return Response(int(code), reason, names, lines, body)
        raise MalformedMessage("status line")
    method, _, rest = start.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not method or not uri or not _TOKEN.issuperset(method):
        if start[:8].upper() == "SIP/2.0 ":  # the version is not case-sensitive (RFC 3261 §7.1)
            return _start(f"SIP/2.0 {start[8:]}", names, lines, body)
        raise MalformedMessage("start line")
    request = Request(method, uri, names, lines, body)
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        if version[:4].upper() != "SIP/":  # blanks behind the version end up here too
            raise MalformedMessage("start line", 400, "Bad Request-Line", answerable(request))
        raise MalformedMessage("version", 505, "Version Not Supported", answerable(request))
    if " " in uri or uri[0] == "<":
        raise MalformedMessage("request URI", 400, "Bad Request-URI", answerable(request))
    return request


def _unusual(lines: list[str]) -> tuple[list[str], list[str]]:
    """Header lines with folding, blanks before the colon, odd case or unknown names, brought to the usual form.

    A line that is no header at all keeps its place with the name "".
    """
    names: list[str] = []
    whole: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and whole:
            # RFC 3261 §7.3.1: folding is one space
            whole[-1] = f"{whole[-1].rstrip(_BLANKS)} {line.strip(_BLANKS)}"
            continue
        name, colon, value = line.partition(":")
        stripped = name.rstrip(_BLANKS)
        if not colon or not stripped or not _TOKEN.issuperset(stripped):
            names.append("")
            whole.append(line)
            continue
        names.append(CANONICAL.get(stripped) or canonical_name(stripped))
        whole.append(line if stripped == name else f"{stripped}:{value}")
    return names, whole


def answerable(request: Request) -> Request | None:
    """The request if a response to it can be sent: its top Via parses, and it is no ACK (RFC 3261 §17). Else None.

    The response copies the other headers as they came, broken or not (RFC 3261 §8.2.6.2): the sender knows them again.
    """
    if request.method == "ACK":
        return None
    try:
        _ = request.top_via
    except MalformedValue:
        return None
    request.read_leniently()
    return request


def _check(message: Request | Response, table: dict[str, str], body: bytes, flaw: str) -> None:
    names = message.names
    if len(table) != len(names):
        single = list(filter(_is_single, names))
        if len(set(single)) != len(single):
            name = next(name for name in single if single.count(name) > 1)
            raise _refusal(message, "repeated header", f"Repeated {name}")
        if "Via" in table:  # of the rest only Via is read here, and of several the topmost
            table["Via"] = message.lines[names.index("Via")]
    if flaw:
        raise _refusal(message, flaw, "Message Truncated" if flaw == "truncated" else "Bad Header Line")
    try:
        message.read_mandatory(table)
        method = message._cseq_method
        if method != message.method if isinstance(message, Request) else not _TOKEN.issuperset(method):
            raise MalformedValue("CSeq method")
    except KeyError as error:
        raise _refusal(message, "missing header", f"Missing {error.args[0]}") from None
    except MalformedValue as error:
        raise _refusal(message, "header value", error.reason) from error
    line = table.get("Content-Length", ":")
    if line.partition(":")[2].strip() != str(len(body)):  # some write the number with blanks before it
        _measure_body(message, line)


_is_single: Final = SINGLE.__contains__


def _refusal(message: Request | Response, kind: str, reason: str) -> MalformedMessage:
    return MalformedMessage(kind, 400, reason, answerable(message) if isinstance(message, Request) else None)


def _measure_body(message: Request | Response, line: str) -> None:
    """Make Content-Length true: added where it is missing (`:`), the body cut to it where that is longer (RFC 3261 §18.3)."""
    body = message.body
    if line == ":":
        message.append("Content-Length", str(len(body)))
        return
    value = line[line.index(":") + 1 :].strip()
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise _refusal(message, "content length", "Bad Content-Length")
    length = int(value)
    if length > len(body):
        raise _refusal(message, "truncated", "Message Shorter Than Its Content-Length")
    if length < len(body):
        message.body = body[:length]
