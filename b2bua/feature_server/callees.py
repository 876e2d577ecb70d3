"""The callees of a call that is set up: one after another, several at once, and which of their failures the caller hears.

Made when a feature has more in mind for a call than its one callee (`Call.redirect`, `Call.ring_also`, or its hooks of
callees). Each callee is a leg with an INVITE of its own and the same offer. The first that answers is the call; the
others hear CANCEL, and nothing that they say comes to the caller. As with a proxy that forks (RFC 3261 §16.7) the caller
hears the best of the failures of those that were left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Final

from b2bua.feature_server.aside import leave
from b2bua.feature_server.blame import blame, name_of
from b2bua.feature_server.call_state import TRYING
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.diversion import UNCONDITIONAL, Attempt, add_history
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.legs_of_invite import another_callee
from b2bua.sip.best_response import rank
from b2bua.sip.errors import SipError
from b2bua.sip.loop_mark import bears
from b2bua.sip.max_breadth import breadth_of
from b2bua.sip.message import Request, Response
from b2bua.sip.served_user import SERVED_USER
from b2bua.sip.uri import parse_uri

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg
    from b2bua.feature_server.setup import Setup

MOST: Final = 20
"""Callees of one call: who is forwarded in circles through names that differ each time comes to an end."""
ELSEWHERE: Final = ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')
"""With it a phone counts no missed call (RFC 3326 §2)."""


GOES_ON: Final = "feature {}: the call goes on to {} (cause {})"
RINGS_TOO: Final = "feature {}: {} rings, too"


class Callees:
    """Kept by the set-up, to which it reports what becomes of them."""

    def __init__(self, setup: Setup, call: Call, invite: Request) -> None:
        self.ringing: list[Leg] = [call.callee]
        """Those that may still answer; the call's `callee` is one of them, or the last that was."""
        self._setup = setup
        self._call = call
        self._invite = invite
        self._waiting: deque[Leg] = deque()
        """Those that are to have an INVITE."""
        self._busy = False
        self._acting: Callable[..., object] | None = None
        """The hook that is asked just now."""
        self._parties = {call.callee.party}
        """All that the call ever was for."""
        self._attempts: dict[Leg, Attempt] = {call.callee: Attempt(invite.uri, 1, 0)}
        self._done: list[Attempt] = []
        """Those that others took the place of, in order."""
        call.callee.silent = call.state == TRYING
        self._best: tuple[int, Response | None, SipError | None] | None = None

    # -- what features want --------------------------------------------------------------------------------------

    def redirect(self, leaving: Sequence[Leg], targets: Sequence[str], cause: int) -> None:
        """Others in the place of these callees; SipError 482 when all of them had their turn, or why it cannot be."""
        if not leaving or any(leg not in self.ringing for leg in leaving):
            raise SipError(481).because("B2BUA: this callee rings no more")
        legs = self._make(leaving[0], targets)
        place = self.ringing.index(leaving[0])
        self.ringing[place:place] = legs
        status = cause if cause != UNCONDITIONAL else 302
        for leg in leaving:
            self.ringing.remove(leg)
            self._done.append(self._attempts[leg]._replace(cause=cause))
            self._leave(leg, ("Reason", f'SIP;cause={status};text="Call Is Being Forwarded"'))
        self._show(legs)
        why = (None, GOES_ON, self._feature(), targets[0], cause)
        self._setup.forwarded(why)
        self._call.acted = why
        self._offer_to(legs)

    def ring_also(self, leg: Leg, targets: Sequence[str]) -> None:
        """Others beside this callee; SipError as above."""
        if leg not in self.ringing:
            raise SipError(481).because("B2BUA: this callee rings no more")
        legs = self._make(leg, targets)
        self.ringing += legs
        self._call.acted = (None, RINGS_TOO, self._feature(), targets[0])
        self._show(legs)
        self._offer_to(legs)

    def _feature(self) -> str:
        """Who wants it: the feature whose hook is running, or has waited for a timer."""
        feature = getattr(self._acting, "__self__", None)
        return "by its timer" if feature is None else name_of(feature)

    def exchanged(self, leg: Leg, other: Leg) -> None:
        """We are this callee ourselves, by another leg."""
        self.ringing[self.ringing.index(leg)] = other
        self._attempts[other] = self._attempts.pop(leg)

    def _make(self, leg: Leg, targets: Sequence[str]) -> list[Leg]:
        """Their legs; the SipError of the last when none can be tried."""
        found, error = [], SipError(482).because("B2BUA: the call has been at all of these already (RFC 3261 §16.3 step 4)")
        for target in targets:
            try:
                found.append(self._make_one(leg, target))
            except SipError as refusal:
                error = refusal
        if not found:
            try:
                raise error
            finally:
                del error  # else it and this frame, which is in its traceback, keep each other
        return found

    def _make_one(self, leg: Leg, target: str) -> Leg:
        call, invite = self._call, self._invite
        uri = parse_uri(target)
        if uri.scheme == "sip" and parse_uri(invite.uri).scheme == "sips":
            uri = uri._replace(scheme="sips")  # who wants TLS on each hop wants it wherever the call goes (RFC 5630 §4)
        party = str(uri.without_parameters())
        if party in self._parties or bears(invite, mark_of(call.environment, str(uri), invite)):
            raise SipError(482).because("B2BUA: the call has been at that party already (RFC 3261 §16.3 step 4)")
        hops = invite.integer("Max-Forwards")
        if len(self._parties) >= MOST or (hops is not None and hops <= len(self._done) + 1):
            raise SipError(483).because("B2BUA: the call has gone on too often, or Max-Forwards is used up")
        made = another_callee(call, str(uri), invite)
        self._parties.add(party)
        self._attempts[made] = Attempt(str(uri), len(self._attempts) + 1, self._attempts[leg].number)
        return made

    # -- INVITEs -------------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """The features have let the call pass: to each callee its INVITE."""
        self._offer_to(self.ringing)

    def _offer_to(self, legs: Sequence[Leg]) -> None:
        if self._setup.passed is None:
            return  # `offer` comes
        self._waiting.extend(legs)
        if self._busy:
            return  # whoever is at it goes on with them
        self._busy = True
        try:
            while self._waiting:
                leg = self._waiting.popleft()
                if self._is_wanted(leg):
                    self._invite_one(leg)
        finally:
            self._busy = False

    def _invite_one(self, leg: Leg) -> None:
        """Its INVITE leaves, unless a feature has other plans for this callee."""
        call, offered = self._call, self._setup.passed
        assert offered is not None
        for hook in call.callee_hooks("callee_chosen"):
            self._acting = hook
            try:
                _answers_at_once(hook(call, leg))
            except Exception as error:  # whatever a feature raises fails this callee, and nothing else
                blame(error, hook)
                self._refused_by_feature(leg, error)
                return
            if not self._is_wanted(leg):
                return
        self._acting = None
        share = breadth_of(offered) // len(self.ringing)
        if not share:
            self.failed(leg, 440, None)
            return
        source, mark = offered, call.mark
        if self._attempts[leg].number > 1 or len(self.ringing) > 1:
            source, mark = self._source_for(leg, offered, share), mark_of(call.environment, self._attempts[leg].uri, offered)
        self._setup.send(leg, source, mark)

    def _source_for(self, leg: Leg, offered: Request, share: int) -> Request:
        """The INVITE that this callee's is made of."""
        source, attempt = offered.copy(), self._attempts[leg]
        hops = source.integer("Max-Forwards")
        if hops is not None:
            source.replace("Max-Forwards", str(hops - len(self._done)))  # each new target is a hop
        source.replace("Max-Breadth", str(share))
        if self._done:
            add_history(source, self._invite.uri, self._done, attempt)
        return source

    def _is_wanted(self, leg: Leg) -> bool:
        return leg in self.ringing and self._call.stands() and self._call.caller.waits

    # -- what becomes of them ------------------------------------------------------------------------------------

    def _refused_by_feature(self, leg: Leg, error: Exception) -> None:
        refusal = status_of(error)
        if refusal is not error:
            self._call.hook_failed(error)
        refusal.__traceback__ = None  # as below
        leg.over()
        self.failed(leg, refusal.status, None, refusal)

    def failed(self, leg: Leg, status: int, response: Response | None, refusal: SipError | None = None) -> None:
        """This callee will not take the call. A feature may know another; else the caller hears it once nobody is left."""
        call = self._call
        if leg not in self.ringing:
            return
        for hook in call.callee_hooks("callee_refused"):
            self._acting = hook
            try:
                _answers_at_once(hook(call, leg, status, response))
            except Exception as error:  # whatever a feature raises fails this callee, and nothing else
                blame(error, hook)
                refusal = status_of(error)
                if refusal is not error:
                    call.hook_failed(error)
                refusal.__traceback__ = None  # it has this frame in it, which has the refusal
                status, response = refusal.status, None
                break
            if not self._is_wanted(leg):
                return
        self._acting = None
        if self._best is None or rank(status) < rank(self._best[0]):
            self._best = status, response, refusal
        if status >= 600 and len(self.ringing) > 1:  # nobody is to be asked any more (RFC 3261 §16.7 step 5)
            self.abandon(leg)
            self._show(self.ringing)
        if len(self.ringing) == 1:
            self._setup.refuse(*self._best)
            return
        self.ringing.remove(leg)
        self._leave(leg)
        self._show(self.ringing)

    def answered(self, leg: Leg) -> None:
        """The first one: the call is with this callee."""
        if len(self.ringing) > 1:
            self.abandon(leg, ELSEWHERE)
            self._show(self.ringing)

    def abandon(self, last: Leg, *headers: tuple[str, str]) -> None:
        """Nobody but `last` is wanted any more."""
        others = [leg for leg in self.ringing if leg is not last]
        self.ringing = [last]
        for leg in others:
            self._leave(leg, *headers)

    def _leave(self, leg: Leg, *headers: tuple[str, str]) -> None:
        leave(self._call, leg, *headers)

    def _show(self, legs: Sequence[Leg]) -> None:
        """Where the callee that stands for the call has left it, the first of these does."""
        call = self._call
        if call.callee not in self.ringing:
            call.stands_with(legs[0])
        call.parties_changed()


def _answers_at_once(result: object) -> None:
    """TypeError for a hook that is a coroutine: while it waited, nobody would know whom the call is for."""
    if result is not None:
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError("a hook of callees returns nothing, and cannot wait")


def mark_of(environment: Environment, uri: str, invite: Request) -> str:
    """What goes behind the branch of an INVITE that we make of `invite` for this URI (sip/loop_mark.py). Of the Routes the
    hosts count: the token in Session Manager's own differs from call to call."""
    hops = [route.rpartition("@")[2] for route in invite.elements("Route")]
    hops += invite.get_all(SERVED_USER)  # we may be passed for one after the other
    return environment.layer.identifiers.loop_mark(uri, *hops)
