"""An INVITE of ours that was refused for what can be put right, or that Session Manager died over, goes out once more, its CSeq
one up.

    422       with a larger session interval (RFC 4028 §7.3)
    421       with reliable provisional responses (RFC 3261 §21.4.16)
    401, 407  with what its caller answers the challenge (challenge_echo.py)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from b2bua.dialog.reliable_provisional import supports
from b2bua.feature_server.challenge_echo import echoed
from b2bua.feature_server.contract import NEVER
from b2bua.sip.message import Request, Response
from b2bua.sip.rseq import RELIABLE
from b2bua.transaction.timers import T2

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

ANSWERED_BY: Final = T2 + 2.0
"""Seconds after the death of Session Manager by which a party that has our re-INVITE has answered, or repeated its 2xx."""


def carrier_died(leg: Leg) -> None:
    """Session Manager has died with our re-INVITE in its hands, or the answer, or neither."""
    if leg.answered and leg.open_invite is not None and leg.usage.is_carried:
        leg.environment.layer.timers.start(ANSWERED_BY, partial(_ask_again, leg, leg.open_invite))


def _ask_again(leg: Leg, request: Request) -> None:
    if leg.open_invite is request and not leg.ended and leg.usage.is_carried and not leg.usage.cancelled:
        leg.usage.forget()
        _invite_again(leg, request)


def invites_again(leg: Leg, request: Request, status: int, response: Response) -> bool:
    """Whether this refusal of our INVITE is seen to here: then the INVITE has been sent once more."""
    if leg.usage.cancelled:
        return False
    if status == 422:
        if not leg.session.too_small(response):
            return False
        _invite_again(leg, request)
        return True
    if status == 421 and _may_be_reliable(leg, request, response):
        _invite_again(leg, request, True)
        return True
    again = echoed(request, response) if status in (401, 407) else None
    if again is None:
        return False
    _invite_again(leg, again)
    return True


def _may_be_reliable(leg: Leg, request: Request, response: Response) -> bool:
    """Whether a party that insists on reliable provisional responses (RFC 3261 §21.4.16) can have them after all. Not
    without an offer in the INVITE, as in `finish_invite`."""
    allowed = leg.environment.reliable != NEVER and not leg.answered
    return allowed and bool(request.body) and RELIABLE in response.tokens("Require") and not supports(request)


def _invite_again(leg: Leg, request: Request, reliable: bool = False) -> None:
    """The same INVITE, CSeq one up: with a larger interval (RFC 4028 §7.3), or with reliable provisional responses."""
    again = request.copy()
    for name in ("Via", "Session-Expires", "Min-SE", "Supported"):
        again.remove(name)
    leg.dialog.local_cseq += 1
    again.replace("CSeq", f"{leg.dialog.local_cseq} INVITE")
    leg.session.ask(again)
    if reliable or supports(request):
        again.append("Supported", RELIABLE)
    leg.open_invite = again
    leg.usage.invite(again)
