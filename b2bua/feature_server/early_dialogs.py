"""The early dialogs of a call that is not answered (RFC 3261 §12.1, RFC 3262): one per branch that the callee's side forked to.

Each has its image on the caller's side under a To tag of its own: a phone takes the first description of a dialog as the
answer and ignores others in it (RFC 3261 §13.2.1), so early media of two phones and the answer of a third need three.

Reliability is each leg's own. Where both legs have it, the caller's PRACK goes on as ours to the callee, with what stands in
it; where the caller does not know it, we acknowledge what the callee sends; where the caller insists, we repeat what the
callee only said once.

A call that needs none of this, one early dialog and nothing reliable, does not come here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.reliable_provisional import Order, demands, supports
from b2bua.feature_server.branch import Branch, Branches
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.contract import NEVER
from b2bua.feature_server.early_offer import EarlyOffer
from b2bua.feature_server.early_request import send_early
from b2bua.feature_server.leg_messages import leg_response
from b2bua.feature_server.reliable_answers import ReliableAnswers, Told
from b2bua.sip.errors import SipError
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.rack import RAck, rack_of
from b2bua.sip.rseq import rseq_of
from b2bua.sip.why import Why
from b2bua.transaction.client import NOBODY
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg
    from b2bua.feature_server.setup import Setup

NO_PRACK: Final[Why] = (None, "timer 100rel: no PRACK within 64·T1 (32 s), given up (RFC 3262 §3)")
OFFER_NOT_PASSED: Final[Why] = (None, "B2BUA: the other party can hear no offer now; it may come again without")


class EarlyDialogs:
    """All of one call; known to both its legs until the caller has its final response and nothing is left to acknowledge."""

    def __init__(self, setup: Setup, call: Call, invite: Request, first: Leg) -> None:
        """`first` is the callee that the caller has heard already, if anything was said."""
        off = call.environment.reliable == NEVER
        self._setup = setup
        self._call = call
        self._invite = invite
        self._supports = not off and supports(invite)
        self._demands = not off and demands(invite)
        self._branches = Branches(call, invite.cseq)
        self._callees: list[Leg] = []
        self._offer: EarlyOffer | None = None
        self._resume: Callable[[], None] | None = None
        """What to do with the 2xx that is held back."""
        self._finished = False
        if first.dialog.remote_tag:  # what came before there was any need of us
            self._branches.begun(first)
        if first.aside:
            self.left(first)
        call.caller.early = self
        for leg in call.legs[1:]:
            self.joined(leg)

    def joined(self, leg: Leg) -> None:
        """Another callee."""
        self._callees.append(leg)
        leg.early = self

    def left(self, leg: Leg) -> None:
        """The call goes on without this callee: nothing more is said in its early dialogs, while the caller may still
        acknowledge what was."""
        for branch in self._branches:
            if branch.leg is leg:
                branch.over = True
                if branch.answers is not None:
                    branch.answers.final()
        offer = self._offer
        if offer is not None and offer.branch.leg is leg:
            offer.abandoned()

    # -- which one ---------------------------------------------------------------------------------------------

    def dialog_of(self, leg: Leg, request: Request) -> Dialog | None:
        """The dialog of a request from the party of `leg`."""
        branch = self._branches.asked(leg, request)
        return None if branch is None else self._branches.side(branch, leg)

    def across(self, leg: Leg, request: Request) -> Dialog | None:
        """Where a request from the party of `leg` goes on: the same branch on the other side."""
        branch = self._branches.asked(leg, request)
        return None if branch is None else self._branches.side(branch, leg.other)

    def far(self, branch: Branch, leg: Leg) -> Leg:
        """The leg on the other side of this branch."""
        return self._branches.far(branch, leg)

    # -- the callee's responses --------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response, heard: bool = False) -> None:
        """A provisional response above 100 of the party of `leg`; `heard`: the features have let it pass already."""
        branch = self._branches.answering(leg, response)
        if branch is None:
            return
        if heard:
            self._pass(branch, response)
            return
        if response.has("Allow"):
            branch.updates = "UPDATE" in response.elements("Allow")
        rseq = rseq_of(response)
        if rseq:
            order = branch.received.take(rseq)
            if order is Order.REPEATED and branch.kept is not None:
                # A feature keeps it, or still thinks about it: the callee need not repeat it.
                kept, branch.kept = branch.kept, None
                self._acknowledge(branch, kept)
            if order is not Order.NEXT:
                return
            branch.kept = response
        self._call.run_hooks("response_received", leg, response, partial(self._pass, branch), self._setup.failed)

    def _pass(self, branch: Branch, response: Response | Request) -> None:
        """Tell the caller, in the way that it understands."""
        assert isinstance(response, Response)
        call, setup = self._call, self._setup
        if call.exchange is not setup or branch.over:
            return
        source, branch.kept = branch.kept, None
        through = source is not None and self._supports
        if source is not None and not through:
            self._acknowledge(branch, source)
        body = call.caller.render(response, b"" if branch.agreed else setup.offer())
        if self._demands and not through and not setup.offered:
            body = b""  # sent reliably it would be an offer, to be answered in the PRACK: the callee did not mean that
        if body and is_sdp(response):
            branch.described = response
            if through and not branch.agreed:
                self._described(branch, response, body)
        setup.rang(branch.leg)
        self._tell(branch, response.status, response, body, source if through else None)

    def _described(self, branch: Branch, response: Response, body: bytes) -> None:
        """A description that both sides hear reliably: the answer, or where the INVITE had no offer, that."""
        if self._setup.offered:
            branch.complete(self._call.caller, (self._setup.theirs, body), (response.body, branch.leg.first_offer))
        else:
            branch.offer = response.body, body

    def tell(
        self, status: int, source: Message | None, body: bytes, reason: str, why: Why | None, *headers: tuple[str, str]
    ) -> None:
        """A provisional response of a feature's own to the caller."""
        branch = next((branch for branch in self._branches if not branch.over), None)
        if branch is None:
            branch = self._branches.image()
        self._tell(branch, status, source, body, None, reason, why, *headers)

    def _tell(
        self, branch: Branch, status: int, source: Message | None, body: bytes, acknowledges: Response | None,
        reason: str = "", why: Why | None = None, *headers: tuple[str, str],
    ) -> None:  # fmt: skip
        caller = self._call.caller
        transaction = caller.usage.server
        if transaction is None or transaction.request is None:
            return
        response = leg_response(caller, transaction.request, status, source, body, reason, why, branch.caller)
        response.extend(headers)
        if acknowledges is None and not self._demands:
            caller.usage.respond(response)
            return
        if branch.answers is None:
            branch.answers = ReliableAnswers(self._call.environment, transaction, self._given_up)
        described = bool(body) and source is not None and is_sdp(source)
        branch.answers.send(Told(response, described, acknowledges))

    def _given_up(self) -> None:
        """RFC 3262 §3: 64·T1 without a PRACK, 5xx to the INVITE."""
        call = self._call
        call.caller.respond(500, None, reason="No PRACK", why=NO_PRACK)
        call.finish("failed", ("Reason", 'SIP;cause=408;text="No PRACK"'))

    # -- PRACK -------------------------------------------------------------------------------------------------

    def prack(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        """From a party; SipError 481 when it acknowledges nothing."""
        rack = rack_of(request)
        branch = self._branches.asked(leg, request) if leg is self._call.caller else None
        told = branch.named(rack, self._invite.cseq) if branch is not None else None
        if branch is None or told is None:
            raise SipError(481).because("B2BUA: it acknowledges no response that is open (RFC 3262 §3)")
        if request.body and is_sdp(request) and branch.offer is None and self._call.exchange is self._setup:
            branch.refused = rack, told  # unless it is accepted
            self._offered(branch, leg, transaction, request, told.source)
        else:
            branch.refused = None
            leg.answer(transaction, request, 200)
            if told.source is not None and self._call.stands() and not branch.over:
                self._pass_prack(branch, leg, request, told.source)
        self._go_on()

    def _pass_prack(self, branch: Branch, leg: Leg, request: Request, source: Response) -> None:
        """The caller's PRACK as ours to the callee; an answer in it has a feature's look before."""
        if not request.body:
            self._acknowledge(branch, source, request)
            return

        def forward(prack: Request | Response) -> None:
            assert isinstance(prack, Request)
            offer = branch.offer
            body = branch.leg.render(prack, offer[0] if offer is not None else b"")
            if offer is not None and is_sdp(prack):
                branch.complete(self._call.caller, (prack.body, offer[1]), (offer[0], body))
            self._acknowledge(branch, source, prack, body)
            self._go_on()

        self._call.run_hooks("request_received", leg, request, forward, self._setup.failed)

    def _acknowledge(self, branch: Branch, source: Response, prack: Request | None = None, body: bytes = b"") -> None:
        """Our PRACK to the callee: the caller's, or one of our own. What becomes of it is the callee's care: without it the
        callee ends the call (§3)."""
        if not branch.leg.ended:
            rack = RAck(rseq_of(source), source.cseq, "INVITE")
            send_early(branch.leg, branch.callee, "PRACK", prack, body, NOBODY, ("RAck", str(rack)))

    # -- offers before the answer ------------------------------------------------------------------------------

    def update(self, leg: Leg, transaction: ServerTransaction, request: Request) -> bool:
        """An UPDATE with an offer; SipError 491 where it crosses an offer to this party (RFC 3311 §5.2). False when it cannot
        be passed on now: an offer of this party is open, there is no session yet, the other party takes no UPDATE."""
        branch = self._branches.asked(leg, request)
        if branch is None or branch.over:
            raise SipError(481).because("B2BUA: this early dialog is over")
        if self._offer is not None:
            if self._offer.leg is leg:
                return False
            raise SipError(491).because("glare: an offer to this party is open (RFC 3311 §5.2)")
        towards_leg = branch.offer is not None if leg is self._call.caller else self._setup.offered
        if not branch.agreed and towards_leg:
            raise SipError(491).because("glare: the first offer to this party has no answer yet (RFC 3311 §5.2)")
        if not branch.agreed or not self._takes_update(self.far(branch, leg), branch):
            return False
        self._begin(EarlyOffer(self, self._call, branch, leg, transaction, request, None))
        return True

    def _takes_update(self, leg: Leg, branch: Branch) -> bool:
        return branch.updates if leg is not self._call.caller else "UPDATE" in self._invite.elements("Allow")

    def _offered(
        self, branch: Branch, leg: Leg, transaction: ServerTransaction, request: Request, source: Response | None
    ) -> None:
        """An offer in a PRACK: on in ours, or where there is none to send, in an UPDATE. A callee that can hear neither says
        no through us."""
        possible = source is not None or (branch.agreed and self._takes_update(self.far(branch, leg), branch))
        if self._offer is None and possible and not branch.over:
            self._begin(EarlyOffer(self, self._call, branch, leg, transaction, request, source))
            return
        leg.answer(transaction, request, 488, why=OFFER_NOT_PASSED)  # it may come again without

    def _begin(self, offer: EarlyOffer) -> None:
        self._offer = offer
        offer.start()

    def send_offer(self, offer: EarlyOffer, request: Request, body: bytes) -> None:
        """From an early offer: it goes to the other party."""
        far = self.far(offer.branch, offer.leg)
        source, dialog = offer.acknowledges, self._branches.side(offer.branch, far)
        if source is None:
            send_early(far, dialog, "UPDATE", request, body, offer)
        else:
            rack = RAck(rseq_of(source), source.cseq, "INVITE")
            send_early(far, dialog, "PRACK", request, body, offer, ("RAck", str(rack)))

    def target_refreshed(self, branch: Branch, leg: Leg, message: Message) -> None:
        """An UPDATE that was accepted moves its sender's target, its 2xx the other's (RFC 3311 §5.1, §5.2)."""
        self._branches.side(branch, leg).refresh_target(message)

    def offer_ended(self, offer: EarlyOffer, status: int) -> None:
        """From an early offer: it has its answer."""
        if status < 300:
            offer.branch.refused = None
        if self._offer is offer:
            self._offer = None
            self._go_on()

    # -- the end -----------------------------------------------------------------------------------------------

    def select(self, leg: Leg, response: Response) -> None:
        """The 2xx of the callee of `leg`: its branch is the call."""
        caller, branch = self._call.caller, self._branches.answering(leg, response)
        if branch is None:  # one of very many; its dialogs are as good as any
            branch = Branch(leg, leg.dialog, caller.dialog)
        self._branches.selected = branch
        for side in (caller, leg):
            side.dialog = side.usage.dialog = self._branches.side(branch, side)
        if branch.said is not None:
            caller.descriptions.completed(*branch.said[0])
            leg.descriptions.completed(*branch.said[1])

    @property
    def selected(self) -> Branch | None:
        """The one that was answered."""
        return self._branches.selected

    @property
    def agreed(self) -> bool:
        """Whether the descriptions are settled in the dialog that was answered."""
        return self.selected is not None and self.selected.agreed

    def holds_back(self, resume: Callable[[], None]) -> bool:
        """Whether the 2xx to the caller has to wait: for the PRACK of a description (§5), or an offer's answer. `resume`
        then."""
        branch = self.selected
        described = branch is not None and branch.answers is not None and not branch.answers.undescribed
        if not described and self._offer is None:
            return False
        self._resume = resume
        return True

    def _go_on(self) -> None:
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        self._let_go()

    def final(self) -> None:
        """The caller has its final response, or the call is over: nothing is repeated any more."""
        self._finished = True
        self._resume = None
        for branch in self._branches:
            if branch.answers is not None:
                branch.answers.final()
        offer, self._offer = self._offer, None
        if offer is not None:
            offer.abandoned()
        self._let_go()

    def _let_go(self) -> None:
        """Once nothing is left to acknowledge the legs do without us."""
        if self._finished and all(branch.answers is None or branch.answers.over for branch in self._branches):
            for leg in (self._call.caller, *self._callees):
                leg.early = None
