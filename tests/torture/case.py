"""One message of RFC 4475 or RFC 5118, rewritten, with what the parser owes it."""

from __future__ import annotations

from textwrap import dedent
from typing import Final, NamedTuple

SDP: Final = (
    b"v=0\r\no=alice 8001 8002 IN IP4 192.0.2.30\r\ns=-\r\nc=IN IP4 192.0.2.30\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 8\r\nm=video 40002 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
)


class Case(NamedTuple):
    """The message of one section; `status` 0 = the parser accepts it, else what it is refused with."""

    section: str
    name: str
    """As the RFC calls it."""
    data: bytes
    status: int = 0
    answered: bool = True
    """Whether a refusal goes out; else the message is dropped without a word (a response, a Via nobody can read)."""


def sip(text: str, body: bytes = b"") -> bytes:
    """A message of indented lines: CRLF at each end, the blank line, the body; `{length}` is the body's.

    The text is Latin-1: each sign stands for one byte.
    """
    lines = dedent(text).strip("\n").replace("{length}", str(len(body))).split("\n")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
