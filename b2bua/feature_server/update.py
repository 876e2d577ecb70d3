"""UPDATE in a call (RFC 3311): a session refresh is answered on its own leg, an offer goes on as a re-INVITE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.exchange import may_wait
from b2bua.feature_server.reinvite import Reinvite
from b2bua.feature_server.setup import Setup
from b2bua.sip import sdp
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.why import Why
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


PATIENCE: Final = TIMEOUT - 4.0
"""Seconds that the other party has to answer an offer in UPDATE: who sent it waits for 64·T1 and not longer, so an answer
after that would reach nobody (RFC 4320 §4)."""
WAITED_IN_VAIN: Final[Why] = (None, "glare: what goes before it, of the other party or of ours, has not ended in time")


def update(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """An UPDATE of the party of `leg`; SipError refuses it.

    Without a description it is answered here and now: it moves the target and restarts the session timer. With one it is
    an offer to the other party, who may know no UPDATE: it goes there as a re-INVITE, its answer comes back in our 200.
    """
    leg.session.check(request)
    if leg.update is not None:
        raise _later(call)  # RFC 3311 §5.2: one UPDATE at a time
    if not request.body:
        early = leg.early.dialog_of(leg, request) if leg.early is not None else None
        (early or leg.dialog).refresh_target(request)
        leg.answer_refresh(transaction, request)
        if call.state == CONFIRMED:
            call.environment.observer.reinvite_finished("refresh", "ok")
        return
    if not is_sdp(request):
        raise SipError(415, "", ("Accept", sdp.CONTENT_TYPE)).because(
            "B2BUA: the body is no session description (RFC 3261 §21.4.13)"
        )
    if call.state != CONFIRMED and not may_wait(leg):
        _before_the_answer(call, leg, transaction, request)
        return
    if leg.usage.server is not None:
        raise _later(call)  # an offer of its own has no answer yet
    pending = call.exchange
    if isinstance(pending, Reinvite) and pending.waits_to_retry and leg is pending.far:
        # Both sides collided and the far side came back first: its own goes (RFC 5407 §3.3.2), as a re-INVITE of its does.
        leg.update = transaction, request
        call.environment.observer.glare("yielded")
        _bound(call, leg, transaction)
        pending.give_way(request)
        return
    if not leg.other.ended and may_wait(leg):
        # 491 is for an offer in the same dialog (RFC 3311 §5.2).
        leg.update = transaction, request
        _bound(call, leg, transaction)
        call.waiting = leg, request
        return
    if pending is not None or leg.other.ended or leg.other.usage.server is not None or leg.other.update is not None:
        call.environment.observer.glare("refused")
        raise SipError(491).because("glare: the other party is under way with an offer of its own, or gone (RFC 3311 §5.2)")
    leg.update = transaction, request
    call.begin(leg, request)
    _bound(call, leg, transaction)


def _bound(call: Call, leg: Leg, transaction: ServerTransaction) -> None:
    """Answer it in time, whatever the other party does."""

    def unanswered() -> None:
        if not _is_open(leg, transaction):
            return
        if isinstance(call.exchange, Reinvite) and call.exchange.origin is leg:
            call.exchange.unanswered()
        else:
            leg.refuse(408, WAITED_IN_VAIN)

    if _is_open(leg, transaction):
        call.environment.layer.timers.start(PATIENCE, unanswered)


def _is_open(leg: Leg, transaction: ServerTransaction) -> bool:
    """Whether this UPDATE is still to be answered."""
    return leg.update is not None and leg.update[0] is transaction


def _before_the_answer(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """An offer in an early dialog: it goes on as an UPDATE where reliable responses have settled the first one. Where that is
    open it crosses ours (491) or comes too soon after its own (500)."""
    if leg.early is None:
        if leg is not call.caller and isinstance(call.exchange, Setup) and call.exchange.offered:
            raise SipError(491).because("glare: the first offer to this party has no answer yet (RFC 3311 §5.2)")
        raise _later(call)
    if not leg.early.update(leg, transaction, request):
        raise _later(call)


def _later(call: Call) -> SipError:
    """RFC 3311 §5.2: a description of theirs or ours is open still."""
    return SipError(500, "", ("Retry-After", str(int(call.environment.uniform(0, 10))))).because(
        "glare: a description of either side has no answer yet (RFC 3311 §5.2)"
    )
