"""A request of a party in its dialog: what becomes of it, by method. A re-INVITE is taken where nothing else is under way; a BYE
always wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.feature_server.aside import request_from_aside
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.exchange import may_wait, refuse_waiting
from b2bua.feature_server.referral import refer, resubscribe
from b2bua.feature_server.refusals import CHANGES
from b2bua.feature_server.reinvite import Reinvite
from b2bua.feature_server.relay import relay
from b2bua.feature_server.update import update
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.response_to import response_to
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

NOT_ANSWERED: Final = "glare: the first INVITE of the call is not answered yet (RFC 3261 §14.2)"
OTHER_LEG: Final = "glare: the other party's re-INVITE is under way, and one goes at a time in a call"


def request_in_dialog(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """A request from the party of `leg`, its CSeq already checked."""
    if leg.aside:
        request_from_aside(leg, transaction, request)
    elif request.method == "INVITE":
        _reinvite(call, leg, transaction, request)
    elif request.method == "BYE":
        _bye(call, leg, transaction, request)
    elif request.method == "UPDATE":
        update(call, leg, transaction, request)
    elif request.method == "OPTIONS":
        leg.answer(transaction, request, 200)
    elif request.method == "PRACK":
        if leg.early is None:
            raise SipError(481).because("B2BUA: there is no reliable response that could be acknowledged (RFC 3262 §3)")
        leg.early.prack(leg, transaction, request)
    elif request.method == "REFER":
        refer(call, leg, transaction, request)
    elif request.method == "SUBSCRIBE":
        resubscribe(call, leg, transaction, request)
    else:
        relay(call, leg, transaction, request)


def _reinvite(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """Begin on it; 491 or 500 while something else is under way (RFC 3261 §14.2)."""
    waits = leg.usage.server is None and leg.update is None and may_wait(leg)
    if call.state != CONFIRMED and not waits:  # our answer to the first INVITE is still open
        raise SipError(500, "", ("Retry-After", str(_seconds(call)))).because(NOT_ANSWERED)
    leg.session.check(request)
    if leg.other.ended:
        raise SipError(491).because(CHANGES)  # another party is about to take that one's place
    pending = call.exchange
    if waits:
        _take(call, leg, transaction, request)
        call.waiting = leg, request
        return
    if isinstance(pending, Reinvite) and pending.waits_to_retry and leg is pending.far:
        # Both sides collided and the far side came back first: its own goes, and ours is given up (RFC 3261 §14.1).
        _take(call, leg, transaction, request)
        call.environment.observer.glare("yielded")
        pending.give_way(request)
        return
    # Re-INVITEs are serialised per call: the other leg's gets 491 while one is forwarded. So does one of this leg while an UPDATE
    # of its own waits: for the ACK of the 491 that made it room, or for the record of its answer.
    other = leg.other.usage.server is not None or leg.other.update is not None or leg.update is not None
    if (pending is not None or other) and leg.usage.server is None:
        call.environment.observer.glare("refused")
        raise SipError(491).because(OTHER_LEG)
    try:
        _take(call, leg, transaction, request)
    except SipError as error:
        if error.status == 491:
            call.environment.observer.glare("refused")
        raise
    call.begin(leg, request)


def _take(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """Accept a re-INVITE for work. Its 100 says so at once: without one nobody may CANCEL it (RFC 3261 §9.1)."""
    leg.usage.invite_received(transaction, _seconds(call))
    call.environment.layer.respond(transaction, response_to(request, 100))


def _bye(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """BYE always wins: 200 to it, 487 to what is open, BYE to the other leg, all at once."""
    waits = call.handover is not None and call.handover.may_leave(leg)
    if call.detail is not None and not waits:
        call.detail.ended_by, call.detail.reasons = leg.role, request.get_all("Reason")
    if call.kept and call.keeper is not None and not call.ended_by:
        call.ended_by = leg.role
        call.keeper.keep(call, lambda _kept: leg.answer_bye(transaction, request))
    else:
        leg.answer_bye(transaction, request)
    leg.over()  # where BYEs crossed, ours is still open: its answer changes nothing
    if waits:
        refuse_waiting(leg)
        call.all_calls.moved(call)
        call.parties_changed()
        return
    reasons = tuple(("Reason", value) for value in request.get_all("Reason"))
    call.finish("answered" if leg.answered else "cancelled", *reasons, spare=leg)


def _seconds(call: Call) -> int:
    return int(call.environment.uniform(0, 10))
