"""SDP by lines (RFC 8866, RFC 3264): what a B2BUA needs to see and to change, everything else stays as it was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue

CONTENT_TYPE: Final = "application/sdp"
DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")

_BLANKS: Final = " \t\r"
"""What may stand around the value of an a= line: the CR, because some end their lines with more than one."""
_DISCARD: Final = 9
_LONGEST: Final = 40
"""Digits of the longest number read; real ones end at 20, and Python itself refuses 4,300 with a bare ValueError."""


class Stream(NamedTuple):
    """One m= section as it stands in one description."""

    media: str
    port: int
    """0 = refused or taken away (RFC 3264 §6, §8.2)."""
    direction: str
    """Its own a= line, else the session's, else sendrecv (RFC 8866 §6.7)."""
    connection: str
    """The address media is wanted at: its own c= line, else the session's, else ""."""
    ice: bool = False
    """Whether the description speaks ICE (RFC 8839)."""

    @property
    def receives(self) -> bool:
        """Whether the sender of this description wants media on the stream; `c=0.0.0.0` says no (RFC 3264 §8.4),
        but not with ICE and port 9: there it only says that no candidate is known yet (RFC 8840 §4.1.1)."""
        if self.direction not in ("sendrecv", "recvonly"):
            return False
        if not self.connection or self.connection.strip("0.:"):  # 0.0.0.0 and every spelling of ::
            return True
        return self.ice and self.port == _DISCARD


def _lines(body: bytes) -> list[str]:
    return body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\n").split("\n")


def _said(line: str) -> str:
    """The direction that the line says, "" for any other line."""
    value = line[2:].strip(_BLANKS) if line.startswith("a=") else ""
    return value if value in DIRECTIONS else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST


@lru_cache(maxsize=1024)
def parse_streams(body: bytes) -> tuple[Stream, ...]:
    """The m= sections in order; MalformedValue (488) when the body is no SDP at all.

    Cached: an offer is looked at several times on its way, by the toolkit and by the features.
    """
    lines = _lines(body)
    if not lines[0].startswith("v=0"):
        raise MalformedValue("SDP", 488)
    session_direction, session_connection, ice = "sendrecv", "", False
    streams: list[list[str]] = []
    for line in lines:
        kind, value = line[:2], line[2:].strip()
        if kind == "m=":
            fields = value.split()
            port = fields[1].partition("/")[0] if len(fields) > 2 else ""
            if not _is_number(port):
                raise MalformedValue("SDP media", 488)
            streams.append([fields[0], port, "", ""])
        elif direction := _said(line):
            if streams:
                streams[-1][2] = direction
            else:
                session_direction = direction
        elif kind == "a=" and value.startswith("ice-ufrag:"):
            ice = True
        elif kind == "c=":
            address = value.rpartition(" ")[2].partition("/")[0]
            if streams:
                streams[-1][3] = address
            else:
                session_connection = address
    return tuple(
        Stream(media, int(port), own or session_direction, connection or session_connection, ice)
        for media, port, own, connection in streams
    )


def protocol_of(body: bytes) -> str:
    """The profile of the first m= line that has a port, `RTP/AVP` where there is none: what its sender speaks."""
    for line in _lines(body):
        fields = line[2:].split() if line.startswith("m=") else ()
        if len(fields) > 2 and fields[1] != "0":
            return fields[2]
    return "RTP/AVP"


def holds(streams: Sequence[Stream]) -> bool:
    """Whether the sender of these streams wants no media at all: every live stream is send-only, inactive or nowhere."""
    live = False
    for stream in streams:
        if stream.port:
            if stream.receives:
                return False
            live = True
    return live


class Origin(NamedTuple):
    """The o= line (RFC 8866 §5.2)."""

    username: str
    session_id: str
    version: int
    address: str
    """`IN IP4 192.0.2.1`: network type, address type and address."""

    def __str__(self) -> str:
        return f"o={self.username} {self.session_id} {self.version} {self.address}"


