"""A session refresh that Communication Manager owes the party of one leg (RFC 4028 §7.4, §10).

An UPDATE without a description where the phone takes UPDATE; else a re-INVITE with the description that it has from us,
byte for byte, o= version and direction included: nothing changes, on hold neither. While it is under way no re-INVITE
passes, nor an UPDATE with an offer: one that comes waits for its end, and one that crosses our re-INVITE on the same leg gets
491. The RFCs want that for an offer in the same dialog only (RFC 3261 §14.2, RFC 3311 §5.2), and many phones never come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.glare import wait_after_491
from b2bua.feature_server.exchange import IdleExchange, release_waiting
from b2bua.feature_server.leg_messages import add_own_headers
from b2bua.feature_server.reliable_progress import take
from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Response
from b2bua.sip.retry_after import retry_after
from b2bua.transaction.client import ClientTransaction, ClientUser

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

REFRESHES: Final = "session timer: half of {} s is over, the session is refreshed (RFC 4028 §7.2)"
LATER: Final = 10.0
"""Seconds until the one further try after another refusal that names no time."""


class Refresh(IdleExchange):
    """One refresh; an `Exchange` of its call, and the user of its UPDATE."""

    def __init__(self, call: Call, leg: Leg, method: str) -> None:
        self._call = call
        self._leg = leg
        self._method = method
        self._expired = False

    @classmethod
    def begin(cls, leg: Leg, method: str = "") -> bool:
        """Send a refresh to the party; False while something else is under way in the call. `method`: UPDATE where the phone
        takes it, unless it is named."""
        call = leg.call
        if call.exchange is not None or any(each.usage.busy or each.update is not None for each in (leg, leg.other)):
            return False
        if not leg.session.updates and not leg.descriptions.ours:
            leg.session.renew()  # a session that nobody ever described: nothing to repeat
            return True
        refresh = cls(call, leg, method or ("UPDATE" if leg.session.updates else "INVITE"))
        call.exchange = refresh
        _send(leg, refresh._method, refresh)
        return True

    # -- re-INVITEs of the parties meanwhile -------------------------------------------------------------------

    def takes(self, leg: Leg) -> bool:
        """Of whoever is asked nothing, or asked by UPDATE."""
        return leg is not self._leg or self._method == "UPDATE"

    # -- answers -----------------------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        take(leg, response, offers=False)

    def accepted(self, leg: Leg, response: Response) -> None:
        """2xx to the re-INVITE; the leg has restarted its timer."""
        leg.refreshed(response)
        self._finish("ok")

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        self._refused(status, response)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """From the UPDATE's transaction."""
        if response.status < 200 or self._call.exchange is not self:
            return
        if response.status >= 300:
            self._refused(response.status, response)
            return
        self._leg.session.accepted(response)
        self._leg.refreshed(response)
        self._finish("ok")

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        if self._call.exchange is self:
            self._refused(status, None)

    def abandoned(self) -> None:
        """The call ends meanwhile: the legs answer what is open."""
        self._count("timeout" if self._expired else "ended")

    def expired(self, leg: Leg) -> None:
        """The session of this leg is over before an answer came: the call ends next."""
        self._expired = leg is self._leg

    # -- inside ------------------------------------------------------------------------------------------------

    def _refused(self, status: int, response: Response | None) -> None:
        result = {408: "timeout", 481: "timeout", 491: "glare"}.get(status, "refused")
        leg = self._leg
        self._call.exchange = None
        self._count(result)
        leg.session.refused(self._method, status, response, self._wait(status, response))
        release_waiting(self._call)

    def _wait(self, status: int, response: Response | None) -> float:
        """Seconds until another try."""
        call = self._call
        if status == 491:
            call.environment.observer.glare("retried")
            return wait_after_491(self._leg.invited, call.environment.uniform)
        asked = retry_after(response) if response is not None else None
        return float(asked) if asked is not None else LATER

    def _finish(self, result: str) -> None:
        self._call.exchange = None
        self._count(result)
        release_waiting(self._call)

    def _count(self, result: str) -> None:
        self._call.environment.observer.reinvite_finished("refresh", result)


def agree_as_before(leg: Leg, offer: bytes) -> None:
    """A 2xx of the party to our re-INVITE has come to nothing: what stood before stands again (RFC 3725 §7). Its `offer` there is
    answered so in our ACK; where it is b"", as it has answered ours, that is said in another re-INVITE."""
    descriptions, call = leg.descriptions, leg.call
    if not offer:
        if leg.usage.owes_ack:
            leg.usage.acknowledge()
        descriptions.renew()
        Refresh.begin(leg, "INVITE")
        return
    try:
        answer = descriptions.render(sdp.legal_answer(offer, descriptions.ours))
    except MalformedValue:
        answer = descriptions.ours
    descriptions.completed(offer, answer)
    leg.usage.acknowledge(answer, sdp.CONTENT_TYPE)
    if call.keeper is not None and call.kept:
        call.keeper.keep(call)  # which o= version it has from us, and on what offer of its own


def _send(leg: Leg, method: str, user: ClientUser) -> None:
    """Tell the party that the session goes on (RFC 4028 §7.4): UPDATE without a description, or INVITE with the one
    that it has from us; `user` hears of the UPDATE."""
    if method == "INVITE":
        leg.reinvite(leg.descriptions.ours, (None, REFRESHES, leg.session.interval))
        return
    request = leg.dialog.make_request(method)
    request.append("Max-Forwards", MAX_FORWARDS)
    add_own_headers(leg, request)
    leg.session.ask(request)
    request.call = leg.call.id
    request.why = (None, REFRESHES, leg.session.interval)
    request.append("Content-Length", "0")
    leg.send(request, user)
