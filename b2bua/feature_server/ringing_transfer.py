"""A transfer to somebody whose phone rings still (RFC 5589 §7, the second call not answered yet): the two are joined once it is.

A Replaces at the target could not name a dialog that rings there (RFC 3891 §3); we hold both calls, and need none.

    second call rings ── 2xx ──► JoinedCalls, with or without the transferor
         │     └── its caller gives up (CANCEL) ──► 487; it rings on for the party that stays
         └──────── 3xx–6xx, no answer               the old call stands, unless the transferor has hung up by then
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.feature_server.aside import caller_leaves
from b2bua.feature_server.attended_transfer import JoinedCalls
from b2bua.feature_server.call_state import CALLER, EARLY
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.on_behalf import stand_in_leg
from b2bua.feature_server.setup import Setup
from b2bua.sip.errors import SipError
from b2bua.sip.message import Message

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

Report = Callable[[int, str], None]


class RingingTransfer:
    """The party across from `leg`, in a call that stands, is to talk to whoever answers the call of `ringing`. A `Handover` of
    both calls, and the onlooker of the second one's set-up."""

    def __init__(self, leg: Leg, ringing: Leg, progressed: Report, ended: Report) -> None:
        """`progressed` and `ended` hear a status and its reason, as of a `BlindTransfer`."""
        self._leg = leg
        self._ringing = ringing
        self._call: Call = leg.call
        self._second: Call = ringing.call
        self._progressed, self._ended = progressed, ended
        self._left: list[Leg] = []
        self._over = False

    def start(self) -> None:
        """Wait. 481 where nothing rings, or its caller is the one who rings."""
        setup = self._second.exchange
        if not isinstance(setup, Setup) or self._ringing is not self._second.caller:
            self._ended(481, "")
            return
        setup.onlooker = self
        self._call.handover = self._second.handover = self
        self._progressed(180 if self._second.state == EARLY else 100, "")

    # -- the second call's set-up ------------------------------------------------------------------------------

    def given_up(self, setup: Setup) -> bool:
        """Its caller has cancelled: whether it rings on all the same. Not where the caller has early dialogs of its own (RFC
        3262), or is to answer an offer: what the target says would have nowhere to go."""
        if self._over or not setup.offered or self._ringing.early is not None:
            return False
        try:
            stand_in = stand_in_leg(self._second, CALLER, self._leg.other, _unheard)
            caller_leaves(self._second, stand_in)
        except SipError:
            return False
        self._ringing = stand_in
        self._left.append(stand_in)
        return True

    def answered(self) -> None:
        """The target has: now it is a transfer of two calls. It is asked for another session once the first one stands."""
        if self._over:
            return
        self._over = True
        self._second.callee.acknowledge_unkept()
        JoinedCalls(self._leg, self._ringing, self._ended, self._left).start()

    def refused(self, status: int) -> None:
        """Nobody takes the second call."""
        self._fail(status)

    # -- both calls --------------------------------------------------------------------------------------------

    def may_leave(self, leg: Leg) -> bool:
        """The transferor has done its part."""
        if leg is not self._leg or self._over:
            return False
        self._left.append(leg)
        return True

    def call_ended(self, call: Call) -> None:
        """One of those who were to talk has hung up."""
        self._fail(487)

    def _fail(self, status: int) -> None:
        """Each call is what it was; one whose transferor has gone ends."""
        if self._over:
            return
        self._over = True
        self._ended(status, "")
        for call in (self._call, self._second):
            if call.handover is self:
                call.handover = None
        for leg in self._left:
            leg.call.finish("cancelled" if leg is self._ringing else "answered", spare=leg if leg.ended else None)


def _unheard(status: int, source: Message | None, reason: str) -> None:
    """What the caller would hear who has given up."""
