"""A new call that takes the place of one party of another call (RFC 3891): asked for by Replaces, or by a feature.

    Replacement   in a call that stands: the party that stays is asked to talk to the newcomer, whose INVITE waits for it
    Pickup        in a call that rings (pickup.py): the newcomer answers in the place of the callee

Whatever fails, the other call is what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.exchange import IdleExchange
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.pickup import Pickup
from b2bua.feature_server.places import hand_over
from b2bua.feature_server.refusals import CALL_OVER, GAVE_UP, NOBODY_ANSWERED
from b2bua.feature_server.streams import answer_to, offer_towards
from b2bua.sip import sdp
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call


def replace(call: Call, leg: Leg, invite: Request) -> None:
    """Let the caller of a new call take the place of the party of `leg`; SipError 491 while that is about to change anyway,
    488 where the newcomer's offer is none."""
    if not leg.answered:
        Pickup(call, leg).start(invite)
        return
    if leg.call.handover is not None or leg.call.state != CONFIRMED:
        raise SipError(491).because("glare: another party is about to come into the call that Replaces names")
    Replacement(call, leg).start(invite)


class Replacement(IdleExchange):
    """The caller of `call` takes the place of the party of `leaving`, in a call that stands. The exchange of the new call, and
    the `Handover` of both."""

    def __init__(self, call: Call, leaving: Leg) -> None:
        self._call = call
        self._comes = call.caller
        self._leaving = leaving
        self._stays = leaving.other
        self._offer = OwnOffer(self._stays, self._agreed, self._refused)
        self._invite: Request | None = None
        """The newcomer's, where it has an offer."""
        self._said = b""
        """The offer that the newcomer got of us, where its INVITE had none."""
        self._over = False

    def start(self, invite: Request) -> None:
        """Ask the party that stays."""
        self._call.exchange = self
        self._call.handover = self._leaving.call.handover = self
        if invite.body and is_sdp(invite):
            self._invite = invite
            self._offer.start(offer_towards(self._stays, invite.body))
        else:
            self._offer.start()

    # -- the party that stays ----------------------------------------------------------------------------------

    def _agreed(self, response: Response) -> None:
        comes, stays, invite = self._comes, self._stays, self._invite
        if not is_sdp(response):
            self._fail(488)
        elif invite is not None:
            answer = answer_to(comes, invite.body, response.body)
            comes.descriptions.completed(invite.body, answer)
            stays.descriptions.completed(response.body, self._offer.body)
            self._join(comes, b"", response, answer)
        else:
            self._said = comes.descriptions.render(response.body)
            comes.respond(200, response, self._said)
            comes.answered = True

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        """The newcomer's answer to what the party that stays has offered."""
        offer = self._offer.response
        if self._over or leg is not self._comes or offer is None:
            return
        if not is_sdp(ack):
            self._fail(488)
            self._call.finish("failed", ("Reason", "SIP;cause=488"))
            return
        answer = answer_to(self._stays, offer.body, ack.body)
        leg.descriptions.completed(ack.body, self._said)
        self._stays.descriptions.completed(offer.body, answer)
        self._join(self._stays, answer, None, b"")

    def _join(self, offerer: Leg, ack: bytes, response: Response | None, answer: bytes) -> None:
        """`ack` goes to the party that stays, `response` with `answer` to the newcomer."""
        comes, stays = self._comes, self._stays
        self._over = True
        self._offer.done()

        def acknowledge() -> None:
            if stays.usage.owes_ack:
                stays.usage.acknowledge(ack, sdp.CONTENT_TYPE if ack else "")
            if response is not None:
                comes.answered = True
                comes.respond(200, response, answer)

        self._call.all_calls.exchange_identities(self._call, self._leaving.call)
        hand_over(self._leaving, comes, offerer, acknowledge)

    def _refused(self, status: int, response: Response | None) -> None:
        self._fail(status, response)

    def _fail(self, status: int, response: Response | None = None) -> None:
        """The newcomer hears why; the other call stands."""
        self._over = True
        self._offer.give_up()
        self._leaving.call.handover = self._call.handover = None
        self._call.exchange = None
        if not self._comes.answered:
            if response is None:
                self._comes.refuse(status, GAVE_UP if status == 487 else (None, NOBODY_ANSWERED, status))
            else:
                self._comes.respond(status, response)
            self._call.finish("rejected")

    # -- an exchange of the new call, and what may end either --------------------------------------------------

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        """The newcomer has changed its mind."""
        self._fail(487)

    def may_leave(self, leg: Leg) -> bool:
        """Whoever is replaced may be gone before: the call waits for the newcomer."""
        return leg is self._leaving and not self._over

    def call_ended(self, call: Call) -> None:
        if not self._over:
            self._over = True
            self._offer.give_up()
            self._leaving.call.handover = None
            if call is not self._call:
                self._call.handover = None
                self._comes.refuse(487, CALL_OVER)
                self._call.finish("cancelled")
            elif self._leaving.ended:
                self._leaving.call.finish("answered", spare=self._leaving)
