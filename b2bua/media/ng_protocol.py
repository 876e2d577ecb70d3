"""The ng protocol of rtpengine: what is asked, and what an answer says. A datagram is a cookie, a blank and a dictionary.

Who offers and who answers have tags of ours; the descriptions of both go through rtpengine, which puts its own addresses in.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from b2bua.media.bencode import MalformedBencode, decode, encode

WEB: Final = "UDP/TLS/RTP/SAVPF"
"""The profile of browsers: DTLS-SRTP with feedback, and ICE (RFC 8827)."""
PLAIN: Final = "RTP/AVP"

UNKNOWN: Final = "Unknown call-id"
"""Why not, where a call is not known."""

Fields = dict[str, object]


class Answer(NamedTuple):
    """What rtpengine said."""

    cookie: bytes
    ok: bool
    body: bytes
    """The description, where one was asked for."""
    reason: str
    """Why not, where it is not ok."""


def offer(call: str, offerer: str, answerer: str, body: bytes, protocol: str) -> Fields:
    """The offer as it goes on to a party that speaks this protocol; `answerer` is "" while nobody has answered."""
    fields: Fields = {"command": "offer", "call-id": call, "from-tag": offerer, "sdp": body}
    if answerer:
        fields["to-tag"] = answerer
    fields |= _towards(protocol)
    fields["transport-protocol"] = protocol
    if protocol == WEB:
        fields |= {"rtcp-mux": ["offer", "require"], "SDES": ["off"], "flags": ["generate-mid"]}
    else:
        fields |= {"rtcp-mux": ["demux"], "DTLS": "off", "flags": ["strip-extmap"]}
    return fields


def answer(call: str, offerer: str, answerer: str, body: bytes, protocol: str) -> Fields:
    """The answer as it goes back to an offerer that speaks this protocol."""
    fields: Fields = {"command": "answer", "call-id": call, "from-tag": offerer, "to-tag": answerer, "sdp": body}
    return fields | _towards(protocol)


def query(call: str) -> Fields:
    """What it has of a call."""
    return {"command": "query", "call-id": call}


def delete(call: str) -> Fields:
    """The call is over, at once: by default its ports would be kept for half a minute."""
    return {"command": "delete", "call-id": call, "delete-delay": 0}


def ping() -> Fields:
    """Whether anybody is there."""
    return {"command": "ping"}


def _towards(protocol: str) -> Fields:
    """ICE is the browsers' affair; others would get candidates that they never asked for."""
    return {"ICE": "force" if protocol == WEB else "remove"}


def datagram(cookie: bytes, fields: Fields) -> bytes:
    """What is sent; sent again with the same cookie it is answered again and done once."""
    return cookie + b" " + encode(fields)


def read_answer(data: bytes) -> Answer:
    """One datagram; MalformedBencode for what is no answer."""
    cookie, blank, rest = data.partition(b" ")
    found: Any = decode(rest)
    if not blank or not isinstance(found, dict):
        raise MalformedBencode("no cookie with a dictionary")
    result, body, reason = (found.get(key, b"") for key in ("result", "sdp", "error-reason"))
    if not all(isinstance(each, bytes) for each in (result, body, reason)):
        raise MalformedBencode("no texts where some are wanted")
    return Answer(cookie, result in (b"ok", b"pong"), body, reason.decode("utf-8", "replace"))
