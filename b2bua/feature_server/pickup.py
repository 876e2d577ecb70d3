"""A call that rings, taken by somebody else (RFC 3891 §3, RFC 5359 §2.16): the newcomer answers in the callee's place.

    newcomer's INVITE with an offer ── 200, nothing flows yet ── ACK ──► asked to answer the caller's offer ── 2xx ──► taken
    newcomer's INVITE without one ──── 200 with the caller's offer ──────────────────────────────── ACK, answer ──► taken

Both have made an offer, and neither's answers the other's; so the newcomer's is answered first, with a session in which
nothing flows. Until it has taken the call the callee rings on; whoever answers first has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.exchange import IdleExchange
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.places import ELSEWHERE, change_places
from b2bua.feature_server.setup import Setup
from b2bua.feature_server.streams import offer_towards
from b2bua.sip import sdp
from b2bua.sip.address import parse_address
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

_NO_PORT: Final = 9
"""The discard port: where nobody listens and nothing is to be sent."""


class Pickup(IdleExchange):
    """The caller of `call` takes the call that rings at `ringing`. The exchange of the new call."""

    def __init__(self, call: Call, ringing: Leg) -> None:
        self._call = call
        self._comes = call.caller
        self._ringing = ringing
        self._taken = ringing.call
        self._offer = OwnOffer(self._comes, self._agreed, self._refused)
        self._theirs = b""
        """The newcomer's offer."""
        self._said = b""
        """What it got of us in the 200."""
        self._over = False

    def start(self, invite: Request) -> None:
        """Answer the newcomer. SipError 481 where the call rings no more, 488 where it has no stream that could be spoken on or
        the caller's offer is not known yet."""
        setup, comes = self._setup(), self._comes
        if setup is None:
            self._offer.done()
            raise SipError(481).because("B2BUA: the call that is to be picked up rings no more")
        if invite.body and is_sdp(invite):
            self._theirs = invite.body
            host = parse_address(comes.dialog.contact).parsed_uri().bare_host
            session = OfferAnswer(comes.descriptions.session_id, (host, _NO_PORT), ("0", "8"))
            said = sdp.with_direction(session.answer(invite.body), "inactive")
        elif setup.offer():
            said = setup.offer()
        else:
            self._offer.done()
            raise SipError(488).because(
                "B2BUA: the call that is to be picked up has no description to answer with"
            )
        self._call.exchange = self
        self._call.handover = self
        self._said = comes.descriptions.render(said)
        comes.respond(200, _described(said), self._said)
        comes.answered = True
        self._call.enter(CONFIRMED)

    def _setup(self) -> Setup | None:
        """The set-up of the call that rings; None once it does not."""
        exchange = self._taken.exchange
        rings = isinstance(exchange, Setup) and not self._ringing.answered and not self._ringing.ended
        return exchange if rings and isinstance(exchange, Setup) else None

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        """The newcomer stands: now it is asked to talk to the caller, or has said already that it does."""
        if leg is not self._comes or self._over:
            return
        setup = self._setup()
        if setup is None:
            self._lost()
        elif self._theirs:
            leg.descriptions.completed(self._theirs, self._said)
            self._call.exchange = None
            offer = setup.offer()
            self._offer.start(offer_towards(leg, offer) if offer else b"")
        elif is_sdp(ack):
            leg.descriptions.completed(ack.body, self._said)
            self._take(setup, _described(ack.body), self._said)
        else:
            self._lost()

    def _agreed(self, response: Response) -> None:
        setup = self._setup()
        if setup is None or not is_sdp(response):
            self._comes.usage.acknowledge()
            self._lost()
        else:
            self._take(setup, response, self._offer.body)

    def _take(self, setup: Setup, response: Response, offered: bytes) -> None:
        """The newcomer is the callee from here on; the one that rang hears CANCEL."""
        call, taken, comes, ringing = self._call, self._taken, self._comes, self._ringing
        self._over = True
        self._offer.done()
        call.exchange = call.handover = None
        change_places(ringing, comes)
        comes.first_offer = offered
        taken.environment.leg_joined(taken.id, comes.dialog.call_id)
        taken.environment.leg_joined(taken.id, call.id)
        setup.taken(ringing, comes, response)
        if call.detail is not None:
            call.detail.continued_in = taken.id
        call.finish("answered", ELSEWHERE)

    def _refused(self, status: int, response: Response | None) -> None:
        self._lost(status)

    def _lost(self, status: int = 487) -> None:
        """The call is somebody else's, or nobody's any more."""
        self._over = True
        self._offer.done()
        self._call.handover = None
        self._call.finish("failed", ("Reason", f"SIP;cause={status}"))

    # -- an exchange of the new call ---------------------------------------------------------------------------

    def may_leave(self, leg: Leg) -> bool:
        return False

    def call_ended(self, call: Call) -> None:
        """The newcomer has hung up: the call rings on where it rang."""
        self._over = True
        self._offer.give_up()


def _described(body: bytes) -> Response:
    """A response to an INVITE that carries this description and nothing else."""
    response = Response(200, "OK", [], [])
    response.append("CSeq", "1 INVITE")
    response.append("Content-Type", sdp.CONTENT_TYPE)
    response.body = body
    return response
