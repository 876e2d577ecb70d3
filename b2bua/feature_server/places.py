"""How a call comes to have another leg: two legs of two calls change places, and the call that is left over ends.

Each call has two legs at all times. So whatever goes wrong before, both calls are what they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from b2bua.feature_server.call_state import CALLER, ENDED
from b2bua.feature_server.exchange import IdleExchange

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


ELSEWHERE: Final = ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')
"""Why a leg ends whose call goes on without it (RFC 3326)."""


class Handover(Protocol):
    """What is about to give a call another leg; known to both calls that it concerns, one at a time for each."""

    def may_leave(self, leg: Leg) -> bool:
        """The party of this leg has hung up: whether the call is to wait for what becomes of this, in place of ending."""

    def call_ended(self, call: Call) -> None:
        """One of its calls is over."""


def hand_over(leaving: Leg, coming: Leg, offerer: Leg, acknowledge: Callable[[], None] | None = None) -> None:
    """`coming` takes the place of `leaving`, whose party hears BYE if it has not said it itself.

    The exchanges with both who go on are complete, on the offer of the party of `offerer`. `acknowledge` sends what they wait
    for, once there is a record of the call as it is then."""
    call, rest = leaving.call, coming.call
    call.exchange = rest.exchange = None
    call.handover = rest.handover = None
    call.all_calls.details.handed_over(call, rest, leaving.party, coming.party)
    change_places(leaving, coming)
    call.ended_by = ""
    keeper, was_kept = call.keeper, rest.kept
    if was_kept:
        call.absorbed = rest.id
    call.joined(rest, offerer)

    def then(_kept: bool) -> None:
        if acknowledge is not None and call.state != ENDED:
            acknowledge()
        _end(rest)

    if keeper is None or acknowledge is None:
        then(True)
        return
    keeper.keep(call, then)
    if was_kept:
        keeper.drop(rest)


def _end(rest: Call) -> None:
    """With BYE to whoever is left; behind the last NOTIFY of a REFER, or its phone would not know what became of that."""

    def end() -> None:
        rest.finish("answered", ELSEWHERE)

    for leg in (rest.caller, rest.callee):
        if leg.referral is not None and not leg.ended:
            rest.exchange = rest.handover = _Leaving()
            leg.referral.heard = end
            return
    end()


class _Leaving(IdleExchange):
    """What is under way in a call that is about to end: nothing else may begin there."""

    def may_leave(self, leg: Leg) -> bool:
        return False

    def call_ended(self, call: Call) -> None:
        return


def change_places(one: Leg, other: Leg) -> None:
    """Each is in the other's call from here on, in the other's role."""
    here, there = one.call, other.call
    for leg, call, role in ((other, here, one.role), (one, there, other.role)):
        leg.call = call
        if role == CALLER:
            call.caller = leg
        else:
            call.callee = leg
    one.role, other.role = other.role, one.role
    for call in (here, there):
        call.caller.other, call.callee.other = call.callee, call.caller
