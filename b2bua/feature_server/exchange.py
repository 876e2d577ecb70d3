"""What is under way in a call, one at a time: `Setup`, `Reinvite`, `Refresh`, `OwnOffer` and their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from b2bua.feature_server.refusals import CHANGES, GAVE_UP
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


class Exchange(Protocol):
    """Hears from the call what comes of either leg, until the call has another or none."""

    def progressed(self, leg: Leg, response: Response) -> None: ...

    def accepted(self, leg: Leg, response: Response) -> None: ...

    def refused(self, leg: Leg, status: int, response: Response | None) -> None: ...

    def acknowledged(self, leg: Leg, ack: Request) -> None: ...

    def takes(self, leg: Leg) -> bool:
        """Whether a re-INVITE of this leg's party, or its UPDATE with an offer, has nothing to do with it and may wait for its
        end; else they collide."""

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None: ...

    def abandoned(self) -> None:
        """The call ends by a BYE meanwhile."""


class IdleExchange:
    """An `Exchange` to which nothing that comes of the legs is news: what it does not override."""

    def progressed(self, leg: Leg, response: Response) -> None:
        return

    def accepted(self, leg: Leg, response: Response) -> None:
        return

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        return

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        return

    def takes(self, leg: Leg) -> bool:
        return False

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        return

    def abandoned(self) -> None:
        return


class GivenWay(IdleExchange):
    """A party's re-INVITE, or UPDATE with an offer, from when the other one's makes room for it to the ACK of the 491 that
    says so (RFC 5407 §3.3.1). Until then the far party has not heard of it."""

    def __init__(self, origin: Leg, request: Request) -> None:
        self.origin = origin
        self._request = request

    def begin(self) -> None:
        """The other party knows that its own is over, or has had the time to."""
        call = self.origin.call
        if call.exchange is self:  # not answered meanwhile
            call.begin(self.origin, self._request)

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        self.origin.refuse(487, GAVE_UP)

    def answered_here(self, status: int) -> None:
        """It has its final response, and nothing is under way any more."""
        self.origin.call.exchange = None


def may_wait(leg: Leg) -> bool:
    """Whether a re-INVITE of this leg's party, or its UPDATE with an offer, may wait (`Call.waiting`) until what is under way
    has its answer. So it does behind the other party's INVITE, re-INVITE or UPDATE that it has agreed to, and whose answer is
    held up by a feature or by the record of the call: with our ACK its own turn has come (RFC 3261 §14.1)."""
    call = leg.call
    if call.waiting is not None:
        return False
    if call.exchange is not None:
        return call.exchange.takes(leg)
    return leg.other.promise is not None or leg.other.update is not None


def release_waiting(call: Call) -> None:
    """What waits begins, where nothing is under way any more and the other party has its answer; unless it has been answered
    itself meanwhile: an UPDATE whose time was over, or whatever the call ended with. One who has hung up is asked for nothing:
    its call ends, or another takes its place (`refuse_waiting`)."""
    if call.waiting is None or call.exchange is not None:
        return
    leg, request = call.waiting
    other = leg.other
    if other.ended or other.usage.server is not None or other.update is not None:
        return
    call.waiting = None
    if _is_open(leg):
        call.begin(leg, request)


def refuse_waiting(leaving: Leg) -> None:
    """This party has hung up, and the call goes on with another: what waits for its answer comes to nothing (RFC 3261 §14.1)."""
    call = leaving.call
    if call.waiting is not None:
        (leg, _), call.waiting = call.waiting, None
        if leg is not leaving and _is_open(leg):
            leg.refuse(491, (None, CHANGES))


def _is_open(leg: Leg) -> bool:
    """Whether the party waits for an answer."""
    return leg.usage.server is not None or leg.update is not None


def cancel_invite(leg: Leg, reasons: tuple[tuple[str, str], ...]) -> None:
    """CANCEL of this party's INVITE. Of one that waits the far party has never heard."""
    call = leg.call
    if call.waiting is not None and call.waiting[0] is leg:
        call.waiting = None
        leg.refuse(487, GAVE_UP)
    elif call.exchange is not None:
        call.exchange.cancelled(reasons)
