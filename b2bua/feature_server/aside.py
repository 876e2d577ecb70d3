"""A leg aside: the call goes on without it, and it ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.why import Why
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import T4, TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

REPLACED: Final[Why] = (None, "B2BUA: another party takes the caller's place while the call rings")


def leave(call: Call, leg: Leg, *headers: tuple[str, str]) -> None:
    """The call goes on without this callee, who hears CANCEL or nothing."""
    leg.aside = True
    if leg.early is not None:
        leg.early.left(leg)
    if leg.gone:
        take_apart_later(leg)
    else:
        leg.release(*headers)
    call.all_calls.left(leg.party)
    call.hooks.tell("callee_left", call.hook_failed, call, leg)


def caller_leaves(call: Call, stand_in: Leg) -> None:
    """In a transfer: the caller hears 487, and the call rings on for whoever is to have it; until then this leg, which
    nobody is behind, is the caller's. SipError 480 where that party has as many calls as it may."""
    leaving = call.caller
    call.all_calls.joined(stand_in)
    for leg in call.legs[1:]:
        leg.other = stand_in
    stand_in.other, call.caller = call.callee, stand_in
    leaving.aside = True
    leaving.refuse(487, REPLACED)
    leaving.over()
    call.all_calls.left(leaving.party)
    call.hooks.tell("callee_left", call.hook_failed, call, leaving)
    call.parties_changed()


def request_from_aside(leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """From the party of a leg aside: it may hang up."""
    if request.method != "BYE":
        raise SipError(481).because("B2BUA: the call goes on without this party, which may only hang up")
    leg.answer_bye(transaction, request)
    leg.over()


def take_apart_later(leg: Leg) -> None:
    """Behind the transactions that may still speak to it."""
    leg.environment.layer.timers.start(TIMEOUT + T4, leg.take_apart)
