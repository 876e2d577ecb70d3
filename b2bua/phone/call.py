"""One call of the phone, either side of it: dial, answer, hold, resume, hang up (RFC 3261 §13–§15).

Our own re-INVITEs follow the wish: `hold` and `resume` set it, and whenever the dialog is free and the last completed
exchange of ours said something else, one re-INVITE leaves.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from b2bua.dialog.credentials import Attempt
from b2bua.dialog.dialog import Dialog
from b2bua.dialog.invite_usage import InviteUsage
from b2bua.dialog.offer_answer import OfferAnswer
from b2bua.phone.agent import Agent, with_sdp
from b2bua.phone.call_user import CallUser
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TICK, Timer

OWN_CALL_ID: Final = (2.1, 4.0)
OTHER_CALL_ID: Final = (0.0, 2.0)
"""Seconds to wait after a 491, for the side that made the Call-ID and for the other (RFC 3261 §14.1)."""
ENDING: Final = frozenset((408, 481))
"""Answers to a re-INVITE that end the dialog (RFC 3261 §12.2.1.2)."""


class CallState(StrEnum):
    """Where a call stands, as its user sees it."""

    DIALLING = "dialling"
    RINGING = "ringing"
    """We called, and the other phone rings."""
    OFFERED = "offered"
    """We are called and have not answered."""
    ESTABLISHED = "established"
    ENDING = "ending"
    """Hung up here; the last answer is still on its way."""
    ENDED = "ended"


class Call:
    """Made by `dial` or by `offered`. `session.holding` is our wish, `told` what the other side knows of it."""

    def __init__(self, agent: Agent, user: CallUser, session: OfferAnswer, dialog: Dialog, state: CallState) -> None:
        self.agent = agent
        self.session = session
        self.dialog = dialog
        self.state = state
        self.told = False
        """Whether we hold by the last completed exchange that we offered."""
        self.status = 0
        """The final status of what was refused last, or that ended the call (200: a BYE); 0 while all is well."""
        self._user = user
        self._ours = state is CallState.DIALLING
        self._usage = InviteUsage(agent.layer, agent.flow, self)
        self._usage.dialog = dialog
        self._attempt = Attempt(agent.credentials)
        self._invite: Request | None = None
        """Our INVITE on its way, without Via: what a challenge makes us repeat."""
        self._incoming: Request | None = None
        self._offerless = False
        """Whether our INVITE on its way has no offer."""
        self._refresh_offerless = False
        """Whether the refresh that is owed is to have none."""
        self._offered_holding = False
        self._answer_awaited = False
        """Our 200 had the offer; the ACK brings the answer."""
        self._refresh = False
        self._headers: tuple[tuple[str, str], ...] = ()
        self._glared = False
        self._glare: Timer | None = None

    # -- beginnings --------------------------------------------------------------------------------------------

    @classmethod
    def dial(cls, agent: Agent, user: CallUser, session: OfferAnswer, target: str, offerless: bool = False) -> Call:
        """Call a URI; the INVITE has left when this returns."""
        request = agent.request("INVITE", target, target, agent.layer.identifiers.call_id(), 1)
        call = cls(agent, user, session, Dialog.as_client(request), CallState.DIALLING)
        call._offer(request, offerless)
        return call

    @classmethod
    def offered(
        cls, agent: Agent, user: CallUser, session: OfferAnswer, transaction: ServerTransaction, request: Request
    ) -> Call:
        """A call that came in, not yet answered in any way; MalformedValue when it cannot make a dialog."""
        dialog = Dialog.as_server(request, agent.layer.identifiers.tag(), agent.contact)
        call = cls(agent, user, session, dialog, CallState.OFFERED)
        call._usage.invite_received(transaction, 0)
        call._incoming = request
        return call

    @property
    def invite(self) -> Request | None:
        """The INVITE that came in, until it is answered."""
        return self._incoming

    # -- verbs -------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """180 to a call that came in."""
        if self.state is CallState.OFFERED and self._incoming is not None:
            self._usage.respond(self.agent.response(self._incoming, 180, self.dialog.local_tag))

    def answer(self) -> None:
        """200 to a call that came in; 488 when its offer cannot be met, which ends it."""
        request = self._incoming
        if self.state is not CallState.OFFERED or request is None:
            return
        self._incoming = None
        if self._accept(request):
            self._change(CallState.ESTABLISHED)
            self._user.media_changed(self)
        else:
            self._end(488)

    def reject(self, status: int = 486) -> None:
        """Refuse a call that came in."""
        if self.state is CallState.OFFERED and self._incoming is not None:
            self._refuse(self._incoming, status)
            self._incoming = None
            self._end(status)

    def hold(self, *headers: tuple[str, str]) -> None:
        """Put the other party on hold. `headers` (a Reason) go into the re-INVITE. Holding already: nothing happens."""
        self._wish(True, headers)

    def resume(self, *headers: tuple[str, str]) -> None:
        """Take the hold back. Not holding: nothing happens."""
        self._wish(False, headers)

    def refresh(self, offerless: bool = False) -> None:
        """A re-INVITE that says nothing new: a session refresh (RFC 4028 §7.4), or one without an offer."""
        self._refresh, self._refresh_offerless = True, offerless
        self._settle()

    def hang_up(self) -> None:
        """End the call, whatever it is doing."""
        if self.state is CallState.OFFERED:
            self.reject()
        elif self.state in (CallState.DIALLING, CallState.RINGING):
            self._change(CallState.ENDING)
            self._usage.cancel()
        elif self.state is CallState.ESTABLISHED:
            self._change(CallState.ENDING)
            self._user.media_changed(self)
            if not self._usage.unacknowledged:
                self._bye()  # else only when our 2xx is acknowledged, or will never be (RFC 3261 §15)

    # -- our INVITEs -------------------------------------------------------------------------------------------

    def _wish(self, holding: bool, headers: tuple[tuple[str, str], ...]) -> None:
        self.session.holding, self._headers = holding, headers
        self._user.media_changed(self)  # whoever holds stops talking at once
        self._settle()

    def _settle(self) -> None:
        """Send the re-INVITE that is owed, if one is and if it may leave now (RFC 3261 §14.1)."""
        usage = self._usage
        owed = self._refresh or self.session.holding != self.told
        busy = usage.client is not None or usage.server is not None or usage.owes_ack or usage.unacknowledged
        if self.state is not CallState.ESTABLISHED or not owed or busy or self._glare is not None:
            return
        request = self.agent.in_dialog(self.dialog, "INVITE")
        if not self._refresh:
            for name, value in self._headers:
                request.append(name, value)
        self._attempt = Attempt(self.agent.credentials)
        self._offer(request, self._refresh and self._refresh_offerless)

    def _offer(self, request: Request, offerless: bool) -> None:
        self._offerless, self._offered_holding = offerless, self.session.holding
        with_sdp(request, b"" if offerless else self.session.offer())
        self._send(request)

    def _send(self, request: Request) -> None:
        self._invite = request
        self._usage.invite(request.copy())

    def _next_cseq(self) -> int:
        self.dialog.local_cseq += 1
        return self.dialog.local_cseq

    def _again(self) -> None:
        self._glare = None
        self._settle()

    # -- the owner of an INVITE usage --------------------------------------------------------------------------

    def invite_progressed(self, response: Response) -> None:
        if self.state is CallState.DIALLING and response.status in (180, 183):
            self._change(CallState.RINGING)

    def invite_accepted(self, response: Response) -> None:
        first = self.state in (CallState.DIALLING, CallState.RINGING)
        unwanted = not first and not self.dialog.remote_tag  # answered across our CANCEL
        if self.dialog.remote_tag:
            self.dialog.refresh_target(response)
        else:
            self.dialog.establish(response)
        answered = self._complete(response)
        self._refresh = self._glared = False
        self.status = 0
        if unwanted or not answered:
            self._change(CallState.ENDING)
            self._bye()  # acknowledged above, now ended (RFC 3261 §13.2.2.4)
            return
        if self.state in (CallState.ENDING, CallState.ENDED):
            return
        self.told = self._offered_holding
        if first:
            self._change(CallState.ESTABLISHED)
        else:
            self._user.call_changed(self)
        self._user.media_changed(self)
        self._settle()

    def _complete(self, response: Response) -> bool:
        """ACK a 2xx, with our answer where it had the offer; whether the exchange is complete."""
        answer = b""
        try:
            if self._offerless:
                answer = self.session.answer(response.body)
            else:
                self.session.accepted(response.body)
            return True
        except SipError:
            return False
        finally:
            self._usage.acknowledge(answer, "application/sdp" if answer else "")

    def invite_refused(self, status: int, response: Response | None) -> None:
        request = self._invite
        going = self.state not in (CallState.ENDING, CallState.ENDED)
        if response is not None and request is not None and going:
            again = self._attempt.retry(request, response, self._next_cseq)
            if again is not None:
                self._send(again)
                return
        self.session.refused()
        if self.state is CallState.ESTABLISHED:
            self._reinvite_refused(status)
        elif not self.dialog.remote_tag:
            self._end(status)

    def _reinvite_refused(self, status: int) -> None:
        """A final response to a re-INVITE leaves the session as it was (RFC 3261 §14.1, RFC 6141 §3.4)."""
        self.status = status
        if status in ENDING:
            self._change(CallState.ENDING)
            self._user.media_changed(self)
            self._bye(status)
            return
        if status == 491 and not self._glared:
            self._glared = True
            low, high = OWN_CALL_ID if self._ours else OTHER_CALL_ID
            wait = round(self.agent.uniform(low, high - TICK), 2)  # in steps of 10 ms; the wheel adds up to a tick
            self._glare = self.agent.timers.start(wait, self._again)
            return
        self._refresh = self._glared = False
        self.session.holding = self.told
        self._user.media_changed(self)
        self._user.call_changed(self)

    def acknowledged(self, ack: Request) -> None:
        if self._answer_awaited:
            self._take_answer(ack)
        if self.state is CallState.ENDING:
            self._bye()
        else:
            self._settle()

    def _take_answer(self, ack: Request) -> None:
        """The ACK of our offer: without a usable answer the session stays as it was."""
        self._answer_awaited = False
        try:
            self.session.accepted(ack.body)
        except SipError:
            self.session.refused()
            return
        self.told = self._offered_holding
        self._user.media_changed(self)

    def ack_missing(self) -> None:
        """RFC 3261 §13.3.1.4: nobody acknowledged our 2xx, the dialog is ended."""
        if self.state is not CallState.ENDED:
            self.status = 408
            self._change(CallState.ENDING)
            self._user.media_changed(self)
            self._bye(408)

    # -- requests of the peer ----------------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """A request in this dialog, whose tags match; SipError refuses it."""
        self.dialog.check(request)
        if request.method == "INVITE":
            self._reinvited(transaction, request)
        elif request.method == "BYE":
            self.agent.layer.respond(transaction, response_to(request, 200))
            self._bye_received()
        elif request.method == "UPDATE":
            self._updated(transaction, request)
        elif request.method == "OPTIONS":
            response = response_to(request, 200)
            self.agent.layer.respond(transaction, response)
        else:
            raise SipError(405)

    def ack_received(self, ack: Request) -> None:
        """An ACK in this dialog."""
        self._usage.ack_received(ack)

    def cancelled(self, transaction: ServerTransaction) -> None:
        """CANCEL of an INVITE that we have not answered: only of the first one, a re-INVITE is answered at once."""
        if self._usage.server is transaction and self._incoming is not None:
            self._refuse(self._incoming, 487)
            self._incoming = None
            self._end(487)

    def _reinvited(self, transaction: ServerTransaction, request: Request) -> None:
        if self.state in (CallState.ENDING, CallState.ENDED):
            raise SipError(481)
        if self._answer_awaited:
            raise SipError(491)  # our offer in the last 200 is still open (RFC 3261 §14.2)
        self._usage.invite_received(transaction, int(self.agent.uniform(0, 10)))
        if self._accept(request):
            self.dialog.refresh_target(request)
            self._user.media_changed(self)

    def _updated(self, transaction: ServerTransaction, request: Request) -> None:
        """RFC 3311 §5.2: a session refresh, or an offer that is answered at once, from our own state."""
        if self.state in (CallState.ENDING, CallState.ENDED):
            raise SipError(481)
        body = b""
        if request.body:
            if self._usage.server is not None:
                raise SipError(500, "", ("Retry-After", str(int(self.agent.uniform(0, 10)))))
            if self._answer_awaited or self._usage.client is not None or self._usage.owes_ack:
                raise SipError(491)
            body = self.session.answer(request.body)
        self.dialog.refresh_target(request)
        self.agent.layer.respond(transaction, self.agent.response(request, 200, self.dialog.local_tag, body))
        if body:
            self._user.media_changed(self)

    def _accept(self, request: Request) -> bool:
        """200 to the peer's INVITE, from our own state; 488 to an offer that we cannot meet."""
        try:
            body = self.session.answer(request.body) if request.body else self.session.offer()
        except SipError as error:
            self._refuse(request, error.status)
            return False
        self._answer_awaited, self._offered_holding = not request.body, self.session.holding
        self._usage.respond(self.agent.response(request, 200, self.dialog.local_tag, body))
        return True

    def _refuse(self, request: Request, status: int) -> None:
        self._usage.respond(response_to(request, status, tag=self.dialog.local_tag))

    # -- ends --------------------------------------------------------------------------------------------------

    def _bye(self, status: int = 0) -> None:
        """Send BYE; its answer, whichever it is, ends the call with `status`, or with its own where none is given."""
        self._usage.end()
        bye = self.agent.in_dialog(self.dialog, "BYE")
        self.agent.send(bye, self._next_cseq, lambda answered, _: self._end(status or answered))

    def _bye_received(self) -> None:
        """BYE always wins: an INVITE of the peer's that is open gets 487 (RFC 3261 §15.1.2)."""
        if self._incoming is not None:
            self._refuse(self._incoming, 487)
            self._incoming = None
        self._end(200)

    def _end(self, status: int) -> None:
        if self.state is CallState.ENDED:
            return
        self.status = status
        if self._glare is not None:
            self._glare.cancel()
            self._glare = None
        self._usage.end()
        self.session.end()
        self._change(CallState.ENDED)
        self._user.media_changed(self)

    def _change(self, state: CallState) -> None:
        if state is not self.state:
            self.state = state
            self._user.call_changed(self)
