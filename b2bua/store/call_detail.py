"""What a call is going to say of itself when it has ended: kept with the call's record, so that it outlives a restart.

Times are Unix seconds, 0.0 for what has not been.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

DETAIL: Final = "call detail"
"""The kind of the records of ended calls that the file of call detail records may not have yet: key the call's id, text its
line."""
Side = Literal["", "caller", "callee"]
"""A party of a call, by its role; "" for neither."""


class Forwarding(msgspec.Struct, frozen=True):
    """The call went on to others before its answer."""

    time: float
    by: str
    """Whose phone or setting sent it on: an address of record."""
    to: list[str]
    cause: int
    """Why, as a status (feature_server/diversion.py)."""


class Transfer(msgspec.Struct, frozen=True):
    """One party left, and another came in its place."""

    time: float
    leaves: str
    comes: str


class CallDetail(msgspec.Struct):
    """Of one call, as far as it has come; it changes as the call does."""

    setup: float
    asked: str
    """The Request-URI of the caller's INVITE, as it came."""
    caller: str
    """Address of record."""
    caller_call_id: str
    caller_transport: str
    """As the phone's Contact names it."""
    serves: Side = ""
    """`caller` or `callee` where the feature server was passed for one of them alone, "" for both."""
    callee: str = ""
    """Who answered, else who was called last."""
    callee_call_id: str = ""
    callee_transport: str = ""
    ring: float = 0.0
    answer: float = 0.0
    holds: int = 0
    held: float = 0.0
    """Seconds of the holds that are over."""
    forwardings: list[Forwarding] = []
    transfers: list[Transfer] = []
    status: int = 0
    """The final answer to the caller's INVITE; 0 for none."""
    reasons: list[str] = []
    """Reason values (RFC 3326) that came with the end."""
    ended_by: Side = ""
    """`caller`, `callee`; "" for the server itself."""
    continued_in: str = ""
    """The call that one of its legs went on in."""
