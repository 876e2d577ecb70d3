"""A call: two legs and what passes between them. One thing is under way at a time: the set-up, or one re-INVITE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.blame import feature_of
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.diversion import UNCONDITIONAL
from b2bua.feature_server.hooks import Hooks, Pause
from b2bua.feature_server.leg import CALLEE, CALLER, Leg, contact_of
from b2bua.feature_server.media_again import MediaAgain
from b2bua.feature_server.media_leg import MediaLeg
from b2bua.feature_server.music_offer import MusicOffer
from b2bua.feature_server.privacy import ANONYMOUS, ANONYMOUS_URI
from b2bua.feature_server.recorded import restored_legs
from b2bua.feature_server.referral import refer, resubscribe
from b2bua.feature_server.refresh import Refresh
from b2bua.feature_server.refusals import CALL_OVER
from b2bua.feature_server.reinvite import Reinvite
from b2bua.feature_server.relay import relay
from b2bua.feature_server.setup import Setup
from b2bua.feature_server.update import update
from b2bua.sip.address import parse_address
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.privacy import privacy_levels
from b2bua.sip.response_to import response_to
from b2bua.sip.served_user import who_is_served
from b2bua.sip.uri import Uri, parse_uri
from b2bua.sip.why import Why
from b2bua.store.call_detail import CallDetail
from b2bua.store.call_record import CallRecord
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import NEVER, T4, TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.b2bua import B2bua
    from b2bua.feature_server.call_keeper import CallKeeper
    from b2bua.feature_server.callees import Callees
    from b2bua.feature_server.places import Handover

OVER: Final = "B2BUA: the call is over: {}"
RESULTS: Final = MappingProxyType({
    "answered": "the other party has hung up", "cancelled": "its caller has given up", "busy": "the callee is busy",
    "no_answer": "the callee has not answered", "rejected": "it was refused", "failed": "it failed",
    "timed_out": "its session has expired", "too_long": "it has lasted too long",
})  # fmt: skip
"""Result of a call as it is counted → in words, for the trace."""
NOT_ANSWERED: Final = "glare: the first INVITE of the call is not answered yet (RFC 3261 §14.2)"
CHANGES: Final = "glare: another party is about to take the other one's place"
OTHER_LEG: Final = "glare: the other party's re-INVITE is under way, and one goes at a time in a call"
TOO_LONG: Final = "timer call_length_max: {} s are over, whatever the call is doing"
REPLACED: Final[Why] = (None, "B2BUA: another party takes the caller's place while the call rings")
NO_ACK: Final[Why] = (None, "timer: no ACK of the 2xx within 64·T1 (32 s): BYE to both (RFC 3261 §13.3.1.4)")
TRYING: Final = "trying"
EARLY: Final = "early"
CONFIRMED: Final = "confirmed"
ENDED: Final = "ended"

_SHOWN: Final[dict[tuple[str, bool, bool], tuple[str, bool, bool]]] = {}
"""State, and who holds, as calls have shown it: one of each for all calls."""


class Exchange(Protocol):
    """What is under way in a call: `Setup`, `Reinvite`, `Refresh` or `OwnOffer`."""

    def progressed(self, leg: Leg, response: Response) -> None: ...

    def accepted(self, leg: Leg, response: Response) -> None: ...

    def refused(self, leg: Leg, status: int, response: Response | None) -> None: ...

    def acknowledged(self, leg: Leg, ack: Request) -> None: ...

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None: ...

    def abandoned(self) -> None:
        """The call ends by a BYE meanwhile."""


class Call:
    """Between `caller` and `callee`. Features read it; only the toolkit changes it, but for `holding` of its legs."""

    __slots__ = (
        "environment", "hooks", "id", "state", "exchange", "since", "held_since", "identity", "mark", "b2bua", "tick",
        "_shown", "_apart", "caller", "callee", "keeper", "kept", "ended_by", "handover", "absorbed",
        "serves", "served", "acted", "over_because", "detail",
    )  # fmt: skip

    def __init__(self, b2bua: B2bua, name: str, identity: tuple[str, str, int]) -> None:
        """Without legs: `of_invite` and `restored` give it both."""
        environment = b2bua.environment
        self.environment: Environment = environment
        self.hooks: Hooks = b2bua.hooks
        self.acted: Why | None = None
        """For the trace: what a feature or the toolkit has decided, until the message that leaves for it."""
        self.over_because: Why | None = None
        """For the trace: why it ends, known before it does."""
        self.id = name
        """Also the trace's name for all that belongs to this call."""
        self.state = TRYING
        self.exchange: Exchange | None = None
        self.since = environment.layer.timers.now()
        """When the INVITE came; once confirmed, when it was answered. On the clock of the timers."""
        self.held_since: float | None = None
        """Since when a party holds, on the clock of the timers; None while nobody does."""
        self.identity = identity
        """Call-ID, From tag and CSeq of the INVITE: what a merged request has in common with the first (RFC 3261 §8.2.2.2)."""
        self.mark = ""
        """What tells the INVITE that we make of this one, should it come back (sip/loop_mark.py)."""
        self.b2bua = b2bua
        self._apart = False
        self.tick = NEVER
        """Of the wheel (`timers.Waiting`): when it has stood for too long."""
        self._shown: tuple[str, bool, bool] = ("", False, False)
        self.caller: Leg
        self.callee: Leg
        self.keeper: CallKeeper | None = b2bua.keeper
        """None where nothing outlives the process."""
        self.kept = False
        """Whether there is a record of it."""
        self.serves = ""
        """`caller` or `callee` where we are passed for each of them apart, "" where for both."""
        self.served = ""
        """The address of record of the one that we are passed for."""
        self.ended_by = ""
        """The role of the leg whose BYE ended it; or of the one that has gone, while it waits for another (`handover`)."""
        self.handover: Handover | None = None
        """What is about to exchange one of its legs."""
        self.detail: CallDetail | None = None
        """What its call detail record will say; None where none is wanted, and once it is written."""
        self.absorbed = ""
        """The recorded call that its newest leg came from: that one's record counts no more."""

    @classmethod
    def of_invite(cls, b2bua: B2bua, transaction: ServerTransaction, invite: Request) -> Call:
        """A new call."""
        name = b2bua.environment.layer.identifiers.call_id()
        call = cls(b2bua, name, (invite.call_id, invite.from_.tag, invite.cseq))
        call.caller = call._caller_leg(transaction, invite, _towards_caller(invite))
        call.callee = call._callee_leg(invite, invite.uri, _towards_callee(invite))
        call.caller.other, call.callee.other = call.callee, call.caller
        case, call.served = who_is_served(invite)
        if case:
            call.serves = CALLER if case == "orig" else CALLEE
        return call

    @classmethod
    def restored(cls, b2bua: B2bua, record: CallRecord) -> Call:
        """A call that stood before a restart; MalformedValue when the record makes none. `go_on` starts it."""
        timers, wall = b2bua.environment.layer.timers, b2bua.environment.wall()
        call = cls(b2bua, record.id, record.invite)
        now = timers.now()
        call.caller, call.callee = restored_legs(call, record, now, wall)
        call.caller.other, call.callee.other = call.callee, call.caller
        call.state, call.kept, call.ended_by, call.absorbed = CONFIRMED, True, record.ended_by, record.absorbed
        call.serves, call.served, call.detail = record.serves, record.served, record.detail
        call.since = record.since - wall + now
        call.held_since = None if record.held_since is None else record.held_since - wall + now
        return call

    def _caller_leg(self, transaction: ServerTransaction, invite: Request, known_as: Uri) -> Leg:
        environment = self.environment
        contact = contact_of(environment, known_as)
        dialog = Dialog.as_server(invite, environment.layer.identifiers.tag(), contact)
        asserted = invite.elements("P-Asserted-Identity")
        identity = parse_address(asserted[0]) if asserted else invite.from_
        leg = Leg(self, environment, CALLER, dialog, str(identity.parsed_uri().without_parameters()))
        leg.usage.invite_received(transaction, 0)
        leg.session.check(invite)
        return leg

    def _callee_leg(self, invite: Request, uri: str, known_as: Uri) -> Leg:
        identifiers = self.environment.layer.identifiers
        call_id, tag = identifiers.call_id(), identifiers.tag()
        contact = contact_of(self.environment, known_as)
        caller, levels = self.caller.dialog.remote, privacy_levels(invite)
        if "user" in levels:
            caller, self.caller.known_as = ANONYMOUS, ANONYMOUS_URI
        elif "id" in levels:
            self.caller.known_as = str(invite.from_.parsed_uri().without_parameters())
        dialog = Dialog(call_id, caller, tag, invite.get("To") or "", uri, contact)
        dialog.route_set = invite.elements("Route")[1:]
        return Leg(self, self.environment, CALLEE, dialog, str(parse_uri(uri).without_parameters()))

    # -- other callees -------------------------------------------------------------------------------------------

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The caller's, and those of all callees that may answer: `callee` alone, but while several ring."""
        exchange = self.exchange
        callees = exchange.callees if isinstance(exchange, Setup) else None
        return (self.caller, self.callee) if callees is None else (self.caller, *callees.ringing)

    def redirect(self, targets: Sequence[str], cause: int = UNCONDITIONAL, leg: Leg | None = None) -> None:
        """Before the answer: the callee of `leg`, or all that may answer, give way to others, who ring all at once.

        `targets` are URIs. `cause` is why: a status as in diversion.py. SipError when it cannot be: 482 where all of them had
        their turn, 483 after too many, 481 where this callee is none any more.
        """
        callees = self._callees()
        if self.detail is not None:
            self.b2bua.details.forwarded(self.detail, leg or self.callee, targets, cause)
        callees.redirect([leg] if leg is not None else list(callees.ringing), targets, cause)

    def ring_also(self, targets: Sequence[str], leg: Leg | None = None) -> None:
        """The same, and this callee rings on: who answers first has the call."""
        self._callees().ring_also(leg or self.callee, targets)

    def _callees(self) -> Callees:
        if not isinstance(self.exchange, Setup) or self.callee.answered:
            raise SipError(481).because("B2BUA: the call is answered already, or was never offered")
        return self.exchange.all_callees()

    def new_callee(self, uri: str, invite: Request) -> Leg:
        """From the callees: a leg for one more."""
        known_as = parse_address(self.callee.dialog.contact).parsed_uri()
        leg = self._callee_leg(invite, uri, known_as)
        self.b2bua.joined(leg)
        leg.other, leg.silent = self.caller, True
        if self.caller.early is not None:
            self.caller.early.joined(leg)
        self.environment.leg_joined(self.id, leg.dialog.call_id)
        return leg

    def stands_with(self, leg: Leg) -> None:
        """From the callees: this one stands for all of them."""
        self.callee, self.caller.other = leg, leg

    def leave(self, leg: Leg, *headers: tuple[str, str]) -> None:
        """From the callees: the call goes on without this one, which hears CANCEL or nothing."""
        leg.aside = True
        if leg.early is not None:
            leg.early.left(leg)
        if leg.gone:
            self._take_apart_later(leg)
        else:
            leg.release(*headers)
        self.b2bua.left(leg.party)
        self.hooks.tell("callee_left", self.hook_failed, self, leg)

    def caller_leaves(self, stand_in: Leg) -> None:
        """From a transfer: the caller hears 487, and the call rings on for whoever is to have it; until then this leg, which
        nobody is behind, is the caller's. SipError 480 where that party has as many calls as it may."""
        leaving = self.caller
        self.b2bua.joined(stand_in)
        for leg in self.legs[1:]:
            leg.other = stand_in
        stand_in.other, self.caller = self.callee, stand_in
        leaving.aside = True
        leaving.refuse(487, REPLACED)
        leaving.over()
        self.b2bua.left(leaving.party)
        self.hooks.tell("callee_left", self.hook_failed, self, leaving)
        self.parties_changed()

    def parties_changed(self) -> None:
        """The legs are others than those that the features know."""
        self._shown = ("", False, False)
        self.changed()

    def answer(self, source: str) -> None:
        """Be the callee ourselves: the caller hears this source of `environment.media` (contract.py) until somebody hangs up.

        For `call_offered`, before the INVITE goes on, which then goes to nobody. SipError 480 where there is no media.
        """
        there = self.callee
        assert there.usage.client is None and not there.ended, "the callee has been asked already"
        self.callee = MediaLeg(there, source)
        self.caller.other, self.callee.other = self.callee, self.caller
        self.b2bua.exchanged(self.callee)
        if isinstance(self.exchange, Setup) and self.exchange.callees is not None:
            self.exchange.callees.exchanged(there, self.callee)
        there.take_apart()

    def callee_hooks(self, name: str) -> tuple[Callable[..., Any], ...]:
        """This hook of the features that act for a callee; none where we are passed once more, for the callee."""
        return () if self.serves == CALLER else self.hooks.overridden(name)

    def tells_of(self, leg: Leg) -> bool:
        """Whether the state of this leg's party is ours to tell: another pass tells that of the other party, and of a callee
        that the call has gone on to."""
        return not self.serves or (leg.role == self.serves and (leg.role == CALLER or leg.party == self.served))

    # -- life --------------------------------------------------------------------------------------------------

    def start(self, invite: Request) -> None:
        """Offer the call to the features and then to the callee."""
        self._name_legs()
        longest = self.environment.limits.call_length_max
        if longest:
            self.environment.layer.timers.put(self, longest)
        self.b2bua.details.begun(self, invite)
        self.environment.log("call_offered", call=self.id, user=self.caller.party, callee=self.callee.party)
        self.exchange = Setup(self, invite)
        self.exchange.start()

    def _name_legs(self) -> None:
        """For the trace, which forgets whose legs they are where thousands of calls came meanwhile."""
        for leg in (self.caller, self.callee):
            self.environment.leg_joined(self.id, leg.dialog.call_id)

    def go_on(self) -> None:
        """Once restored: show what stands, or bring to its end what was ending."""
        self._name_legs()
        longest = self.environment.limits.call_length_max
        if longest:
            left = self.since + longest - self.environment.layer.timers.now()
            self.environment.layer.timers.put(self, left)
        local = next((leg for leg in (self.caller, self.callee) if leg.source), None)
        again = None if local is None or self.ended_by else self._media_again(local)
        if again is not None:
            self.changed()
            again.start()
        elif local is not None:
            # The stream ended with the process: so does the call, for whoever listens to nothing cannot know why.
            local.over()
            self.finish("failed", ("Reason", 'SIP;cause=500;text="Media lost"'), spare=local)
        elif self.ended_by:
            gone = self.caller if self.ended_by == CALLER else self.callee
            gone.over()
            if self.detail is not None:
                self.detail.ended_by = self.ended_by
            self.finish("answered", spare=gone)
        else:
            self.changed()

    def _media_again(self, local: Leg) -> MediaAgain | None:
        """Another stream of ours in the place of one that ended with an earlier process; None where none is wanted, or none can
        be had."""
        if not local.note:
            return None
        try:
            again = MediaAgain(local)
        except SipError:
            return None
        media = again.take_place(self)
        if local.role == CALLER:
            self.caller = media
        else:
            self.callee = media
        local.take_apart()
        return again

    def enter(self, state: str) -> None:
        """Go on to the next state; never back."""
        if self.state != ENDED and state != self.state:
            self._measure(state)
            self.state = state
            self.changed()

    def _measure(self, state: str) -> None:
        """Tell the observer how long this step of the set-up took."""
        if state == TRYING:
            return
        observer, now = self.environment.observer, self.environment.layer.timers.now()
        if self.state == TRYING:
            observer.call_progressed(now - self.since)
        if state == EARLY and self.detail is not None:
            self.b2bua.details.rang(self.detail)
        if state == CONFIRMED:
            if self.detail is not None:
                self.b2bua.details.answered(self.detail, self)
            seconds = now - self.since
            observer.call_answered(seconds)
            self.environment.log(
                "call_answered", call=self.id, user=self.caller.party, callee=self.callee.party, seconds=seconds
            )
            self.since = now

    def changed(self) -> None:
        """Tell the features when state or hold differ from what they were told last."""
        shown = (self.state, self.caller.holding, self.callee.holding)
        if shown != self._shown:
            self._shown = _SHOWN.setdefault(shown, shown)
            if shown[1] or shown[2]:
                if self.held_since is None:
                    self.held_since = self.environment.layer.timers.now()
                    if self.detail is not None:
                        self.detail.holds += 1
                    self.environment.log("call_held", call=self.id, user=(self.caller if shown[1] else self.callee).party)
            elif self.held_since is not None:
                if self.detail is not None:
                    self.detail.held += self.environment.layer.timers.now() - self.held_since
                self.held_since = None
                self.environment.log("call_resumed", call=self.id)
            self.hooks.tell("call_changed", self.hook_failed, self)

    def joined(self, rest: Call, offerer: Leg) -> None:
        """One leg is another now, and its party has agreed with the other one on an offer of the party of `offerer`; what is
        left of two calls is `rest`, which ends. The trace shows them as one call."""
        self.b2bua.moved(self)
        self._name_legs()
        self.environment.leg_joined(self.id, rest.id)
        self._shown = ("", False, False)
        self.hooks.tell("call_joined", self.hook_failed, self, offerer)
        self.changed()

    def finish(self, result: str, *headers: tuple[str, str], spare: Leg | None = None) -> None:
        """End the call: release both legs (but `spare`, which ended itself) and tell the features. Idempotent."""
        if self.state == ENDED:
            return
        self._name_legs()
        exchange, self.exchange = self.exchange, None
        if self.over_because is None:
            self.over_because = (None, OVER, RESULTS.get(result, result))
        if exchange is not None:
            exchange.abandoned()
        for leg in (self.caller, self.callee):
            if leg is not spare:
                leg.release(*headers)
        observer = self.environment.observer
        seconds = self.environment.layer.timers.now() - self.since
        if self.state == CONFIRMED:
            observer.call_lasted(seconds)
        self.environment.log(
            "call_ended", call=self.id, user=self.caller.party, callee=self.callee.party, result=result, seconds=seconds
        )
        self.b2bua.details.ended(self, result, headers)
        self.state = ENDED
        self.tick = NEVER
        self.b2bua.ended(self)
        observer.call_ended(result)
        self.changed()
        self.hooks.tell("call_ended", self.hook_failed, self)
        handover, self.handover = self.handover, None
        if handover is not None:
            handover.call_ended(self)

    def expire(self) -> None:
        """From the wheel, the backstop: however it came that the call still stands, it ends."""
        self.tick = NEVER
        why: Why = (None, TOO_LONG, self.environment.limits.call_length_max)
        self.over_because = self.acted = why
        if not self.caller.answered:
            self.acted = None
            self.caller.refuse(480, why)
        self.finish("too_long", ("Reason", 'SIP;cause=480;text="Call too long"'))

    def leg_forked(self, leg: Leg, key: tuple[str, str]) -> None:
        """From an early dialog: requests that match this key, too, are of this leg."""
        self.b2bua.remember(leg, key)

    def leg_over(self, leg: Leg) -> None:
        """From a leg: its dialog is gone."""
        self.b2bua.forget(leg)
        if leg.aside:
            self._take_apart_later(leg)
            return
        if self.kept and leg.other.gone and self.keeper is not None:
            self.keeper.drop(self)
        if leg.other.ended and not self._apart:
            # Behind the transactions that may still speak to the legs: a repeated 2xx is acknowledged again for 64·T1.
            self._apart = True
            self.environment.layer.timers.start(TIMEOUT + T4, self._take_apart)

    def _take_apart_later(self, leg: Leg) -> None:
        self.environment.layer.timers.start(TIMEOUT + T4, leg.take_apart)

    def _take_apart(self) -> None:
        self.caller.take_apart()
        self.callee.take_apart()

    def hook_failed(self, error: BaseException) -> None:
        """A feature raised: counted and logged, never fatal."""
        observer = self.environment.observer
        observer.internal_error("feature")
        observer.feature_failed(feature_of(error), "raised")
        error.add_note(f"call {self.caller.dialog.call_id}")
        self.environment.failed(error, None)

    def sleep(self, seconds: float) -> Pause:
        """For `async def` hooks: `await call.sleep(2)`."""
        return Pause(lambda resume: self.environment.layer.timers.start(seconds, resume))

    # -- requests in dialog ------------------------------------------------------------------------------------

    def request_received(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        """A request from the party of `leg`, its CSeq already checked."""
        if leg.aside:
            self._from_aside(leg, transaction, request)
        elif request.method == "INVITE":
            self._reinvite(leg, transaction, request)
        elif request.method == "BYE":
            self._bye(leg, transaction, request)
        elif request.method == "UPDATE":
            update(self, leg, transaction, request)
        elif request.method == "OPTIONS":
            leg.answer(transaction, request, 200)
        elif request.method == "PRACK":
            if leg.early is None:
                raise SipError(481).because("B2BUA: there is no reliable response that could be acknowledged (RFC 3262 §3)")
            leg.early.prack(leg, transaction, request)
        elif request.method == "REFER":
            refer(self, leg, transaction, request)
        elif request.method == "SUBSCRIBE":
            resubscribe(self, leg, transaction, request)
        else:
            relay(self, leg, transaction, request)

    def _from_aside(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        """From a callee that the call goes on without."""
        if request.method != "BYE":
            raise SipError(481).because("B2BUA: the call goes on without this party, which may only hang up")
        leg.answer_bye(transaction, request)
        leg.over()

    def _reinvite(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        if self.state != CONFIRMED:
            # RFC 3261 §14.2: our answer to the first INVITE is still open.
            raise SipError(500, "", ("Retry-After", str(self._seconds()))).because(NOT_ANSWERED)
        leg.session.check(request)
        if leg.other.ended:
            raise SipError(491).because(CHANGES)  # another party is about to take that one's place
        pending = self.exchange
        if isinstance(pending, (Refresh, MusicOffer)) and pending.takes(leg):
            self._take(leg, transaction, request)
            pending.then(leg, request)
            return
        if isinstance(pending, Reinvite) and pending.waits_to_retry and leg is pending.far:
            # Both sides collided and the far side came back first: its own goes (protocol.md §4).
            self._take(leg, transaction, request)
            self.environment.observer.glare("yielded")
            pending.give_way(lambda: self.begin(leg, request))
            return
        # Re-INVITEs are serialised per call: the other leg's gets 491 while one is forwarded, or its answer waits for the record.
        if (pending is not None or leg.other.usage.server is not None) and leg.usage.server is None:
            self.environment.observer.glare("refused")
            raise SipError(491).because(OTHER_LEG)
        try:
            self._take(leg, transaction, request)
        except SipError as error:
            if error.status == 491:
                self.environment.observer.glare("refused")
            raise
        self.begin(leg, request)

    def _take(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        """Accept a re-INVITE for work. Its 100 says so at once: without one nobody may CANCEL it (RFC 3261 §9.1)."""
        leg.usage.invite_received(transaction, self._seconds())
        self.environment.layer.respond(transaction, response_to(request, 100))

    def begin(self, leg: Leg, request: Request) -> None:
        """Start on a re-INVITE, or an UPDATE with an offer, that has been taken."""
        if self.state == ENDED:
            leg.refuse(487, CALL_OVER)
            return
        self._name_legs()
        exchange = Reinvite(self, leg, request)
        self.exchange = exchange
        exchange.start()

    def _bye(self, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        """BYE always wins: 200 to it, 487 to what is open, BYE to the other leg, all at once."""
        waits = self.handover is not None and self.handover.may_leave(leg)
        if self.detail is not None and not waits:
            self.detail.ended_by, self.detail.reasons = leg.role, request.get_all("Reason")
        if self.kept and self.keeper is not None and not self.ended_by:
            self.ended_by = leg.role
            self.keeper.keep(self, lambda _kept: leg.answer_bye(transaction, request))
        else:
            leg.answer_bye(transaction, request)
        leg.over()  # where BYEs crossed, ours is still open: its answer changes nothing
        if waits:
            self.b2bua.moved(self)
            self._shown = ("", False, False)
            self.changed()
            return
        reasons = tuple(("Reason", value) for value in request.get_all("Reason"))
        self.finish("answered" if leg.answered else "cancelled", *reasons, spare=leg)

    def reinvite_answered(self, leg: Leg, status: int) -> None:
        """A final response to the re-INVITE of `leg` left: when a feature sent it, nothing is under way any more."""
        if isinstance(self.exchange, Reinvite) and leg is self.exchange.origin:
            self.exchange.answered_by_feature(status)

    def _seconds(self) -> int:
        return int(self.environment.uniform(0, 10))

    # -- events of the legs ------------------------------------------------------------------------------------

    def progressed(self, leg: Leg, response: Response) -> None:
        if self.exchange is not None and not leg.aside:
            self.exchange.progressed(leg, response)

    def accepted(self, leg: Leg, response: Response) -> None:
        if self.exchange is not None and not leg.aside:
            self.exchange.accepted(leg, response)
            return
        # The call ended before the answer came: taken and given back (RFC 3261 §9.1, §15).
        if not leg.answered:
            leg.dialog.establish(response)
            leg.answered = True
        leg.usage.acknowledge()
        leg.release()

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        if self.exchange is not None and not leg.aside:
            self.exchange.refused(leg, status, response)
        elif not leg.answered:
            leg.over()

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        if self.exchange is not None:
            self.exchange.acknowledged(leg, ack)

    def ack_missing(self, leg: Leg) -> None:
        """Nobody acknowledged our 2xx (RFC 3261 §13.3.1.4); an offerless exchange owes the other side its ACK still."""
        if leg.other.usage.owes_ack:
            leg.other.usage.acknowledge()
        if leg.confirmed and self.b2bua.peer_died():
            # The ACK, or the phone's connection, died with Session Manager: whoever is there says so (a declared deviation).
            Refresh.begin(leg, "INVITE")
            return
        self.over_because = NO_ACK
        self.finish("failed", ("Reason", 'SIP;cause=408;text="No ACK"'))

    def run_hooks(
        self, name: str, leg: Leg, message: Request | Response, then: Callable[[Request | Response], None],
        failed: Callable[[BaseException], None], wanted: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        """Pass a message of `leg` through the features; `then` gets it unless one of them kept it.

        `wanted`: whether it still matters after a feature let it wait; by default as long as the call stands.
        """
        self.hooks.run(name, (self, leg), message, then, failed, wanted or self.stands)

    def stands(self) -> bool:
        """Whether the call has not ended."""
        return self.state != ENDED


def _towards_callee(invite: Request) -> Uri:
    """Session Manager as the callee knows it: the Route by which the call goes back to it."""
    routes = invite.elements("Route")
    return _towards_caller(invite) if len(routes) < 2 else parse_address(routes[1]).parsed_uri()


def _towards_caller(invite: Request) -> Uri:
    """Session Manager as the caller knows it: the topmost Record-Route with a user part (above it may stand that of our link,
    without one), else the Request-URI."""
    for value in invite.elements("Record-Route"):
        uri = parse_address(value).parsed_uri()
        if uri.user:
            return uri
    return invite.parsed_uri()
