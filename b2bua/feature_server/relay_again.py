"""A call whose relay has forgotten it, as it does when it is started anew: both parties are told where their media go now.

    forgotten ── offer and answer to the relay ──► the callee is asked ── 2xx ──► the caller is asked ── 2xx ──► heard again

What stands is offered once more, with the relay's new addresses. Where a party holds, or is media of ours, nothing is done:
the resume passes the relay, and sets it right. So does any other offer that comes between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.music_offer import MusicOffer
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.sip.message import Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

Done = Callable[[bytes | None], None]
Ask = Callable[[Leg, bytes, Done], None]
"""Gives the relay a party's description; what it makes of that is for the other one."""


def can_be_asked(call: Call) -> bool:
    """Whether both parties are phones that talk, and nothing is under way between them."""
    if not call.stands() or call.exchange is not None:
        return False
    return all(_talks(leg) for leg in (call.caller, call.callee))


def _talks(leg: Leg) -> bool:
    here = leg.answered and not leg.ended and not leg.aside and not leg.source and leg.stand_in is None
    return here and not leg.holding and not leg.usage.busy and leg.update is None and bool(leg.descriptions.theirs)


class RelayAgain:
    """Of one call; does nothing more once it has ended, or somebody has made another offer."""

    def __init__(self, call: Call, offer: Ask, answer: Ask) -> None:
        self._call = call
        self._offer = offer
        self._answer = answer

    def start(self) -> None:
        """Tell the relay what the parties have agreed to, then the callee."""
        call = self._call
        call.environment.log("rtpengine_forgot", call=call.id)
        self._offer(call.caller, call.caller.descriptions.theirs, partial(self._ask, call.callee, self._callee_agreed))

    def _ask(self, leg: Leg, agreed: Callable[[Leg, Response], None], body: bytes | None) -> None:
        if body is not None and can_be_asked(self._call):
            MusicOffer(leg, partial(leg.descriptions.render, body), partial(agreed, leg), _as_it_was).start()

    def _callee_agreed(self, leg: Leg, response: Response) -> None:
        self._agreed(leg, response)
        caller = self._call.caller
        self._answer(leg, leg.descriptions.theirs, partial(self._ask, caller, self._agreed))

    def _agreed(self, leg: Leg, response: Response) -> None:
        call = self._call
        leg.usage.acknowledge()
        exchange = call.exchange
        if isinstance(exchange, OwnOffer):
            if is_sdp(response):
                leg.descriptions.completed(response.body, exchange.body)
            exchange.done()
        if call.keeper is not None and call.kept:
            call.keeper.keep(call)


def _as_it_was(status: int, response: Response | None) -> None:
    """A party that wants no other addresses hears nothing until its next offer."""
