"""A party sent on to somebody else (RFC 5589 §6): a new call to the target, whose offer the party is asked to answer.

    target called ── 2xx with its offer ──► party asked ── 2xx ──► joined: the transferor hears 200 and BYE
         │                                       └──── refused ──► target released
         └──── 3xx–6xx                the old call stands, unless the transferor has hung up by then

Until the party has agreed the old call is untouched: its parties may hold, resume, hang up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.on_behalf import address_in_domain, call_on_behalf
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.places import hand_over
from b2bua.feature_server.streams import answer_to, offer_towards
from b2bua.sip import sdp
from b2bua.sip.errors import SipError
from b2bua.sip.message import Message, Response
from b2bua.sip.uri import Uri

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

Report = Callable[[int, str], None]


class BlindTransfer:
    """One of them: the party of `leg` leaves, the other one stays. A `Handover` of the old call and of the new one."""

    def __init__(self, leg: Leg, uri: Uri, progressed: Report, ended: Report) -> None:
        """`progressed` and `ended` hear a status and its reason: how far the new call has come, and what became of it."""
        self._progressed, self._ended = progressed, ended
        self._leg = leg
        self._uri = uri
        self._stays = leg.other
        self._call: Call = leg.call
        self._second: Call | None = None
        self._offer = OwnOffer(self._stays, self._agreed, self._refused)
        self._theirs = b""
        """The target's offer."""
        self._left = False
        self._over = False

    def start(self) -> None:
        """Call the target."""
        leg = self._leg
        uri = address_in_domain(leg, self._uri)
        # RFC 3892 §2.1: who refers, for the target to see.
        told = [("Referred-By", f"<{leg.party}>")] if not leg.known_as and leg.stand_in is None else []
        try:
            second, invite = call_on_behalf(self._stays, uri, self, self._target_answered, *told)
        except SipError as error:
            self._offer.give_up()
            self._ended(error.status, error.reason)
            return
        self._second, self._call.handover = second, self
        second.start(invite)

    # -- the new call ------------------------------------------------------------------------------------------

    def _target_answered(self, status: int, source: Message | None, reason: str) -> None:
        """What the caller of the new call would hear."""
        second = self._second
        if second is None or self._over:
            return
        if not reason and isinstance(source, Response) and source.status == status:
            reason = source.reason
        if status < 200:
            self._progressed(status, reason)
        elif status >= 300:
            self._leg.environment.layer.timers.start(0, partial(second.finish, "rejected"))
            self._fail(status, reason)
        elif source is None or not is_sdp(source):
            self._fail(488)
        else:
            self._theirs = source.body
            self._offer.start(offer_towards(self._stays, source.body))

    # -- the party that stays ----------------------------------------------------------------------------------

    def _agreed(self, response: Response) -> None:
        assert self._second is not None
        stays, target = self._stays, self._second.callee
        if not is_sdp(response):
            self._fail(488)
            return
        answer = answer_to(target, self._theirs, response.body)
        stays.descriptions.completed(response.body, self._offer.body)
        target.descriptions.completed(self._theirs, answer)
        self._over = True
        self._offer.done()

        def acknowledge() -> None:
            for leg, body in ((stays, b""), (target, answer)):
                if leg.usage.owes_ack:
                    leg.usage.acknowledge(body, sdp.CONTENT_TYPE if body else "")

        self._ended(200, "")
        hand_over(self._leg, target, target, acknowledge)

    def _refused(self, status: int, response: Response | None) -> None:
        self._fail(status, response.reason if response is not None else "")

    # -- the end -----------------------------------------------------------------------------------------------

    def _fail(self, status: int, reason: str = "") -> None:
        """The old call stands; where its transferor has gone, there is nothing left of it."""
        self._over = True
        self._offer.give_up()
        call, second = self._call, self._second
        self._ended(status, reason)
        call.handover = None
        if second is not None and second.handover is self:
            second.handover = None
            if second.state == CONFIRMED:
                second.finish("failed", ("Reason", f"SIP;cause={status}"))
        if self._left:
            call.finish("answered", spare=self._leg)

    def may_leave(self, leg: Leg) -> bool:
        if leg is self._leg and not self._over:
            self._left = True
        return leg is self._leg and not self._over

    def call_ended(self, call: Call) -> None:
        """The party that was to stay has hung up, or the target right after its answer."""
        if self._over:
            return
        self._over = True
        second = self._second
        self._offer.give_up()
        self._ended(487, "")
        if second is not None and call is not second:
            second.handover = None
            second.finish("cancelled")
        elif call is second:
            self._call.handover = None
            if self._left:
                self._call.finish("answered", spare=self._leg)
