"""Two calls of one party made one call of the two others (RFC 5589 §7; RFC 3725 §4.1, flow I, between dialogs that stand).

    one asked for an offer ── 2xx ──► the other asked to answer it ── 2xx ──► joined: both legs between end with BYE
              └── refused                     └── refused: the first hears what stood before

Whatever fails, both old calls stand. A transferor that hangs up meanwhile does not stop it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.places import hand_over
from b2bua.feature_server.streams import answer_to, offer_towards
from b2bua.sip import sdp
from b2bua.sip.message import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from b2bua.feature_server.call import Call


class JoinedCalls:
    """The parties across from `one` and `other`, legs of two standing calls, are to talk to each other; a `Handover` of both.

    The call of `one` goes on with both parties. `ended` hears the status: 200, or why nothing has changed.
    """

    def __init__(self, one: Leg, other: Leg, ended: Callable[[int, str], None], left: Iterable[Leg] = ()) -> None:
        """`left`: those of both whose party has gone already, or that nobody is behind."""
        self._leaving = one, other
        self._stays, self._comes = one.other, other.other
        self._calls: tuple[Call, Call] = one.call, other.call
        self._ended = ended
        self._asked = OwnOffer(self._stays, self._offered, self._refused)
        self._answering = OwnOffer(self._comes, self._agreed, self._refused)
        self._theirs = b""
        self._left: list[Leg] = list(left)
        self._over = False

    def start(self) -> None:
        for call in self._calls:
            call.handover = self
        self._asked.start()

    def _offered(self, response: Response) -> None:
        """The party that stays has said what it can."""
        if not is_sdp(response):
            self._fail(488)
            return
        self._theirs = response.body
        self._answering.start(offer_towards(self._comes, response.body))

    def _agreed(self, response: Response) -> None:
        """The one that comes has answered it."""
        stays, comes = self._stays, self._comes
        if not is_sdp(response):
            self._fail(488)
            return
        answer = answer_to(stays, self._theirs, response.body)
        stays.descriptions.completed(self._theirs, answer)
        comes.descriptions.completed(response.body, self._answering.body)
        self._over = True
        self._asked.done()
        self._answering.done()

        def acknowledge() -> None:
            for leg, body in ((comes, b""), (stays, answer)):
                if leg.usage.owes_ack:
                    leg.usage.acknowledge(body, sdp.CONTENT_TYPE if body else "")

        self._ended(200, "")
        hand_over(self._leaving[0], comes, stays, acknowledge)

    def _refused(self, status: int, response: Response | None) -> None:
        self._fail(status, response.reason if response is not None else "")

    def _fail(self, status: int, reason: str = "") -> None:
        """Both calls go on as they were; one whose transferor has gone ends."""
        self._over = True
        self._asked.give_up()
        self._answering.give_up()
        self._ended(status, reason)
        for call in self._calls:
            if call.handover is self:
                call.handover = None
        for leg in self._left:
            leg.call.finish("answered", spare=leg if leg.ended else None)

    def may_leave(self, leg: Leg) -> bool:
        if leg not in self._leaving or self._over:
            return False
        self._left.append(leg)
        return True

    def call_ended(self, call: Call) -> None:
        """One of those who were to talk has hung up."""
        if not self._over:
            self._fail(487)
