"""The set-up of a call: the caller's INVITE to the callee, and the callee's answer back (RFC 3261 §13; RFC 7092 §3.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from b2bua.dialog.reliable_provisional import demands
from b2bua.feature_server.carried import foreign_challenges
from b2bua.feature_server.early_dialogs import EarlyDialogs
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.leg import is_sdp
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


class Setup:
    """The first exchange of a call."""

    def __init__(self, call: Call, invite: Request) -> None:
        self._call = call
        self._invite = invite
        self.offered = bool(invite.body) and is_sdp(invite)
        """Whether the caller's INVITE has an offer."""
        self.theirs = b""
        """The offer, as it came; b"" before it went on."""
        self.ours = b""
        """The offer, as it went on."""

    def start(self) -> None:
        call = self._call
        if "Require" in self._invite.names and demands(self._invite):
            EarlyDialogs(self, call, self._invite)
        call.enter("trying")
        call.hooks.run("call_offered", (call,), self._invite, self._forward, self.failed, call.stands)

    def _forward(self, invite: Request) -> None:
        """Send the callee its own INVITE: other Call-ID, tags, CSeq, o= line; what is end to end goes along."""
        call = self._call
        if call.state == "ended" or not call.caller.waits:
            return  # the caller gave up, or a feature refused, while another waited
        callee = call.callee
        body = self._rendered(callee, invite)
        call.changed()
        request = callee.dialog.make_request("INVITE")
        callee.finish_invite(request, invite, body)
        callee.usage.invite(request, call.mark)

    def _rendered(self, leg: Leg, source: Request | Response) -> bytes:
        rendered = leg.render(source)
        if source.body and is_sdp(source):
            self.ours = rendered
            self.theirs = source.body
        return rendered

    def offer(self) -> bytes:
        """What the callee's description answers; b"" where that is an offer itself."""
        return self._invite.body if self.offered else b""

    # -- the callee's answers ----------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        call, early, tag = self._call, leg.early, response.to.tag
        other_tag = tag and tag != leg.dialog.remote_tag
        if early is None and ("RSeq" in response.names or (other_tag and leg.dialog.remote_tag)):
            early = EarlyDialogs(self, call, self._invite)  # from another branch, or reliable
        if early is not None:
            early.progressed(response)
            return
        if other_tag:
            leg.dialog.remote_tag = tag
            if response.has("Contact"):
                leg.dialog.establish(response)
        call.run_hooks("response_received", leg, response, self._pass_progress, self.failed)

    def _pass_progress(self, response: Response | Request) -> None:
        call = self._call
        assert isinstance(response, Response)
        if call.exchange is not self:
            return
        caller = call.caller
        body = caller.render(response, self.offer())
        call.enter("early")
        caller.respond(response.status, response, body)

    def accepted(self, leg: Leg, response: Response) -> None:
        call = self._call
        early, rung = leg.early, leg.dialog.remote_tag
        if early is None and rung and response.to.tag != rung:
            early = EarlyDialogs(self, call, self._invite)  # a branch that has not rung
        if early is not None:
            early.select(response)
        leg.dialog.establish(response)
        leg.answered = True
        if self.offered and call.keeper is not None:
            leg.ack_waits = True  # for the record: whoever has its ACK is in a call that survives us
        elif self.offered:
            # The offer was in the INVITE: nothing that the caller does later can change this ACK.
            leg.usage.acknowledge()
        call.run_hooks("response_received", leg, response, self._pass_answer, self.failed)

    def _pass_answer(self, response: Response | Request) -> None:
        call = self._call
        assert isinstance(response, Response)
        caller, callee = call.caller, call.callee
        if call.exchange is not self or not caller.waits:
            return
        early, agreed = callee.early, False
        if early is not None:
            if early.holds_back(partial(self._pass_answer, response)):
                callee.acknowledge_unkept()  # the wait may be longer than the callee's patience
                return
            response, agreed = early.last_word(response), early.agreed
            early.final()
        offer_to_callee, offer_of_caller = self.ours, self.theirs
        body = caller.render(response, self.offer())
        caller.answered = True
        if agreed:
            if callee.usage.owes_ack and not callee.ack_waits:
                callee.usage.acknowledge()
        elif self.offered and is_sdp(response):
            caller.descriptions.completed(offer_of_caller, body)
            callee.descriptions.completed(response.body, offer_to_callee)
        else:
            self.theirs, self.ours = response.body, body
        call.enter("confirmed")
        if self.offered or agreed:
            call.exchange = None
        caller.respond(response.status, response, body)

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        """Offerless: the caller's answer stands in its ACK and goes to the callee in ours (RFC 3264 §4)."""
        call = self._call
        if leg is not call.caller or self.offered:
            return
        call.run_hooks("request_received", leg, ack, self._pass_ack, self.failed)

    def _pass_ack(self, ack: Request | Response) -> None:
        call = self._call
        caller, callee = call.caller, call.callee
        body = callee.render(ack, self.theirs)
        if ack.body:
            callee.descriptions.completed(self.theirs, body)
            caller.descriptions.completed(ack.body, self.ours)
        callee.usage.acknowledge(body, ack.get("Content-Type") or "")
        call.exchange = None

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        call = self._call
        leg.over()
        if response is None:
            self._refuse(status, None)
            return
        call.run_hooks("response_received", leg, response, self._pass_refusal, self.failed)

    def _pass_refusal(self, response: Response | Request) -> None:
        assert isinstance(response, Response)
        status = response.status
        if status in (401, 407) and not foreign_challenges(response, self._call.environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        self._refuse(status, response)

    def _refuse(self, status: int, response: Response | None) -> None:
        call = self._call
        if call.exchange is not self:
            return
        call.exchange = None
        call.caller.respond(status, response, response.body if response is not None else b"")
        call.finish(_result(status))

    # -- the caller's change of mind ---------------------------------------------------------------------------

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        """487 to the INVITE at once, CANCEL to the callee once it has answered anything (RFC 3261 §9.2)."""
        call = self._call
        call.exchange = None
        call.caller.respond(487)
        call.finish("cancelled", *reasons)

    def abandoned(self) -> None:
        return

    def failed(self, error: BaseException) -> None:
        """A feature raised, or refused by SipError."""
        call = self._call
        refusal = status_of(error)
        if refusal is not error:
            call.hook_failed(error)
        call.caller.respond(refusal.status, None, reason=refusal.reason)
        call.exchange = None
        call.finish(_result(refusal.status))


def _result(status: int) -> str:
    """A failure of the set-up as the calls counter names it."""
    if status in (486, 600):
        return "busy"
    if status == 487:
        return "cancelled"
    if status in (408, 480):
        return "no_answer"
    return "rejected" if status in (403, 404, 484, 603, 604) else "failed"
