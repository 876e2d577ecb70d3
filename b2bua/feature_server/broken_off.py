"""What a restart broke off, as the parties go on with it: an INVITE that comes again, a 2xx that nobody has acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog, contact_uri
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.refresh import Refresh
from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg

AT_LEAST: Final = 2.0
"""Seconds for which an answer is repeated, however long ago it was given: three times (T1, 2·T1)."""


def repeats(leg: Leg, invite: Request) -> bool:
    """Whether this INVITE is the one that was answered last before the restart, its ACK not having come."""
    usage = leg.usage
    return leg.restored and not leg.ended and invite.cseq == usage.answered_cseq and usage.server is None


def answer_again(leg: Leg, transaction: ServerTransaction, invite: Request) -> None:
    """The answer that was committed, once more (RFC 3261 §13.3.1.4). That to the call's INVITE is repeated for 64·T1 in all: a
    server that dies again and again must not keep the callee in a call that the caller has given up."""
    transaction.attached = leg
    if not invite.to.tag:
        answered_for = leg.environment.layer.timers.now() - leg.call.since
        leg.usage.patience = max(TIMEOUT - answered_for, AT_LEAST)
    leg.usage.invite_received(transaction, 0)
    source = Response(200, "OK", [], [])
    if leg.descriptions.ours:
        source.append("Content-Type", sdp.CONTENT_TYPE)
        source.body = leg.descriptions.ours
    leg.respond(200, source, leg.descriptions.ours)


def take_stray(leg: Leg, response: Response) -> None:
    """A 2xx to an INVITE of ours from before the restart: acknowledged, or its sender ends the call after 64·T1. Where its
    exchange never was completed, the party hears what is agreed, unless an exchange is under way that tells it anyway."""
    leg.usage.acknowledge_stray(response)
    if response.cseq > leg.usage.invited_cseq and leg.call.state == CONFIRMED and not leg.ended:
        Refresh.begin(leg, "INVITE")


class Strays:
    """Those who answer an INVITE of before the restart of whose call nothing is known, as it was in set-up: they are hung up on.

    The BYE goes first, and the ACK when it is answered. As long as there is no ACK the phone repeats its 2xx, so that the next
    process hears of it where this one dies meanwhile, and in the end it says BYE itself (RFC 3261 §13.3.1.4). That a BYE may
    come before the ACK any phone must know: an ACK may be lost (RFC 5407 §3.1.6)."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._until = 0.0
        """On the clock of the timers."""
        self._known: dict[tuple[str, str], HangUp] = {}
        """By Call-ID and their tag."""

    def expect(self) -> None:
        """From now on, for as long as who was called by an earlier process may answer."""
        timers = self._environment.layer.timers
        self._until = timers.now() + TIMEOUT
        timers.start(2 * TIMEOUT, self._known.clear)  # whoever was asked by then has answered, or has given up

    def takes(self, response: Response) -> bool:
        """Whether a 2xx that is no leg's is seen to."""
        if self._environment.layer.timers.now() >= self._until:
            return False
        key = response.call_id, response.to.tag
        known = self._known.get(key)
        if known is not None:
            known.answered_again()
            return True
        try:
            self._known[key] = made = HangUp(self._environment, response)
        except MalformedValue:  # nobody can be reached by it
            return False
        made.say_bye()
        return True


class HangUp:
    """The end of one dialog that an unknown 2xx has made; the user of its BYE."""

    def __init__(self, environment: Environment, response: Response) -> None:
        """MalformedValue without a usable Contact. The CSeq of the BYE is the time, in seconds: another process may have died
        over one, which the phone then knows under a lower one (RFC 3261 §8.1.1.5, §12.2.1.1)."""
        ours, theirs = response.from_, response.to
        local, remote = (f"{party.display} <{party.uri}>".strip() for party in (ours, theirs))
        self._dialog = dialog = Dialog(response.call_id, local, ours.tag, remote, contact_uri(response), "")
        dialog.remote_tag, dialog.local_cseq = theirs.tag, max(response.cseq, int(environment.wall()))
        dialog.route_set = response.elements("Record-Route")[::-1]
        self._environment = environment
        self._invite_cseq = response.cseq
        self._asked = self._acknowledged = False

    def say_bye(self) -> None:
        self._asked = True
        self._environment.layer.send_request(self._request("BYE"), self._environment.link, self)

    def answered_again(self) -> None:
        """The 2xx came once more: the BYE is on its way, or came to nothing, or was answered (RFC 3261 §13.2.2.4)."""
        if self._acknowledged:
            self._acknowledge()
        elif not self._asked:
            self.say_bye()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """It is out of the call (2xx, 481: RFC 3261 §15.1.1), or wants its ACK before it hears of BYE."""
        if response.status < 200:
            return
        again = response.status >= 300 and response.status != 481 and not self._acknowledged
        self._acknowledge()
        if again:
            self.say_bye()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """Its 2xx comes again, as it has had no ACK; or it ends the call itself."""
        self._asked = False

    def _acknowledge(self) -> None:
        self._acknowledged = True
        self._environment.layer.send_ack(self._request("ACK", self._invite_cseq), self._environment.link)

    def _request(self, method: str, cseq: int = 0) -> Request:
        request = self._dialog.make_request(method, cseq)
        request.append("Max-Forwards", MAX_FORWARDS)
        request.append("Content-Length", "0")
        return request
