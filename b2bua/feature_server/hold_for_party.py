"""Hold and resume for a party whose own phone has not asked: Communication Manager tells both phones (RFC 3725 §7).

    hold:    the far phone hears `sendonly`, as of any hold; then the party's own `inactive`, or it would go on to send
    resume:  the party's phone first, which may listen elsewhere by now; what it answers is what the far phone is offered

The lamp shows it before anybody hears of it, and is taken back when the far phone does not agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.own_offer import LOST, OwnOffer
from b2bua.feature_server.streams import offer_towards
from b2bua.sip import sdp
from b2bua.sip.message import Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


class HoldForParty:
    """One of them: the party of `leg` holds the other one, or no more. `ended` hears a final status, once. As long as it is
    under way it is the call's `Handover`, beside which there is no other."""

    def __init__(self, leg: Leg, holds: bool, ended: Callable[[int, str], None]) -> None:
        self._leg = leg
        self._holds = holds
        self._ended = ended
        self._first, self._second = (leg.other, leg) if holds else (leg, leg.other)
        self._asked: OwnOffer | None = None

    def start(self) -> None:
        self._leg.call.handover = self
        self._show(self._holds)
        first = self._first
        held_by_far = self._leg.other.holding
        if self._holds:
            direction = "inactive" if held_by_far else "sendonly"
        else:
            direction = "sendonly" if held_by_far else "sendrecv"
        self._ask(first, sdp.with_direction(first.descriptions.ours, direction), self._first_agreed, self._first_refused)

    def _ask(
        self, leg: Leg, description: bytes, agreed: Callable[[Response], None], refused: Callable[[int, Response | None], None]
    ) -> None:  # fmt: skip
        self._asked = OwnOffer(leg, agreed, refused)
        self._asked.start(leg.descriptions.render(description))

    def _complete(self, leg: Leg, response: Response) -> None:
        """This phone has agreed: recorded, then acknowledged."""
        assert self._asked is not None
        if is_sdp(response):
            leg.descriptions.completed(response.body, self._asked.body)
        self._asked.done()
        call = leg.call
        if call.kept and call.keeper is not None:
            call.keeper.keep(call)
        if leg.usage.owes_ack:
            leg.usage.acknowledge()

    def _first_agreed(self, response: Response) -> None:
        second = self._second
        self._complete(self._first, response)
        if self._holds or not is_sdp(response):
            description = sdp.with_direction(second.descriptions.ours, "inactive" if self._holds else "sendrecv")
        else:
            description = offer_towards(second, sdp.with_direction(response.body, "sendrecv"))
        self._ask(second, description, self._second_agreed, self._second_refused)

    def _first_refused(self, status: int, response: Response | None) -> None:
        """Nobody has heard of it."""
        self._show(not self._holds)
        self._end(status, response)

    def _second_agreed(self, response: Response) -> None:
        self._complete(self._second, response)
        self._end(200, None)

    def _second_refused(self, status: int, response: Response | None) -> None:
        """A hold stands: the far phone has agreed. A resume does not, and the party's own phone is told that it still holds."""
        self._end(status, response)
        if not self._holds:
            self._show(True)
            if status not in LOST:
                first = self._first
                description = sdp.with_direction(first.descriptions.ours, "inactive")
                self._ask(first, description, partial(self._complete, first), lambda status, response: None)

    def _end(self, status: int, response: Response | None) -> None:
        call = self._leg.call
        if call.handover is self:
            call.handover = None
            self._ended(status, response.reason if response is not None else "")

    def may_leave(self, leg: Leg) -> bool:
        return False

    def call_ended(self, call: Call) -> None:
        """Somebody has hung up meanwhile."""
        self._ended(487, "")

    def _show(self, holding: bool) -> None:
        self._leg.holding = holding
        self._leg.call.changed()
