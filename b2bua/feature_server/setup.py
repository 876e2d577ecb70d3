"""The set-up of a call: the caller's INVITE to the callee, and the callee's answer back (RFC 3261 §13; RFC 7092 §3.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from b2bua.dialog.reliable_provisional import demands
from b2bua.feature_server.branch import last_word
from b2bua.feature_server.call_state import CALLEE, CALLER, CONFIRMED, EARLY, ENDED, TRYING
from b2bua.feature_server.callees import Callees
from b2bua.feature_server.carried import foreign_challenges, is_sdp
from b2bua.feature_server.early_dialogs import EarlyDialogs
from b2bua.feature_server.exchange import IdleExchange
from b2bua.feature_server.feature_codes import FIRST, Dialled
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.leg_messages import finish_invite
from b2bua.feature_server.refusals import GAVE_UP, NOBODY_ANSWERED
from b2bua.feature_server.replaced import replaced_leg
from b2bua.sip.errors import SipError
from b2bua.sip.feature_name import feature_name
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


class Onlooker(Protocol):
    """Who wants to know what becomes of a set-up beside the caller."""

    def given_up(self, setup: Setup) -> bool:
        """The caller has cancelled: whether the call goes on without it."""

    def answered(self) -> None:
        """The callee has answered; the caller has heard it, where there is one."""

    def refused(self, status: int) -> None:
        """Nobody takes the call."""


class Setup(IdleExchange):
    """The first exchange of a call."""

    def __init__(self, call: Call, invite: Request) -> None:
        self._call = call
        self._invite = invite
        self.offered = bool(invite.body) and is_sdp(invite)
        """Whether the caller's INVITE has an offer."""
        self.theirs = b""
        """The offer, as it came; b"" before it went on."""
        self.ours = b""
        """Where the callee's answer is the offer: as it went on."""
        self._as_sent = b""
        """The description that is with the features, before they make another of it: what its sender will repeat."""
        self.passed: Request | None = None
        """The INVITE as the features let it go on; None before."""
        self.callees: Callees | None = None
        """All that may answer; None where there is one callee and no feature that minds."""
        self.speaker: Leg | None = None
        """The callee whose description the caller was told first: another's needs an early dialog of its own."""
        self.onlooker: Onlooker | None = None

    def start(self) -> None:
        call = self._call
        if "Require" in self._invite.names and demands(self._invite):
            EarlyDialogs(self, call, self._invite, call.callee)
        dialled = self._dialled()
        call.enter(TRYING)
        then = self._forward if dialled is None else partial(self._do, dialled)
        if "Replaces" in self._invite.names and call.hooks.overridden("replaces_received"):
            then, call.callee.has_lamp = self._find_replaced, False
        call.hooks.run("call_offered", (call,), self._invite, then, self.failed, call.stands)

    def _dialled(self) -> Dialled | None:
        """The feature code in the Request-URI, or the feature that it names, if there is one: we are the party ourselves then."""
        call, uri = self._call, self._invite.parsed_uri()
        name = feature_name(uri)
        if name:
            dialled = call.hooks.dial_plan.named(name)
        elif uri.user.startswith(FIRST):
            dialled = call.hooks.dial_plan.dialled(uri.username)
        else:
            return None
        call.callee.has_lamp = dialled is None
        return dialled

    def _do(self, dialled: Dialled, invite: Request) -> None:
        """The caller dialled a code: its feature does what it stands for."""
        call = self._call
        if call.state == ENDED or not call.caller.waits:
            return
        call.changed()
        arguments = (call, dialled.name, dialled.argument)
        call.hooks.run_one(dialled.feature.code_dialled, arguments, invite, self._forward, self.failed, call.stands)

    def _find_replaced(self, invite: Request) -> None:
        """The call is to take the place of another (RFC 3891): of its callee nothing is wanted."""
        call = self._call
        if call.state == ENDED or not call.caller.waits:
            return
        try:
            leg = replaced_leg(call, invite)
        except SipError as error:
            self.failed(error)
            return
        call.hooks.run("replaces_received", (call, leg), invite, self._not_replaced, self.failed, call.stands)

    def _not_replaced(self, invite: Request) -> None:
        """No feature has seen to it: whose call is taken is for one to say (RFC 3891 §5)."""
        self.failed(SipError(403).because("B2BUA: no feature lets anybody take over a call (RFC 3891 §5)"))

    def taken(self, ringing: Leg, leg: Leg, response: Response) -> None:
        """Somebody else has taken the call, whose leg stands already and is the callee's now: what it answers to the caller's
        offer, or offers. Who has heard of media before hears the new ones in a dialog of their own."""
        call = self._call
        caller = call.caller
        if self.callees is not None:
            self.callees.exchanged(ringing, leg)
            self.callees.answered(leg)
        if self.speaker is not None or caller.early is not None:
            if caller.early is not None:
                caller.early.final()
            own = caller.dialog.sibling(call.environment.layer.identifiers.tag(), self._invite.cseq)
            call.leg_forked(caller, own.key)
            caller.dialog = caller.usage.dialog = own
        if self.offered and call.keeper is not None:
            leg.ack_waits = True
        elif self.offered and leg.usage.owes_ack:
            leg.usage.acknowledge()
        self._as_sent = response.body
        call.run_hooks("response_received", leg, response, self._pass_answer, self.failed)

    def _forward(self, invite: Request) -> None:
        """Send the callee its own INVITE: other Call-ID, tags, CSeq, o= line; what is end to end goes along."""
        call = self._call
        if call.state == ENDED or not call.caller.waits:
            return  # the caller gave up, or a feature refused, while another waited
        self.passed = invite
        if self.callees is None and not call.callee_hooks("callee_chosen"):
            self.send(call.callee, invite, call.mark)
        else:
            self.all_callees().offer()

    def send(self, leg: Leg, invite: Request, mark: str) -> None:
        """Send a callee its own INVITE, made of this one."""
        body = leg.render(invite)
        if invite.body and is_sdp(invite):
            leg.first_offer, self.theirs = body, self.offer() or invite.body
        self._call.changed()
        request = leg.dialog.make_request("INVITE")
        finish_invite(leg, request, invite, body)
        leg.usage.invite(request, mark)

    def all_callees(self) -> Callees:
        """From here on there may be others."""
        if self.callees is None:
            self.callees = Callees(self, self._call, self._invite)
        return self.callees

    def forwarded(self, why: Why) -> None:
        """From the callees: another is tried."""
        self._call.caller.respond(181, why=why)

    def offer(self) -> bytes:
        """What the callee's description answers; b"" where that is an offer itself."""
        return self._invite.body if self.offered else b""

    # -- the callee's answers ----------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        call, early, tag = self._call, leg.early, response.to.tag
        other_tag = tag and tag != leg.dialog.remote_tag
        if early is None and ("RSeq" in response.names or (other_tag and leg.dialog.remote_tag) or self._spoke_another(leg)):
            early = EarlyDialogs(self, call, self._invite, self.speaker or leg)  # from another branch, or reliable
        if early is not None:
            early.progressed(leg, response)
            return
        if other_tag:
            leg.dialog.remote_tag = tag
            if response.has("Contact"):
                leg.dialog.establish(response)
        call.run_hooks("response_received", leg, response, partial(self._pass_progress, leg), self.failed)

    def _spoke_another(self, leg: Leg) -> bool:
        return self.speaker is not None and self.speaker is not leg

    def _pass_progress(self, leg: Leg, response: Response | Request) -> None:
        call = self._call
        assert isinstance(response, Response)
        if call.exchange is not self or leg.aside:
            return
        early, caller = leg.early, call.caller
        if early is None and self._spoke_another(leg):  # while a feature let this one wait
            early = EarlyDialogs(self, call, self._invite, self.speaker or leg)
        if early is not None:
            early.progressed(leg, response, heard=True)
            return
        body = caller.render(response, self.offer())
        if body:
            self.speaker = leg
        self.rang(leg)
        caller.respond(response.status, response, body)

    def rang(self, leg: Leg) -> None:
        """This callee has said something that the caller hears."""
        call = self._call
        if not leg.silent:
            call.enter(EARLY)
            return
        leg.silent = False
        if call.state == EARLY:
            call.parties_changed()
        else:
            call.enter(EARLY)

    def accepted(self, leg: Leg, response: Response) -> None:
        call = self._call
        if self.callees is not None:
            self.callees.answered(leg)
        early, rung = leg.early, leg.dialog.remote_tag
        if early is None and ((rung and response.to.tag != rung) or self._spoke_another(leg)):
            early = EarlyDialogs(self, call, self._invite, self.speaker or leg)  # a branch that has not rung
        if early is not None:
            early.select(leg, response)
        leg.dialog.establish(response)
        leg.answered = True
        if self.offered and call.keeper is not None:
            leg.ack_waits = True  # for the record: whoever has its ACK is in a call that survives us
        elif self.offered:
            # The offer was in the INVITE: nothing that the caller does later can change this ACK.
            leg.usage.acknowledge()
        self._as_sent = response.body
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
            response, agreed = last_word(early.selected, response), early.agreed
            early.final()
        offer_to_callee, offer_of_caller = callee.first_offer, self.theirs
        body = caller.render(response, self.offer())
        caller.answered = True
        if agreed:
            if callee.usage.owes_ack and not callee.ack_waits:
                callee.usage.acknowledge()
        elif self.offered and is_sdp(response):
            caller.descriptions.completed(offer_of_caller, body)
            callee.descriptions.completed(self._as_sent or response.body, offer_to_callee)
        else:
            self.theirs, self.ours = self._as_sent or response.body, body
        call.enter(CONFIRMED)
        if self.offered or agreed:
            self._over()
        caller.respond(response.status, response, body)
        if self.onlooker is not None:
            self.onlooker.answered()

    def takes(self, leg: Leg) -> bool:
        """The callee's, once it has our ACK: a feature is at work on its answer still."""
        call = self._call
        acknowledged = leg is call.callee and leg.answered and not leg.usage.owes_ack
        return acknowledged and leg.early is None and call.caller.stand_in is None

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        """Offerless: the caller's answer stands in its ACK and goes to the callee in ours (RFC 3264 §4)."""
        call = self._call
        if leg is not call.caller or self.offered:
            return
        self._as_sent = ack.body
        call.run_hooks("request_received", leg, ack, self._pass_ack, self.failed)

    def _pass_ack(self, ack: Request | Response) -> None:
        call = self._call
        caller, callee = call.caller, call.callee
        body = callee.render(ack, self.theirs)
        if ack.body:
            callee.descriptions.completed(self.theirs, body)
            caller.descriptions.completed(self._as_sent or ack.body, self.ours)
        callee.usage.acknowledge(body, ack.get("Content-Type") or "")
        self._over()

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        call = self._call
        leg.over()
        if response is None:
            self._not_taken(leg, status, None)
            return
        call.run_hooks("response_received", leg, response, partial(self._pass_refusal, leg), self.failed)

    def _pass_refusal(self, leg: Leg, response: Response | Request) -> None:
        assert isinstance(response, Response)
        status = response.status
        if status in (401, 407) and not foreign_challenges(response, self._call.environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        self._not_taken(leg, status, response)

    def _not_taken(self, leg: Leg, status: int, response: Response | None) -> None:
        if self.callees is None and not self._call.callee_hooks("callee_refused"):
            self.refuse(status, response)
        elif self._call.exchange is self:
            self.all_callees().failed(leg, status, response)

    def refuse(self, status: int, response: Response | None, refusal: SipError | None = None) -> None:
        """No callee takes the call: the caller hears this, or what a feature said in a callee's place."""
        call = self._call
        if call.exchange is not self:
            return
        self._over()
        if call.detail is not None and response is not None:
            call.detail.ended_by, call.detail.reasons = CALLEE, response.get_all("Reason")
        if refusal is not None:
            call.caller.respond(refusal.status, None, b"", refusal.reason, *refusal.headers, why=refusal.why)
        elif response is None:
            call.caller.refuse(status, (None, NOBODY_ANSWERED, status))
        else:
            call.caller.respond(status, response, response.body)
        if self.onlooker is not None:
            self.onlooker.refused(status if refusal is None else refusal.status)
        call.finish(_result(status))

    # -- the caller's change of mind ---------------------------------------------------------------------------

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        """487 to the INVITE at once, CANCEL to the callee once it has answered anything (RFC 3261 §9.2)."""
        call = self._call
        if self.onlooker is not None and self.onlooker.given_up(self):
            return
        self._let_others_go(*reasons)
        self._over()
        if call.detail is not None:
            call.detail.ended_by, call.detail.reasons = CALLER, [value for _, value in reasons]
        call.caller.refuse(487, GAVE_UP)
        call.finish("cancelled", *reasons)

    def abandoned(self) -> None:
        self._let_others_go()
        self.callees = None

    def _over(self) -> None:
        """The call goes on, or ends, without this exchange; the callees, who refer to it, let it go. What only a set-up needs
        goes, too: the call may stand for hours."""
        call = self._call
        call.exchange = self.callees = None
        call.mark, call.callee.first_offer = "", b""

    def _let_others_go(self, *headers: tuple[str, str]) -> None:
        """Whoever rings beside the one callee that ends with the call."""
        if self.callees is not None:
            self.callees.abandon(self._call.callee, *headers)

    def failed(self, error: BaseException) -> None:
        """A feature raised, or refused by SipError."""
        call = self._call
        refusal = status_of(error)
        if refusal is not error:
            call.hook_failed(error)
        call.caller.respond(refusal.status, None, reason=refusal.reason, why=refusal.why)
        self._let_others_go()
        self._over()
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
