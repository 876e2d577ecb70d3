"""The record of a call that stands: what a B2BUA needs to go on with it after a restart.

Not in it: the phones' flows and transports. They stand, signed, in the Route of each leg (session_manager/tokens.py).
"""

from __future__ import annotations

import json
from typing import Final

import msgspec

from b2bua.store.call_detail import CallDetail, Side
from b2bua.store.records import BadRecord

CALL: Final = "call"
"""The kind of these records; their key is the call's own name."""
CALL_VERSION: Final = 1


class LegRecord(msgspec.Struct, frozen=True):
    """One party's dialog with us (RFC 3261 §12)."""

    party: str
    call_id: str
    local: str
    local_tag: str
    remote: str
    remote_tag: str
    local_cseq: int
    """What the next request may be counted from: it lies ahead of the last one that was sent."""
    remote_cseq: int
    route_set: list[str]
    remote_target: str
    contact: str
    invited_cseq: int
    """CSeq of our last INVITE that was answered 2xx; 0 for none."""
    answered_cseq: int
    """CSeq of the party's last INVITE that we answered 2xx; 0 for none."""
    session_id: int
    """Of our o= lines, with their last version (RFC 3264 §8)."""
    version: int
    ours: bytes
    """Our last description of a completed exchange, as sent."""
    theirs: bytes
    holding: bool
    interval: int
    """Seconds of the session timer that was agreed (RFC 4028); 0 for none."""
    refreshes: bool
    """Whether the refreshes are ours."""
    negotiated: bool
    updates: bool
    """Whether the party takes UPDATE."""
    agreed_at: float
    """Unix seconds of the last refresh."""
    known_as: str = ""
    """What the other party is told in place of `party`; "" for the truth."""
    invited: bool | None = None
    """Whether the Call-ID is ours; None: as for the callee's leg of a call that nobody has joined."""
    source: str = ""
    """The source that was the party, where it was no phone but media of ours."""
    note: str = ""
    """What a feature has noted of such a party; "" where the call ends with the process."""


class CallRecord(msgspec.Struct, frozen=True):
    """Both legs."""

    id: str
    invite: tuple[str, str, int]
    """Call-ID, From tag and CSeq of the caller's INVITE."""
    since: float
    """Unix seconds of the answer."""
    held_since: float | None
    ended_by: Side
    """`caller` or `callee`: whose BYE was acknowledged, the other party not having answered ours yet; "" while it stands."""
    caller: LegRecord
    callee: LegRecord
    absorbed: str = ""
    """The call whose leg this one has taken over: a record of that one is out of date."""
    serves: Side = ""
    """`caller` or `callee`: the party that the feature server was passed for, where not for both."""
    served: str = ""
    """Its address of record."""
    detail: CallDetail | None = None
    """What its call detail record will say; None where none is kept."""
    version: int = CALL_VERSION


def encode_call(record: CallRecord) -> str:
    """JSON; header text that is no UTF-8 is carried over in escapes."""
    try:
        return msgspec.json.encode(record).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(record), separators=(",", ":"))


def decode_call(text: str) -> CallRecord:
    """The inverse of `encode_call`; BadRecord for anything else, an unknown version included."""
    try:
        values = json.loads(text)
        version = values.get("version") if isinstance(values, dict) else None
        if version != CALL_VERSION:
            raise BadRecord(f"version {version!r}, not {CALL_VERSION}")
        return msgspec.convert(values, CallRecord)
    except (ValueError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise BadRecord(str(error)) from None
