"""A re-INVITE of Communication Manager's own to one party of a standing call, for a call that is joined of others' legs.

    waiting ── nothing else under way ──► asked ── 2xx ──► accepted ── the owner acknowledges
       ▲                                   │  └─── 491 ──► waiting again, in that leg's band (RFC 3261 §14.1)
       │                                   └────── 3xx–6xx ──► refused: the session is what it was
    give_up: the party hears what stood before, if it has heard anything else

What RFC 3725 §4 calls the controller. While it is asked, and until its 2xx is acknowledged, no other re-INVITE passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from b2bua.dialog.glare import wait_after_491
from b2bua.feature_server.call_state import ENDED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.exchange import IdleExchange
from b2bua.feature_server.refresh import agree_as_before
from b2bua.feature_server.reliable_progress import ReliableAnswer
from b2bua.sip.errors import SipError
from b2bua.sip.message import Response
from b2bua.transaction.timers import Timer

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

LOOK_AGAIN: Final = 0.1
"""Seconds after which a call is looked at again that has something else under way: mostly a hold that has no ACK yet."""
PATIENCE: Final = 100
"""How often; ten seconds."""
TRIES: Final = 3
"""Re-INVITEs in a row that may be answered 491."""
LOST: Final = frozenset((408, 481))
"""Answers by which the dialog is over, and so its call (RFC 3261 §14.1)."""


class OwnOffer(IdleExchange):
    """One of them; the `Exchange` of its call from when it leaves. `accepted` and `refused` are called once, either of them,
    and not after `give_up` or when the call has ended."""

    def __init__(
        self, leg: Leg, accepted: Callable[[Response], None], refused: Callable[[int, Response | None], None]
    ) -> None:
        self.leg = leg
        self.body = b""
        """Our offer as it was sent; b"" where the party was asked for one."""
        self._answer = ReliableAnswer()
        self._accepted = accepted
        self._refused = refused
        self._timer: Timer | None = None
        self._looked = 0
        self._tried = 0
        self._unwanted = False
        self.response: Response | None = None
        """The party's 2xx, while it is not acknowledged."""
        self._over = False

    def start(self, body: bytes = b"") -> None:
        """Offer the party this description, as it is to be sent; without one ask it for its own."""
        self.body = body
        self._try()

    def _try(self) -> None:
        self._timer = None
        leg = self.leg
        call = leg.call
        if self._over or call.state == ENDED:
            return
        if call.exchange is not None or any(_busy(each) for each in (leg, leg.other)):
            self._looked += 1
            if self._looked > PATIENCE:
                self._end_refused(491, None)
            else:
                self._timer = leg.environment.layer.timers.start(LOOK_AGAIN, self._try)
            return
        try:
            self.body = self.describe()
        except SipError as error:
            self._end_refused(error.status, None)
            return
        call.exchange = self
        self._answer = ReliableAnswer()
        self._tried += 1
        leg.reinvite(self.body)

    def describe(self) -> bytes:
        """What is offered, asked for when it leaves: the session may have changed while we waited. SipError: nothing is."""
        return self.body

    # -- what the owner does -----------------------------------------------------------------------------------

    def done(self) -> None:
        """The exchange is complete; the owner sends the ACK."""
        self._end()
        if self.leg.call.exchange is self:
            self.leg.call.exchange = None

    def give_up(self) -> None:
        """Nobody wants it any more: the party goes on with what it had."""
        if self._over:
            return
        self._unwanted = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.response is not None:
            self._restore(self.response)
        elif self.leg.call.exchange is self:
            self.leg.usage.cancel()
        else:
            self._end()

    # -- an exchange of the call -------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        self._answer.take(leg, response, bool(self.body))

    def accepted(self, leg: Leg, response: Response) -> None:
        leg.dialog.refresh_target(response)
        response = self._answer.stands_in(response)
        if self._unwanted:
            self._restore(response)
            return
        self.response = response
        self._count("ok")
        self._accepted(response)

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        call = leg.call
        call.exchange = None
        if status == 491 and self._tried < TRIES and not self._unwanted:
            environment = leg.environment
            environment.observer.glare("retried")
            self._timer = environment.layer.timers.start(wait_after_491(leg.invited, environment.uniform), self._try)
            return
        self._count({408: "timeout", 481: "timeout", 487: "cancelled", 491: "glare"}.get(status, "refused"))
        self._end_refused(status, response)
        if status in LOST:
            call.finish("failed", ("Reason", f"SIP;cause={status}"))

    def abandoned(self) -> None:
        """The call ends: the legs answer what is open, and its owner hears of it from the call."""
        self._end()
        self._count("ended")

    # -- inside ------------------------------------------------------------------------------------------------

    def _end_refused(self, status: int, response: Response | None) -> None:
        refused = self._refused
        self._end()
        if not self._unwanted:
            refused(status, response)

    def _end(self) -> None:
        """Nothing more comes of it. The owner, who refers to it, is let go: no collector has to find the two."""
        self._over = True
        self._accepted = self._refused = _nobody

    def _restore(self, response: Response) -> None:
        """What stood before stands again."""
        self.done()
        self._count("cancelled")
        agree_as_before(self.leg, response.body if not self.body and is_sdp(response) else b"")

    def _count(self, result: str) -> None:
        self.leg.environment.observer.reinvite_finished("media", result)


def _nobody(_first: object, _second: object = None) -> None:
    """In the place of an owner that has been told, or wants to hear no more."""


def _busy(leg: Leg) -> bool:
    """Whether an INVITE or offer of the leg's is open."""
    return not leg.ended and (leg.usage.busy or leg.update is not None or leg.early is not None)
