"""Hold and resume for a party whose own phone has not asked: Communication Manager tells both phones (RFC 3725 §7).

    hold:    the far phone hears `sendonly`, as of any hold; then the party's own `inactive`, or it would go on to send
    resume:  the party's phone first, which may listen elsewhere by now; what it answers is what the far phone is offered

The lamp shows it before anybody hears of it, and is taken back when the first phone refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.feature_server.leg import is_sdp
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.streams import offer_towards
from b2bua.sip import sdp
from b2bua.sip.message import Response

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class HoldForParty:
    """One of them: the party of `leg` holds the other one, or no more. `ended` hears a final status, once."""

    def __init__(self, leg: Leg, holds: bool, ended: Callable[[int, str], None]) -> None:
        self._leg = leg
        self._holds = holds
        self._ended = ended
        self._first, self._second = (leg.other, leg) if holds else (leg, leg.other)
        self._asked: OwnOffer | None = None

    def start(self) -> None:
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
            description = sdp.with_direction(offer_towards(second, response.body), "sendrecv")
        self._ask(second, description, self._second_agreed, self._second_refused)

    def _first_refused(self, status: int, response: Response | None) -> None:
        """Nobody has heard of it."""
        self._show(not self._holds)
        self._ended(status, response.reason if response is not None else "")

    def _second_agreed(self, response: Response) -> None:
        self._complete(self._second, response)
        self._ended(200, "")

    def _second_refused(self, status: int, response: Response | None) -> None:
        """The first one has agreed, and that is what counts: it is held, or hears the other one again when that one wants."""
        self._ended(status, response.reason if response is not None else "")

    def _show(self, holding: bool) -> None:
        self._leg.holding = holding
        self._leg.call.changed()
