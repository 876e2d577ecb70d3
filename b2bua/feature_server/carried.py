"""Which headers go end to end through a B2BUA, and which belong to one leg (RFC 7092, RFC 5853 §3)."""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.privacy import keep_private
from b2bua.sip.digest import parse_parameters
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message
from b2bua.sip.sdp import CONTENT_TYPE

_OF_ONE_LEG: Final = frozenset(
    # Dialog and hop.
    ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Max-Forwards", "Max-Breadth", "Path",
     "Service-Route",
    # The body's own headers go with the body.
     "Content-Length", "Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language",
    # Negotiated per leg: never promised on one and not kept on the other.
     "Supported", "Require", "Proxy-Require", "Unsupported", "Allow", "Allow-Events", "Accept", "Accept-Encoding",
     "Session-Expires", "Min-SE", "RSeq", "RAck", "Replaces", "Join", "Target-Dialog",
    # Of one hop or one server.
     "Server", "User-Agent", "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate",
     "Authentication-Info", "Timestamp", "Min-Expires", "P-Served-User")
)  # fmt: skip

_OF_BODY: Final = ("Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language")
_OTHER_OF_BODY: Final = frozenset(_OF_BODY[1:])
SDP_LINE: Final = f"Content-Type: {CONTENT_TYPE}"
"""The line that says of nearly every body what it is."""
_CREDENTIALS: Final = frozenset(("Authorization", "Proxy-Authorization"))


def carry(source: Message, target: Message) -> None:
    """Append to `target` every end-to-end header of `source`: Reason, Subject, P-Asserted-Identity, what we never heard of."""
    if _OF_ONE_LEG.issuperset(source.names):
        return
    for name, line in zip(source.names, source.lines, strict=True):
        if name not in _OF_ONE_LEG:
            target.names.append(name)
            target.lines.append(line)
    if "Privacy" in target.names:
        keep_private(target)


def carry_body(source: Message, target: Message, body: bytes) -> None:
    """Give `target` this body with the body headers of `source`, and the Content-Length that every message has."""
    names, lines = target.names, target.lines
    if body:
        if SDP_LINE in source.lines and _OTHER_OF_BODY.isdisjoint(source.names):  # nearly always
            names.append("Content-Type")
            lines.append(SDP_LINE)
        else:
            target.extend([(name, source.get(name) or "") for name in _OF_BODY if name in source.names])
    target.body = body
    names.append("Content-Length")
    lines.append(f"Content-Length: {len(body)}")


def carry_challenges(source: Message, target: Message, realm: str) -> bool:
    """Copy challenges of other realms; a challenge of ours never crosses. Whether any was copied."""
    found = foreign_challenges(source, realm)
    for name, value in found:
        target.append(name, value)
    return bool(found)


def foreign_challenges(source: Message, realm: str) -> list[tuple[str, str]]:
    """The challenges of other realms, as (name, value)."""
    return _of_other_realms(source, ("WWW-Authenticate", "Proxy-Authenticate"), realm)


def carry_credentials(source: Message, target: Message, realm: str) -> None:
    """Copy what answers a challenge of another realm; credentials for ours never cross."""
    if _CREDENTIALS.isdisjoint(source.names):
        return
    for name, value in _of_other_realms(source, ("Authorization", "Proxy-Authorization"), realm):
        target.append(name, value)


def _of_other_realms(source: Message, names: tuple[str, str], realm: str) -> list[tuple[str, str]]:
    """What cannot be read, or names no realm, might be of ours: it stays here."""
    found = []
    for name in names:
        for value in source.get_all(name) if name in source.names else ():
            try:
                if parse_parameters(value).get("realm", realm) != realm:
                    found.append((name, value))
            except MalformedValue:
                continue
    return found


def is_sdp(message: Message) -> bool:
    """Whether a message's body is one session description."""
    if SDP_LINE in message.lines:  # as nearly everybody writes it
        return True
    content_type = message.get("Content-Type")
    if content_type is None or content_type == CONTENT_TYPE:
        return content_type is not None
    return content_type.partition(";")[0].strip().lower() == CONTENT_TYPE
