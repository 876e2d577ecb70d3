"""A call: two legs and what passes between them. One thing is under way at a time: the set-up, or one re-INVITE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from b2bua.feature_server.aside import take_apart_later
from b2bua.feature_server.blame import feature_of
from b2bua.feature_server.call_state import CALLEE, CALLER, CONFIRMED, EARLY, ENDED, TRYING, CallState
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.diversion import UNCONDITIONAL
from b2bua.feature_server.exchange import Exchange, GivenWay, release_waiting
from b2bua.feature_server.hooks import Hooks, Pause
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.legs_of_invite import callee_leg, caller_leg
from b2bua.feature_server.media_leg import MediaLeg
from b2bua.feature_server.refresh import Refresh
from b2bua.feature_server.refusals import CALL_OVER
from b2bua.feature_server.reinvite import Reinvite
from b2bua.feature_server.setup import Setup
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.served_user import who_is_served
from b2bua.sip.why import Why
from b2bua.store.call_detail import CallDetail, Side
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import NEVER, T4, TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.all_calls import AllCalls
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
TOO_LONG: Final = "timer call_length_max: {} s are over, whatever the call is doing"
NO_ACK: Final[Why] = (None, "timer: no ACK of the 2xx within 64·T1 (32 s): BYE to both (RFC 3261 §13.3.1.4)")

_Shown = tuple[Literal["", CallState], bool, bool]
_SHOWN: Final[dict[_Shown, _Shown]] = {}
"""State, and who holds, as calls have shown it: one of each for all calls."""


class Call:
    """Between `caller` and `callee`. Features read it; only the toolkit changes it, but for `holding` of its legs."""

    __slots__ = (
        "environment", "hooks", "id", "state", "exchange", "waiting", "since", "held_since", "identity", "mark", "all_calls",
        "tick", "_shown", "_apart", "caller", "callee", "keeper", "kept", "ended_by", "handover", "absorbed",
        "serves", "served", "acted", "over_because", "detail",
    )  # fmt: skip

    def __init__(self, all_calls: AllCalls, name: str, identity: tuple[str, str, int]) -> None:
        """Without legs: `of_invite` and `restored_call` give it both."""
        environment = all_calls.environment
        self.environment: Environment = environment
        self.hooks: Hooks = all_calls.hooks
        self.acted: Why | None = None
        """For the trace: what was decided where the message that leaves for it is not made: by a feature that changed one or
        sent the call on, by media of ours that took no offer. The next message of either leg tells it and uses it up, unless
        it is given a reason of its own (`why` of a leg's verbs)."""
        self.over_because: Why | None = None
        """For the trace: why it ends, known before it does."""
        self.id = name
        """Also the trace's name for all that belongs to this call."""
        self.state: CallState = TRYING
        self.exchange: Exchange | None = None
        self.waiting: tuple[Leg, Request] | None = None
        """A party's re-INVITE, or its UPDATE with an offer, that begins when the other one has its answer (exchange.py)."""
        self.since = environment.layer.timers.now()
        """When the INVITE came; once confirmed, when it was answered. On the clock of the timers."""
        self.held_since: float | None = None
        """Since when a party holds, on the clock of the timers; None while nobody does."""
        self.identity = identity
        """Call-ID, From tag and CSeq of the INVITE: what a merged request has in common with the first (RFC 3261 §8.2.2.2)."""
        self.mark = ""
        """What tells the INVITE that we make of this one, should it come back (sip/loop_mark.py)."""
        self.all_calls = all_calls
        self._apart = False
        self.tick = NEVER
        """Of the wheel (`timers.Waiting`): when it has stood for too long."""
        self._shown: _Shown = ("", False, False)
        self.caller: Leg
        self.callee: Leg
        self.keeper: CallKeeper | None = all_calls.keeper
        """None where nothing outlives the process."""
        self.kept = False
        """Whether there is a record of it."""
        self.serves: Side = ""
        """`caller` or `callee` where we are passed for each of them apart, "" where for both."""
        self.served = ""
        """The address of record of the one that we are passed for."""
        self.ended_by: Side = ""
        """The role of the leg whose BYE ended it; or of the one that has gone, while it waits for another (`handover`)."""
        self.handover: Handover | None = None
        """What is about to exchange one of its legs."""
        self.detail: CallDetail | None = None
        """What its call detail record will say; None where none is wanted, and once it is written."""
        self.absorbed = ""
        """The recorded call that its newest leg came from: that one's record counts no more."""

    @classmethod
    def of_invite(cls, all_calls: AllCalls, transaction: ServerTransaction, invite: Request) -> Call:
        """A new call."""
        name = all_calls.environment.layer.identifiers.call_id()
        call = cls(all_calls, name, (invite.call_id, invite.from_.tag, invite.cseq))
        call.caller = caller_leg(call, transaction, invite)
        call.callee = callee_leg(call, invite)
        call.caller.other, call.callee.other = call.callee, call.caller
        case, call.served = who_is_served(invite)
        if case:
            call.serves = CALLER if case == "orig" else CALLEE
        return call

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
            self.all_calls.details.forwarded(self.detail, leg or self.callee, targets, cause)
        callees.redirect([leg] if leg is not None else list(callees.ringing), targets, cause)

    def ring_also(self, targets: Sequence[str], leg: Leg | None = None) -> None:
        """The same, and this callee rings on: who answers first has the call."""
        self._callees().ring_also(leg or self.callee, targets)

    def _callees(self) -> Callees:
        if not isinstance(self.exchange, Setup) or self.callee.answered:
            raise SipError(481).because("B2BUA: the call is answered already, or was never offered")
        return self.exchange.all_callees()

    def stands_with(self, leg: Leg) -> None:
        """From the callees: this one stands for all of them."""
        self.callee, self.caller.other = leg, leg

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
        self.all_calls.exchanged(self.callee)
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
        self.name_legs()
        longest = self.environment.limits.call_length_max
        if longest:
            self.environment.layer.timers.put(self, longest)
        self.all_calls.details.begun(self, invite)
        self.environment.log("call_offered", call=self.id, user=self.caller.party, callee=self.callee.party)
        self.exchange = Setup(self, invite)
        self.exchange.start()

    def name_legs(self) -> None:
        """For the trace, which forgets whose legs they are where thousands of calls came meanwhile."""
        for leg in (self.caller, self.callee):
            self.environment.leg_joined(self.id, leg.dialog.call_id)

    def enter(self, state: CallState) -> None:
        """Go on to the next state; never back."""
        if self.state != ENDED and state != self.state:
            self._measure(state)
            self.state = state
            self.changed()

    def _measure(self, state: CallState) -> None:
        """Tell the observer how long this step of the set-up took."""
        if state == TRYING:
            return
        observer, now = self.environment.observer, self.environment.layer.timers.now()
        if self.state == TRYING:
            observer.call_progressed(now - self.since)
        if state == EARLY and self.detail is not None:
            self.all_calls.details.rang(self.detail)
        if state == CONFIRMED:
            if self.detail is not None:
                self.all_calls.details.answered(self.detail, self)
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
        self.all_calls.moved(self)
        self.name_legs()
        self.environment.leg_joined(self.id, rest.id)
        self._shown = ("", False, False)
        self.hooks.tell("call_joined", self.hook_failed, self, offerer)
        self.changed()

    def finish(self, result: str, *headers: tuple[str, str], spare: Leg | None = None) -> None:
        """End the call: release both legs (but `spare`, which ended itself) and tell the features. Idempotent."""
        if self.state == ENDED:
            return
        self.name_legs()
        exchange, self.exchange, self.waiting = self.exchange, None, None
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
        self.all_calls.details.ended(self, result, headers)
        self.state = ENDED
        self.tick = NEVER
        self.all_calls.ended(self)
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
        self.over_because = why
        if not self.caller.answered:
            self.caller.refuse(480, why)
        self.finish("too_long", ("Reason", 'SIP;cause=480;text="Call too long"'))

    def leg_forked(self, leg: Leg, key: tuple[str, str]) -> None:
        """From an early dialog: requests that match this key, too, are of this leg."""
        self.all_calls.remember(leg, key)

    def leg_over(self, leg: Leg) -> None:
        """From a leg: its dialog is gone."""
        self.all_calls.forget(leg)
        if leg.aside:
            take_apart_later(leg)
            return
        if self.kept and leg.other.gone and self.keeper is not None:
            self.keeper.drop(self)
        if leg.other.ended and not self._apart:
            # Behind the transactions that may still speak to the legs: a repeated 2xx is acknowledged again for 64·T1.
            self._apart = True
            self.environment.layer.timers.start(TIMEOUT + T4, self._take_apart)

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

    def begin(self, leg: Leg, request: Request) -> None:
        """Start on a re-INVITE, or an UPDATE with an offer, that has been taken."""
        if self.state == ENDED:
            leg.refuse(487, CALL_OVER)
            return
        self.name_legs()
        exchange = Reinvite(self, leg, request)
        self.exchange = exchange
        exchange.start()

    def reinvite_answered(self, leg: Leg, status: int) -> None:
        """A final response to the re-INVITE of `leg` left: when the far party did not give it, nothing is under way any more."""
        if isinstance(self.exchange, (Reinvite, GivenWay)) and leg is self.exchange.origin:
            self.exchange.answered_here(status)
        release_waiting(self)

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
        if leg.confirmed and self.all_calls.peer_died():
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
