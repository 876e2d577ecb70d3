"""Subscription-State: what became of a subscription, in each of its NOTIFYs (RFC 6665 §4.1.3, §8.2.3)."""

from __future__ import annotations

from typing import Final, NamedTuple

from b2bua.sip.address import split_parameters
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request

ACTIVE: Final = "active"
TERMINATED: Final = "terminated"
_MOST: Final = 2**32 - 1
"""What `expires` is read as where it is more."""


class SubscriptionState(NamedTuple):
    """`Subscription-State = substate-value *( SEMI subexp-params )`."""

    state: str
    """active, pending, terminated or one that we do not know, in small letters."""
    expires: int | None = None
    """Seconds that are left."""
    reason: str = ""
    """Why it is over, in small letters."""

    def __str__(self) -> str:
        expires = "" if self.expires is None else f";expires={self.expires}"
        reason = f";reason={self.reason}" if self.reason else ""
        return f"{self.state}{expires}{reason}"


def subscription_state(notify: Request) -> SubscriptionState:
    """That of a NOTIFY; MalformedValue (400) where it has none. What cannot be read of its parameters counts as not said."""
    state, _, parameters = (notify.get("Subscription-State") or "").partition(";")
    state = state.strip().lower()
    if not state:
        raise MalformedValue("Subscription-State")
    try:
        said = dict(split_parameters(parameters)) if parameters else {}
    except MalformedValue:
        said = {}
    seconds = said.get("expires", "")
    known = seconds.isascii() and seconds.isdigit() and len(seconds) <= 10
    return SubscriptionState(state, min(int(seconds), _MOST) if known else None, said.get("reason", "").lower())
