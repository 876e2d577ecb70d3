"""All calls of one feature server, and their legs: found by dialog, by party, by state; whose they are and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from b2bua.feature_server.call_details import CallDetails
from b2bua.feature_server.call_keeper import CallKeeper
from b2bua.feature_server.call_state import CONFIRMED, EARLY, ENDED, TRYING
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.hooks import Hooks
from b2bua.feature_server.invite_again import carrier_died
from b2bua.sip.errors import SipError
from b2bua.transaction.timers import TIMEOUT

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg


class AllCalls:
    """Each call knows it, and says what becomes of it and of its legs."""

    def __init__(self, environment: Environment, hooks: Hooks) -> None:
        self.environment = environment
        self.hooks = hooks
        """Those that new calls get; a call that stands keeps those that it began with."""
        self.keeper = None if environment.records is None else CallKeeper(environment, environment.records)
        self.details = CallDetails(environment)
        self.legs: dict[tuple[str, str], Leg] = {}
        """By Call-ID and our tag: all that a request can be meant for."""
        self.open: dict[tuple[str, str, int], Call] = {}
        """Every call whose caller's leg is not over, by its `identity`."""
        self._forked: dict[Leg, list[tuple[str, str]]] = {}
        """Legs with more than one early dialog, and the keys of all of them."""
        self._calls_of: dict[str, int] = {}
        """Address of record → calls that have not ended; who has none is not here."""
        self._peer_since = 0.0
        self._peer_died_at = -inf

    # -- what there is -----------------------------------------------------------------------------------------

    def count(self) -> dict[str, int]:
        """Standing calls by state: early (trying too), confirmed, held. Walked at scrape time, never counted along."""
        early = confirmed = held = 0
        for call in self.open.values():
            state = call.state
            if state == CONFIRMED:
                if call.held_since is None:
                    confirmed += 1
                else:
                    held += 1
            elif state != ENDED:
                early += 1
        return {"early": early, "confirmed": confirmed, "held": held}

    def standing(self) -> list[Call]:
        """Every call that has not ended, the oldest first."""
        return [call for call in self.open.values() if call.state != ENDED]

    def longest_hold(self) -> float:
        """Seconds for which the call that is held longest has been held; 0 when none is."""
        calls = self.open.values()
        held = [call.held_since for call in calls if call.held_since is not None and call.state == CONFIRMED]
        return self.environment.layer.timers.now() - min(held) if held else 0.0

    def leg_of(self, call_id: str, one_tag: str, other_tag: str) -> Leg | None:
        """The leg that is one party's dialog, the tags in either order: ours and the party's. It may be over."""
        for ours, theirs in ((one_tag, other_tag), (other_tag, one_tag)):
            leg = self.legs.get((call_id, ours))
            if leg is not None and leg.dialog.local_tag == ours and leg.dialog.remote_tag == theirs:
                return leg
        return None

    def ringing(self) -> Iterator[Leg]:
        """The callees of calls that ring, the oldest first."""
        for call in list(self.open.values()):
            if call.state in (TRYING, EARLY) and not call.callee.ended and call.callee.usage.client is not None:
                yield call.callee

    def legs_of(self, party: str) -> Iterator[Leg]:
        """This party's legs in calls that stand, the oldest first."""
        for call in list(self.open.values()):
            if call.state == CONFIRMED:
                yield from (leg for leg in (call.caller, call.callee) if leg.party == party and not leg.ended)

    # -- calls that come ---------------------------------------------------------------------------------------

    def begun(self, call: Call) -> None:
        """A new call, by an INVITE: SipError 480 when its parties have as many as they may."""
        self._count_in(call.caller.party, call.callee.party)
        for leg in (call.caller, call.callee):
            self.legs[leg.dialog.key] = leg
        self.open[call.identity] = call

    def take_in(self, call: Call) -> None:
        """A call that is made here, so that its caller is nobody. SipError as for `begun`."""
        self._count_in(call.caller.party, call.callee.party)
        self.legs[call.callee.dialog.key] = call.callee
        self.open[call.identity] = call

    def restored(self, call: Call) -> None:
        """A call that stood before a restart, however many there may be."""
        for leg in (call.caller, call.callee):
            self.legs[leg.dialog.key] = leg
            self._calls_of[leg.party] = self._calls_of.get(leg.party, 0) + 1
        self.open[call.identity] = call

    def _count_in(self, *parties: str) -> None:
        """SipError 480 when a party has as many calls as it may."""
        most = self.environment.limits.calls_per_user
        if most and any(self._calls_of.get(party, 0) >= most for party in parties):
            self.environment.observer.overload_rejected("calls")
            raise SipError(480, "Too Many Calls").because("overload: a party has as many calls as it may (calls_per_user)")
        for party in parties:
            self._calls_of[party] = self._calls_of.get(party, 0) + 1

    # -- what becomes of them ----------------------------------------------------------------------------------

    def moved(self, call: Call) -> None:
        """From a call: its caller's leg may be another, which is not over."""
        self.open[call.identity] = call

    def exchange_identities(self, one: Call, other: Call) -> None:
        """Who asked for the one is in the other from here on: its INVITE made that one now."""
        one.identity, other.identity = other.identity, one.identity
        self.open[one.identity], self.open[other.identity] = one, other

    def joined(self, leg: Leg) -> None:
        """From a call: another callee. SipError 480 when it has as many calls as it may."""
        self._count_in(leg.party)
        self.legs[leg.dialog.key] = leg

    def remember(self, leg: Leg, key: tuple[str, str]) -> None:
        """From a call: another early dialog of this leg (RFC 3261 §12.1)."""
        self.legs[key] = leg
        self._forked.setdefault(leg, [leg.dialog.key]).append(key)

    def exchanged(self, leg: Leg) -> None:
        """From a call: this leg has taken the place of one with the same dialog, in which nothing was said yet."""
        self.legs[leg.dialog.key] = leg

    def ended(self, call: Call) -> None:
        """From a call, once: it counts no more."""
        if call.caller.gone:  # in another call, before it came into this one
            self.open.pop(call.identity, None)
        for leg in (call.caller, call.callee):
            self.left(leg.party)

    def left(self, party: str) -> None:
        """This party has a call less."""
        left = self._calls_of.get(party, 0) - 1
        if left > 0:
            self._calls_of[party] = left
        else:
            self._calls_of.pop(party, None)

    def forget(self, leg: Leg) -> None:
        """From a leg that is over: nothing matches it any more, but what acknowledges a 2xx, or a reliable response that the
        final one overtook (RFC 3262 §3)."""
        if leg is leg.call.caller:
            self.open.pop(leg.call.identity, None)
        if leg.early is not None or leg.usage.unacknowledged or leg.promise is not None:
            self.environment.layer.timers.start(TIMEOUT, partial(self._drop, leg))
        else:
            self._drop(leg)

    def _drop(self, leg: Leg) -> None:
        if self._forked:
            for key in self._forked.pop(leg, ()):
                self.legs.pop(key, None)
        self.legs.pop(leg.dialog.key, None)

    # -- Session Manager, on a link over the network -----------------------------------------------------------

    def peer_asked(self, since: float) -> None:
        """Its heartbeat, which says since when it runs."""
        if since > self._peer_since:
            if self._peer_since:
                self._peer_died_at = self.environment.layer.timers.now()
                for leg in self.legs.values():
                    carrier_died(leg)
            self._peer_since = since

    def peer_died(self) -> bool:
        """Whether it has died and come back while an answer of ours may have been on its way."""
        return self.environment.layer.timers.now() - self._peer_died_at < 2 * TIMEOUT
