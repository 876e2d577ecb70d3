"""Canonical header names: what a peer may write for a header, and the one spelling this program uses (RFC 3261 §7.3.1)."""

from __future__ import annotations

from typing import Final

_NAMES: Final = [
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-ID", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "Feature-Caps", "Flow-Timer", "From", "Geolocation", "Join", "History-Info",
    "Identity", "In-Reply-To", "Max-Breadth", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Access-Network-Info", "P-Asserted-Identity", "P-Called-Party-ID", "P-Charging-Vector", "P-Preferred-Identity",
    "P-Served-User", "Path", "Priority", "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck",
    "Reason", "Record-Route", "Recv-Info", "Refer-Sub", "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID",
    "Replaces", "Reply-To", "Request-Disposition", "Require", "Resource-Priority", "Retry-After", "Route", "RSeq",
    "Server", "Service-Route", "Session-Expires", "Session-ID", "SIP-ETag", "SIP-If-Match", "Subject",
    "Subscription-State", "Supported", "Suppress-If-Match", "Target-Dialog", "Timestamp", "To", "Unsupported",
    "User-Agent", "User-to-User", "Via", "Warning", "WWW-Authenticate", "X-Asterisk-HangupCause",
]  # fmt: skip

# RFC 3261 §20 and the registrations since: one letter stands for a name.
_COMPACT: Final = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
    "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

_BY_LOWER: Final = {name.lower(): name for name in _NAMES} | _COMPACT

CANONICAL: Final[dict[str, str]] = {name: name for name in _NAMES}
"""Spelling seen on the wire → canonical name, for the spellings that nearly every peer uses; a miss goes to `canonical_name`."""
CANONICAL.update(_COMPACT)
CANONICAL.update({letter.upper(): name for letter, name in _COMPACT.items()})
CANONICAL.update({name.lower(): name for name in _NAMES})
CANONICAL.update({name.title(): name for name in _NAMES})

MANDATORY: Final = ("Via", "From", "To", "Call-ID", "CSeq")
"""What every request and response carries (RFC 3261 §8.1.1); Max-Forwards is forgiven, RFC 2543 phones leave it out."""

SINGLE: Final = frozenset(
    ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Max-Breadth", "Content-Length", "Content-Type", "Expires", "Event",
     "Min-Expires", "SIP-If-Match", "Subscription-State", "RAck", "RSeq", "Session-Expires", "Refer-To", "Replaces")
)  # fmt: skip
"""Headers that may stand once only; a second one makes the message ambiguous, and an ambiguous message is refused."""


def canonical_name(name: str) -> str:
    """The canonical spelling of a header name in any case or compact form; an unknown name comes back in Title-Case."""
    return _BY_LOWER.get(name.lower()) or name.title()
