"""A privacy service (RFC 3323 §5): what a party asks not to be told of it to the other one.

`header` a B2BUA keeps by what it is: Via, Contact and Record-Route are ours on each leg. `user` takes the caller's name and
what else tells of the user. `id` is Session Manager's, at the edge of the trust domain (RFC 3325 §7). `session` would want
the media relayed; whoever calls that critical is refused.
"""

from __future__ import annotations

from typing import Final

from b2bua.sip.errors import SipError
from b2bua.sip.message import Message, Request
from b2bua.sip.privacy import privacy_levels

ANONYMOUS_URI: Final = "sip:anonymous@anonymous.invalid"
ANONYMOUS: Final = f'"Anonymous" <{ANONYMOUS_URI}>'
"""What a caller without a name is called (RFC 3323 §4.1.1.3)."""
_OURS: Final = frozenset(("user", "header"))
_KEPT: Final = _OURS | {"id", "critical"}
_TELLING: Final = frozenset(
    ("Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To", "P-Asserted-Identity")
)
"""Headers that a service takes out for `user` (§5.3); the asserted identity would tell what From no longer does."""


def check_privacy(request: Request) -> None:
    """SipError 500 for privacy that is critical to its sender and that we cannot give (§5)."""
    levels = privacy_levels(request)
    missing = sorted(levels - _KEPT)
    if missing and "critical" in levels:
        raise SipError(500, f"Privacy Failure: {', '.join(missing)}").because(
            "B2BUA: privacy is critical to the sender, and what it asks for cannot be given here (RFC 3323 §5)"
        )


def keep_private(message: Message) -> None:
    """Do to a message of ours what its Privacy header, carried over, asks for; what is done is no longer asked for (§5)."""
    levels = privacy_levels(message)
    done = levels & _OURS
    if not done:
        return
    if "user" in done:
        for name in _TELLING.intersection(message.names):
            message.remove(name)
    left = sorted(levels - done - {"critical"})
    message.remove("Privacy")
    if left:
        message.append("Privacy", ";".join([*left, *(["critical"] if "critical" in levels else [])]))
