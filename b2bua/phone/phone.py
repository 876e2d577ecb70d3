"""The phone: one user's registration, calls and lamps on one transaction layer; no socket, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.phone.agent import ALLOW, Agent, Identity, Uniform
from b2bua.phone.call import Call, CallState
from b2bua.phone.call_user import CallUser
from b2bua.phone.registration import Registration
from b2bua.phone.subscription import LampUser, Subscription
from b2bua.sip.dialog_info import CONTENT_TYPE
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction

IN_DIALOG: Final = frozenset(("INVITE", "BYE", "OPTIONS", "UPDATE"))


class PhoneUser(CallUser, LampUser, Protocol):
    """Who uses the phone: a script, an endpoint with sockets, a test."""

    def open_media(self) -> HostPort:
        """An address where media of a new call can be received."""

    def registration_changed(self, registration: Registration) -> None:
        """A REGISTER has its final answer."""

    def phone_failed(self, error: BaseException) -> None:
        """A mistake of ours came up; the message that caused it has been answered 500 where it could be."""


class Phone:
    """A transaction user: the user agent core of one identity (RFC 3261 §8)."""

    def __init__(
        self, layer: TransactionLayer, flow: Flow, identity: Identity, uniform: Uniform, user: PhoneUser
    ) -> None:
        """`flow` leads to Session Manager; `uniform` draws the waits after a 491."""
        self.agent = Agent(layer, flow, identity, uniform)
        self.registration = Registration(self.agent, user.registration_changed)
        self.calls: list[Call] = []
        self.lamps: list[Subscription] = []
        self.answer_after: float | None = None
        """Seconds until a call that comes in is answered; None leaves it ringing until `Call.answer`."""
        self._user = user
        layer.user = self

    @property
    def aor(self) -> str:
        return self.agent.identity.aor

    # -- verbs -------------------------------------------------------------------------------------------------

    def dial(self, target: str, offerless: bool = False) -> Call:
        """Call a user of our domain (`6002`) or a URI."""
        call = Call.dial(self.agent, self, self._session(), self._uri(target), offerless)
        self.calls.append(call)
        return call

    def watch(self, watched: str, expires: int = 3600) -> Subscription:
        """Watch somebody's lamp; our own counts."""
        lamp = Subscription(self.agent, self._user, self._uri(watched))
        self.lamps.append(lamp)
        lamp.subscribe(expires)
        return lamp

    def stop(self) -> None:
        """Refresh nothing any more: the phone is switched off."""
        self.registration.stop()
        for lamp in self.lamps:
            lamp.stop()

    def _uri(self, target: str) -> str:
        return target if ":" in target else f"sip:{target}@{self.agent.identity.domain}"

    def _session(self) -> OfferAnswer:
        return OfferAnswer(self.agent.layer.identifiers.number(), self._user.open_media())

    # -- from the transaction layer ----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        if request.has("Require"):
            unsupported = ", ".join(request.elements("Require"))
            raise SipError(420, "", ("Unsupported", unsupported))  # RFC 3261 §8.2.2.3: this phone has no extension
        if request.to.tag:
            self._in_dialog(transaction, request)
        elif request.method == "INVITE":
            self._invited(transaction, request)
        elif request.method == "OPTIONS":
            response = response_to(request, 200, tag=self.agent.layer.identifiers.tag())
            response.append("Allow", ALLOW)
            response.append("Accept", f"application/sdp, {CONTENT_TYPE}")
            self.agent.layer.respond(transaction, response)
        elif request.method in ("BYE", "NOTIFY"):
            raise SipError(481)
        else:
            raise SipError(405, "", ("Allow", ALLOW))

    def _in_dialog(self, transaction: ServerTransaction, request: Request) -> None:
        if request.method == "NOTIFY":
            for lamp in self.lamps:
                if lamp.key == (request.call_id, request.to.tag):
                    lamp.notify_received(transaction, request)
                    return
            raise SipError(481)
        call = self._call_of(request)
        if call is None:
            raise SipError(481)
        if request.method not in IN_DIALOG:
            raise SipError(405, "", ("Allow", ALLOW))
        call.request_received(transaction, request)

    def _invited(self, transaction: ServerTransaction, request: Request) -> None:
        same = request.call_id, request.from_.tag, request.cseq
        if any((c.dialog.call_id, c.dialog.remote_tag, c.dialog.remote_cseq) == same for c in self.calls):
            raise SipError(482)  # the same call by another path (RFC 3261 §8.2.2.2)
        call = Call.offered(self.agent, self, self._session(), transaction, request)
        transaction.attached = call
        self.calls.append(call)
        call.ring()
        self._user.call_changed(call)
        if self.answer_after is not None:
            self._answer_in(self.answer_after, call.answer)

    def _answer_in(self, seconds: float, answer: Callable[[], None]) -> None:
        if seconds > 0:
            self.agent.timers.start(seconds, answer)
        else:
            answer()

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        if isinstance(transaction.attached, Call):
            transaction.attached.cancelled(transaction)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        call = self._call_of(ack)
        if call is not None:
            call.ack_received(ack)

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        return

    def internal_error(self, error: BaseException, message: Message) -> None:
        self._user.phone_failed(error)

    def _call_of(self, request: Request) -> Call | None:
        for call in self.calls:
            if call.dialog.key == (request.call_id, request.to.tag) and call.dialog.remote_tag == request.from_.tag:
                return call
        return None

    # -- the user of the calls ---------------------------------------------------------------------------------

    def call_changed(self, call: Call) -> None:
        if call.state is CallState.ENDED and call in self.calls:
            self.calls.remove(call)
        self._user.call_changed(call)

    def media_changed(self, call: Call) -> None:
        self._user.media_changed(call)


__all__ = ["Phone", "PhoneUser"]