def parse_origin(body: bytes) -> Origin:
    """The o= line of a description; MalformedValue (488) when it is missing or broken."""
    _, line, _ = split_origin(body)
    fields = line[2:].decode("utf-8", "surrogateescape").split(None, 3)
    if len(fields) == 4 and _is_number(fields[2]):
        return Origin(fields[0], fields[1], int(fields[2]), fields[3].strip())
    raise MalformedValue("SDP origin", 488)


def split_origin(body: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the o= line, the line without its end, and all that follows; MalformedValue (488) without one."""
    match = _ORIGIN(body)
    if match is None:
        raise MalformedValue("SDP origin", 488)
    start, end = match.span()
    return body[:start], match[0], body[end:]


_ORIGIN: Final = re.compile(rb"(?m)^o=.*?(?=\r?$)").search


_BELOW: Final = {
    "sendonly": {"sendrecv": "recvonly", "sendonly": "inactive"},
    "recvonly": {"sendrecv": "sendonly", "recvonly": "inactive"},
    "inactive": {"sendrecv": "inactive", "sendonly": "inactive", "recvonly": "inactive"},
}
"""Direction offered → direction that may not answer it → what both sides allow (RFC 3264 §6.1)."""

_SECTION: Final = re.compile(rb"(?m)^(?=m=)")
_DIRECTION: Final = re.compile(rb"(?m)^(a=[ \t\r]*)(?:sendrecv|sendonly|recvonly|inactive)(?=[ \t\r]*$)")


def legal_answer(offer: bytes, answer: bytes) -> bytes:
    """The answer as RFC 3264 §6 allows it to this offer; a legal one, and every byte that breaks no rule, as it was.

    A direction that the offer excludes is brought down to what both sides allow (`sendonly` answered `sendrecv`:
    `recvonly`); an m= line that the answer lacks stands there as refused. MalformedValue when either is no SDP.
    """
    asked, given = parse_streams(offer), parse_streams(answer)
    better = {
        index: _BELOW[one.direction][other.direction]
        for index, (one, other) in enumerate(zip(asked, given, strict=False))
        if other.port and other.direction in _BELOW.get(one.direction, ())
    }
    if not better and len(given) >= len(asked):
        return answer
    end = b"\r\n" if b"\r\n" in answer else b"\n"
    sections = [part if part.endswith(b"\n") else part + end for part in _SECTION.split(answer)]
    for index, direction in better.items():
        line = direction.encode()
        section, found = _DIRECTION.subn(rb"\g<1>" + line, sections[index + 1])
        sections[index + 1] = section if found else section + b"a=" + line + end
    offered = [line for line in _lines(offer) if line.startswith("m=")]
    refused = [_refused(line).encode("utf-8", "surrogateescape") + end for line in offered[len(given) :]]
    return b"".join([*sections, *refused])


def _refused(line: str) -> str:
    """The m= line with port 0 (RFC 3264 §6); read as `parse_streams` reads it, whatever blanks are in it."""
    media, _, rest = line[2:].split(None, 2)
    return f"m={media} 0 {rest.rstrip()}"


def first_streams(body: bytes, count: int) -> bytes:
    """The description with no more than so many m= sections."""
    sections = _SECTION.split(body)
    return body if len(sections) <= count + 1 else b"".join(sections[: count + 1])


def with_more_streams(body: bytes, known: bytes) -> bytes:
    """An offer with as many m= lines as the session has had: those that it lacks stand there as refused (RFC 3264 §8)."""
    missing = [line for line in _lines(known) if line.startswith("m=")][len(parse_streams(body)) :]
    if not missing:
        return body
    end = b"\r\n" if b"\r\n" in body else b"\n"
    whole = body if body.endswith(b"\n") else body + end
    return whole + b"".join(_refused(line).encode("utf-8", "surrogateescape") + end for line in missing)


def with_direction(body: bytes, direction: str) -> bytes:
    """The description with `direction` on every stream: session-level lines go, each m= section gets one line at its end."""
    out: list[str] = []
    in_media = False
    for line in _lines(body):
        if line.startswith("m="):
            if in_media:
                out.append(f"a={direction}")
            in_media = True
        if not _said(line):
            out.append(line)
    if in_media:
        out.append(f"a={direction}")
    return ("\r\n".join(out) + "\r\n").encode("utf-8", "surrogateescape")
