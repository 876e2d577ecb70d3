"""A REFER in a call, answered here, and the subscription that it makes (RFC 3515 §2.4, RFC 6665): how far the new call has come.

The other party never sees it. One NOTIFY is under way at a time; what happens meanwhile goes with the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.hooks import always, status_of
from b2bua.feature_server.leg_messages import leg_response
from b2bua.feature_server.refusals import BY_A_FEATURE
from b2bua.sip.errors import SipError
from b2bua.sip.event_id import event_id
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.reason import REASON
from b2bua.sip.refer_to import refer_to_of
from b2bua.sip.response_to import response_to
from b2bua.sip.subscription_state import ACTIVE, TERMINATED, SubscriptionState
from b2bua.sip.uri import Uri
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import Timer

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

EXPIRES: Final = 300
"""Seconds that the subscription lives: longer than any phone rings (Timer C)."""
CONTENT_TYPE: Final = "message/sipfrag;version=2.0"
LATER: Final = "1"
"""Retry-After of a REFER that comes too early, in seconds."""
NOT_TAKEN_UP: Final[Why] = (None, "B2BUA: no feature has taken the transfer up")


def refer(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """A REFER of the party of `leg`; SipError refuses it. 400 without one Refer-To that can be read (RFC 3515 §2.4.2), 603 for
    what is no call to a SIP address or is meant for media of our own, 491 while another party is about to come into the call."""
    if not call.hooks.overridden("refer_received"):
        raise SipError(405, "", ("Allow", call.hooks.allow)).because("B2BUA: no feature takes transfers here")
    if call.state != CONFIRMED or leg.other.ended:
        raise SipError(500, "", ("Retry-After", LATER)).because("B2BUA: there is no call that stands and could be transferred")
    referral = Referral(call, leg, transaction, request)
    if referral.to.uri.scheme not in ("sip", "sips") or referral.to.method != "INVITE" or leg.other.source:
        raise SipError(603).because("B2BUA: Refer-To asks for no call to a SIP address, or the other party is media of our own")
    if call.handover is not None:
        raise SipError(491).because("glare: another party is about to come into this call")
    call.hooks.run("refer_received", (call, leg), referral, Referral.decline, referral.failed, always)


def resubscribe(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """A SUBSCRIBE that goes on with the subscription of a REFER, or ends it (RFC 3515 §2.4.4); SipError 481 for any other."""
    if not call.hooks.overridden("refer_received"):
        raise SipError(405, "", ("Allow", call.hooks.allow)).because("B2BUA: no feature takes transfers here")
    referral = leg.referral
    if referral is None or not referral.stands or not referral.is_named(request.get("Event") or ""):
        raise SipError(481, "Subscription Does Not Exist").because(
            "B2BUA: no transfer of this dialog is told of any more (RFC 6665 §4.1.2.2)"
        )
    referral.renew(transaction, request)


class Referral:
    """One of them. Whoever takes it up accepts it and tells it what becomes of the new call, to a final status."""

    def __init__(self, call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        self.to = refer_to_of(request)
        """Whom the other party is to call."""
        self.leg = leg
        """Who wants it."""
        self._call = call
        self._name = call.id
        self._environment = leg.environment
        self._dialog = leg.dialog
        self._transaction = transaction
        self._request = request
        self._id = str(request.cseq)
        self._quiet = (request.get("Refer-Sub") or "").strip().lower() == "false"
        """Whether no subscription is wanted (RFC 4488)."""
        self._told = ""
        """The status line that was told last."""
        self._ended = ""
        """Why the subscription ended; "" while it stands."""
        self._sending = False
        self._due = False
        self._timer: Timer | None = None
        self._until = 0.0
        self.heard: Callable[[], None] | None = None
        """Called once the party has answered the last NOTIFY, or will not."""

    @property
    def target(self) -> Uri:
        """Whom the other party is to call, without what else the Refer-To says."""
        return self.to.uri

    # -- answering ---------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """202, and the first NOTIFY (RFC 3515 §2.4.4, §2.4.5)."""
        response = leg_response(self.leg, self._request, 202, None, b"", "")
        self._add_contact(response)
        if self._quiet:
            response.append("Refer-Sub", "false")
            self._ended = "norefersub"
        self._environment.layer.respond(self._transaction, response)
        if not self._quiet:
            self.leg.referral = self
            self._until = self._environment.layer.timers.now() + EXPIRES
            self._timer = self._environment.layer.timers.start(EXPIRES, self._expired)
        self.progress(100)

    def refuse(self, status: int, reason: str = "", why: Why | None = None) -> None:
        """Answer the REFER with a failure; `why` is for the trace."""
        response = response_to(self._request, status, reason, self._dialog.local_tag)
        response.why = why or BY_A_FEATURE
        self._environment.layer.respond(self._transaction, response)

    def decline(self) -> None:
        """No feature has taken it up."""
        self.refuse(603, "", NOT_TAKEN_UP)

    def failed(self, error: BaseException) -> None:
        """A feature raised, or refused by SipError."""
        refusal = status_of(error)
        if refusal is not error:
            self._call.hook_failed(error)
        self.refuse(refusal.status, refusal.reason, refusal.why)

    # -- telling -----------------------------------------------------------------------------------------------

    def progress(self, status: int, reason: str = "") -> None:
        """The new call has come so far."""
        line = f"SIP/2.0 {status} {reason or REASON.get(status, 'Unknown')}"
        if not self._ended and line != self._told:
            self._told = line
            self._notify()

    def end(self, status: int, reason: str = "") -> None:
        """What became of the new call (RFC 3515 §2.4.7)."""
        if not self._ended:
            self._told = f"SIP/2.0 {status} {reason or REASON.get(status, 'Unknown')}"
            self._end("noresource")

    def _expired(self) -> None:
        self._timer = None
        self._end("timeout")

    def _end(self, reason: str) -> None:
        self._ended = reason
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._notify()

    # -- the subscription --------------------------------------------------------------------------------------

    @property
    def stands(self) -> bool:
        """Whether anything is to be told still; the last NOTIFY may be under way when not."""
        return not self._ended

    def is_named(self, event: str) -> bool:
        """Whether an Event header names this subscription: the id may be left out (RFC 3515 §2.4.6)."""
        return event.partition(";")[0].strip().lower() == "refer" and event_id(event) in (None, self._id)

    def renew(self, transaction: ServerTransaction, request: Request) -> None:
        """From the party: refreshed, or with Expires 0 ended; a NOTIFY follows either (RFC 6665 §4.2.1.2)."""
        expires = request.integer("Expires")
        seconds = min(EXPIRES if expires is None else expires, EXPIRES)
        response = leg_response(self.leg, request, 200, None, b"", "")
        self._add_contact(response)
        response.append("Expires", str(seconds))
        self._environment.layer.respond(transaction, response)
        timers = self._environment.layer.timers
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not seconds:
            self._end("timeout")
            return
        self._until = timers.now() + seconds
        self._timer = timers.start(seconds, self._expired)
        self._notify()

    def _notify(self) -> None:
        """Send the newest state, now or behind the NOTIFY that is under way."""
        if self._sending:
            self._due = True
            return
        self._sending, self._due = True, False
        leg, environment = self.leg, self._environment
        if leg.reserved and not leg.ended:
            leg.keep_ahead()
        request = self._dialog.make_request("NOTIFY")
        request.append("Max-Forwards", MAX_FORWARDS)
        self._add_contact(request)
        request.append("Event", f"refer;id={self._id}")
        left = int(self._until - environment.layer.timers.now())
        state = SubscriptionState(TERMINATED, None, self._ended) if self._ended else SubscriptionState(ACTIVE, max(left, 1))
        request.append("Subscription-State", str(state))
        request.call = self._name
        request.set_body(f"{self._told}\r\n".encode("utf-8", "surrogateescape"), CONTENT_TYPE)
        environment.layer.send_request(request, environment.link, self)

    def _add_contact(self, message: Request | Response) -> None:
        message.append("Contact", self._dialog.contact)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """From the NOTIFY's transaction. A party that refuses it wants to hear no more (RFC 6665 §4.2.2)."""
        if response.status >= 200:
            self._answered(response.status < 300)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._answered(False)

    def _answered(self, heard: bool) -> None:
        self._sending = False
        if not heard:
            self._give_up()
        elif self._due:
            self._notify()
        elif self._ended:
            self._over()

    def _give_up(self) -> None:
        """The party hears nothing any more; what it asked for goes on."""
        self._due = False
        self._ended = self._ended or "refused"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._over()

    def _over(self) -> None:
        if self.leg.referral is self:
            self.leg.referral = None
        heard, self.heard = self.heard, None
        if heard is not None:
            heard()
