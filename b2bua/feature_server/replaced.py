"""Which leg a new call is to take the place of (RFC 3891 §3). What comes of it is in replacement.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.call_state import ENDED
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.replaces import parse_replaces

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


def replaced_leg(call: Call, invite: Request) -> Leg:
    """The leg that this new call's Replaces names. SipError as RFC 3891 §3 has it: 481 where there is none, or one that rings
    and is its party's own call; 603 where it is over; 486 where it is answered and only an early one was meant."""
    replaces = parse_replaces(invite.get("Replaces") or "")
    leg = call.all_calls.leg_of(replaces.call_id, replaces.to_tag, replaces.from_tag)
    if leg is None or leg.call is call or (not leg.answered and not leg.invited):
        raise SipError(481).because("B2BUA: no call that can be taken over is named in Replaces (RFC 3891 §3)")
    if leg.ended or leg.call.state == ENDED:
        raise SipError(603).because("B2BUA: the call that Replaces names is over (RFC 3891 §3)")
    if leg.answered and replaces.early_only:
        raise SipError(486).because(
            "B2BUA: the call that Replaces names is answered, and only an early one was meant (RFC 3891 §3)"
        )
    return leg
