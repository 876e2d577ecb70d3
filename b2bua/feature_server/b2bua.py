"""The B2BUA: matches what comes over the link to calls and legs. What a call does is in call.py and its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import inf
from typing import Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.session_terms import TIMER
from b2bua.feature_server.broken_off import answer_again, hang_up, repeats, take_stray
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_details import CallDetails
from b2bua.feature_server.call_keeper import CallKeeper
from b2bua.feature_server.call_state import CONFIRMED, EARLY, ENDED, TRYING
from b2bua.feature_server.callees import mark_of
from b2bua.feature_server.contract import NEVER, Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.hooks import Hooks
from b2bua.feature_server.in_dialog import request_in_dialog
from b2bua.feature_server.invite_again import carrier_died
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.message_relay import MessageRelay
from b2bua.feature_server.privacy import check_privacy
from b2bua.feature_server.refresh import Refresh
from b2bua.feature_server.restored_call import go_on, restored_call
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.flow import Flow
from b2bua.sip.loop_mark import bears
from b2bua.sip.max_breadth import breadth_of
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.rseq import RELIABLE
from b2bua.sip.sdp import CONTENT_TYPE
from b2bua.store.call_record import CallRecord
from b2bua.transaction.heartbeat import since
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT

SUPPORTED: Final = frozenset((TIMER, RELIABLE))
"""Option tags that a leg keeps its word on, while they are not switched off; any other in Require is refused."""


NO_LEG: Final = "dialog: no call here has this Call-ID and these tags, or it has ended (RFC 3261 §12.2.2)"
MERGED: Final = "dialog: the same INVITE has come by another path and made a call (RFC 3261 §8.2.2.2)"
LOOPED: Final = "dialog: the INVITE that was made of this one has come back as it was (RFC 7332 §4)"


class B2bua:
    """A feature server that stands between the two parties of every call, with features in order."""

    def __init__(self, environment: Environment, features: Sequence[Feature]) -> None:
        self.environment = environment
        self.hooks = Hooks(features, environment.codes.chosen)
        on = {TIMER: environment.limits.session_expires > 0, RELIABLE: environment.reliable != NEVER}
        self._supported = frozenset(tag for tag in SUPPORTED if on[tag])
        self._legs: dict[tuple[str, str], Leg] = {}
        self._forked: dict[Leg, list[tuple[str, str]]] = {}
        """Legs with more than one early dialog, and the keys of all of them."""
        self._open: dict[tuple[str, str, int], Call] = {}
        """Every call whose caller's leg is not over."""
        self._calls_of: dict[str, int] = {}
        """Address of record → calls that have not ended; who has none is not here."""
        self._strays_until = 0.0
        """Until then somebody may answer who was called by an earlier process and of whom nothing is known: on the clock of the
        timers."""
        self._peer_since = 0.0
        self._peer_died_at = -inf
        self.keeper = None if environment.records is None else CallKeeper(environment, environment.records)
        self.details = CallDetails(environment)
        environment.layer.user = self

    def restore(self) -> None:
        """Go on with the calls that stood when the process ended."""
        if self.keeper is None:
            return
        if self.environment.link.transport != "memory":  # else Session Manager died with us, and sees to them
            self._strays_until = self.environment.layer.timers.now() + TIMEOUT
        records = list(self.keeper.load())
        calls = self._calls_of_records(records)
        self.details.restored(calls)
        for call in calls:
            self.keeper.keep(call)  # the CSeqs up to the stored mark are used up: the next start begins above ours
            go_on(call)

    def _calls_of_records(self, records: Sequence[CallRecord]) -> list[Call]:
        """Those that stand, known from here on."""
        assert self.keeper is not None
        absorbed, calls = {record.absorbed for record in records} - {""}, []
        for record in records:
            if record.id in absorbed:
                self.keeper.forget(record)  # one of its legs is in another call since
                continue
            try:
                call = restored_call(self, record)
            except MalformedValue as error:
                self.keeper.set_aside(record, str(error))
                continue
            for leg in (call.caller, call.callee):
                self._legs[leg.dialog.key] = leg
                self._calls_of[leg.party] = self._calls_of.get(leg.party, 0) + 1
            self._open[call.identity] = call
            calls.append(call)
        return calls

    def answered_by(self, call_id: str, tag: str) -> str:
        """The tag of a standing leg's peer; "" where there is no such leg."""
        leg = self._legs.get((call_id, tag))
        return "" if leg is None else leg.dialog.remote_tag

    def knows(self, call_id: str, tag: str, cseq: int) -> bool:
        """Whether an INVITE made a call that stands."""
        call = self._open.get((call_id, tag, cseq))
        return call is not None and call.state == CONFIRMED

    def agree_again(self, call_id: str, tag: str) -> None:
        """The other party of this leg hears what is agreed: the re-INVITE that said otherwise will not come again."""
        leg = self._legs.get((call_id, tag))
        if leg is not None and leg.call.state == CONFIRMED and not leg.other.ended:
            leg.other.descriptions.renew()
            Refresh.begin(leg.other, "INVITE")

    def calls(self) -> dict[str, int]:
        """Standing calls by state: early (trying too), confirmed, held. Walked at scrape time, never counted along."""
        early = confirmed = held = 0
        for call in self._open.values():
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
        return [call for call in self._open.values() if call.state != ENDED]

    def longest_hold(self) -> float:
        """Seconds for which the call that is held longest has been held; 0 when none is."""
        calls = self._open.values()
        held = [call.held_since for call in calls if call.held_since is not None and call.state == CONFIRMED]
        return self.environment.layer.timers.now() - min(held) if held else 0.0

    def use(self, features: Sequence[Feature]) -> None:
        """New calls get these features; a call that stands keeps those that it began with."""
        self.hooks = Hooks(features, self.environment.codes.chosen)

    def take_in(self, call: Call) -> None:
        """A call that is made here: SipError 480 when its parties have as many as they may."""
        self._count_in(call.caller.party, call.callee.party)
        self._legs[call.callee.dialog.key] = call.callee
        self._open[call.identity] = call

    def moved(self, call: Call) -> None:
        """From a call: its caller's leg may be another, which is not over."""
        self._open[call.identity] = call

    def exchange_identities(self, one: Call, other: Call) -> None:
        """Who asked for the one is in the other from here on: its INVITE made that one now."""
        one.identity, other.identity = other.identity, one.identity
        self._open[one.identity], self._open[other.identity] = one, other

    def leg_of(self, call_id: str, one_tag: str, other_tag: str) -> Leg | None:
        """The leg that is one party's dialog, the tags in either order: ours and the party's. It may be over."""
        for ours, theirs in ((one_tag, other_tag), (other_tag, one_tag)):
            leg = self._legs.get((call_id, ours))
            if leg is not None and leg.dialog.local_tag == ours and leg.dialog.remote_tag == theirs:
                return leg
        return None

    def ringing(self) -> Iterator[Leg]:
        """The callees of calls that ring, the oldest first."""
        for call in list(self._open.values()):
            if call.state in (TRYING, EARLY) and not call.callee.ended and call.callee.usage.client is not None:
                yield call.callee

    def legs_of(self, party: str) -> Iterator[Leg]:
        """This party's legs in calls that stand, the oldest first."""
        for call in list(self._open.values()):
            if call.state == CONFIRMED:
                yield from (leg for leg in (call.caller, call.callee) if leg.party == party and not leg.ended)

    def ended(self, call: Call) -> None:
        """From a call, once: it counts no more."""
        if call.caller.gone:  # in another call, before it came into this one
            self._open.pop(call.identity, None)
        for leg in (call.caller, call.callee):
            self.left(leg.party)

    def left(self, party: str) -> None:
        """This party has a call less."""
        left = self._calls_of.get(party, 0) - 1
        if left > 0:
            self._calls_of[party] = left
        else:
            self._calls_of.pop(party, None)

    def joined(self, leg: Leg) -> None:
        """From a call: another callee. SipError 480 when it has as many calls as it may."""
        self._count_in(leg.party)
        self._legs[leg.dialog.key] = leg

    def _count_in(self, *parties: str) -> None:
        """SipError 480 when a party has as many calls as it may."""
        most = self.environment.limits.calls_per_user
        if most and any(self._calls_of.get(party, 0) >= most for party in parties):
            self.environment.observer.overload_rejected("calls")
            raise SipError(480, "Too Many Calls").because("overload: a party has as many calls as it may (calls_per_user)")
        for party in parties:
            self._calls_of[party] = self._calls_of.get(party, 0) + 1

    def remember(self, leg: Leg, key: tuple[str, str]) -> None:
        """From a call: another early dialog of this leg (RFC 3261 §12.1)."""
        self._legs[key] = leg
        self._forked.setdefault(leg, [leg.dialog.key]).append(key)

    def exchanged(self, leg: Leg) -> None:
        """From a call: this leg has taken the place of one with the same dialog, in which nothing was said yet."""
        self._legs[leg.dialog.key] = leg

    def forget(self, leg: Leg) -> None:
        """From a leg that is over: nothing matches it any more, but what acknowledges a 2xx, or a reliable response that the
        final one overtook (RFC 3262 §3)."""
        if leg is leg.call.caller:
            self._open.pop(leg.call.identity, None)
        if leg.early is not None or leg.usage.unacknowledged or leg.promise is not None:
            self.environment.layer.timers.start(TIMEOUT, partial(self._drop, leg))
        else:
            self._drop(leg)

    def _drop(self, leg: Leg) -> None:
        if self._forked:
            for key in self._forked.pop(leg, ()):
                self._legs.pop(key, None)
        self._legs.pop(leg.dialog.key, None)

    # -- from the transaction layer ----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        if request.to.tag:
            self._in_dialog(transaction, request)
        elif request.method == "INVITE":
            self._new_call(transaction, request)
        elif request.method == "OPTIONS":
            self._asked(since(request))
            response = response_to(request, 200, tag=self.environment.layer.identifiers.tag())
            response.append("Allow", self.hooks.allow)
            self.environment.layer.respond(transaction, response)
        elif request.method == "MESSAGE":
            self._require_supported(request)
            MessageRelay(self.environment, transaction, request).start(self.hooks)
        else:
            raise SipError(405, "", ("Allow", self.hooks.allow)).because(
                "B2BUA: nothing here takes this method out of a dialog (RFC 3261 §8.2.1)"
            )

    def _asked(self, since: float) -> None:
        """Session Manager's heartbeat, on a link over the network."""
        if since > self._peer_since:
            if self._peer_since:
                self._peer_died_at = self.environment.layer.timers.now()
                for leg in self._legs.values():
                    carrier_died(leg)
            self._peer_since = since

    def peer_died(self) -> bool:
        """Whether Session Manager has died and come back while an answer of ours may have been on its way."""
        return self.environment.layer.timers.now() - self._peer_died_at < 2 * TIMEOUT

    def ack_received(self, ack: Request, flow: Flow) -> None:
        leg = self._legs.get((ack.call_id, ack.to.tag))
        if leg is None or not leg.usage.ack_received(ack):
            # A repeated ACK for a 2xx that has been acknowledged: nothing is left to do.
            self.environment.observer.message_dropped("repeated ACK" if leg is not None else "stray ACK")

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        leg = transaction.attached
        if isinstance(leg, Leg) and leg.call.exchange is not None and leg.usage.server is transaction:
            leg.call.exchange.cancelled(tuple(("Reason", value) for value in cancel.get_all("Reason")))

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """A 2xx that no transaction waits for. Over a network Session Manager outlives us, and the other way round: what was
        asked for before may be answered now."""
        leg = self._legs.get((response.call_id, response.from_.tag))
        if response.cseq_method != "INVITE" or not 200 <= response.status < 300:
            self.environment.observer.message_dropped("stray response")
        elif leg is not None and (leg.restored or leg.confirmed):
            take_stray(leg, response)
        elif leg is None and self.environment.layer.timers.now() < self._strays_until:
            hang_up(self.environment, response)
        else:
            self.environment.observer.message_dropped("stray response")

    def internal_error(self, error: BaseException, message: Message) -> None:
        self.environment.failed(error, message)

    # -- inside ------------------------------------------------------------------------------------------------

    def _in_dialog(self, transaction: ServerTransaction, request: Request) -> None:
        leg = self._legs.get((request.call_id, request.to.tag))
        if leg is None:
            raise SipError(481).because(NO_LEG)
        dialog = leg.dialog
        if dialog.remote_tag != request.from_.tag or dialog.local_tag != request.to.tag:
            dialog = self._early_dialog(leg, request)
        if leg.restored and request.method == "INVITE" and repeats(leg, request):
            answer_again(leg, transaction, request)
            return
        dialog.check(request)
        if leg.ended and not self._still_taken(leg, request.method):
            raise SipError(481).because(NO_LEG)
        if request.method != "BYE":  # a BYE always wins
            self._require_supported(request)
            check_privacy(request)
            if request.method != "OPTIONS" and request.integer("Max-Forwards") == 0:
                raise SipError(483).because(
                    "refused: Max-Forwards is used up, it goes no further (RFC 7332)"
                )
        transaction.attached = leg
        request_in_dialog(leg.call, leg, transaction, request)

    def _still_taken(self, leg: Leg, method: str) -> bool:
        """What a leg that is over answers: a BYE that crosses ours, a PRACK that the final response overtook."""
        return leg.answered and not leg.gone if method == "BYE" else method == "PRACK" and leg.early is not None

    def _early_dialog(self, leg: Leg, request: Request) -> Dialog:
        """Another early dialog of this leg than its first; or the first one, while the tag of its peer is not known."""
        if leg.early is not None:
            dialog = leg.early.dialog_of(leg, request)
        else:
            dialog = leg.dialog if not leg.dialog.remote_tag and leg.dialog.local_tag == request.to.tag else None
        if dialog is None:
            raise SipError(481).because("B2BUA: no early dialog of this call is meant (RFC 3261 §12.2.2)")
        return dialog

    def _new_call(self, transaction: ServerTransaction, invite: Request) -> None:
        self._require_supported(invite)
        _check_accept(invite)
        check_privacy(invite)
        if invite.integer("Max-Forwards") == 0:
            raise SipError(483).because("refused: Max-Forwards is used up, it goes no further (RFC 7332)")
        known = self._open.get((invite.call_id, invite.from_.tag, invite.cseq))
        if known is not None:
            asks = known.caller if known.caller.dialog.call_id == invite.call_id else known.callee
            if repeats(asks, invite):
                answer_again(asks, transaction, invite)
                return
            # The same request by another path (RFC 3261 §8.2.2.2). A higher CSeq would be another request.
            raise SipError(482, "Merged Request").because(MERGED)
        breadth_of(invite)
        mark = mark_of(self.environment, invite.uri, invite)
        if bears(invite, mark):
            raise SipError(482).because(LOOPED)  # the INVITE that we made of it came back as it was (RFC 7332 §4)
        call = Call.of_invite(self, transaction, invite)
        call.mark = mark
        self._count_in(call.caller.party, call.callee.party)
        transaction.attached = call.caller
        for leg in (call.caller, call.callee):
            self._legs[leg.dialog.key] = leg
        self._open[call.identity] = call
        self.environment.layer.respond(transaction, response_to(invite, 100))
        call.start(invite)

    def _require_supported(self, request: Request) -> None:
        """420 for an extension that a leg would not keep its word on (RFC 3261 §8.2.2.3)."""
        unknown = sorted(request.tokens("Require") - self._supported - self.hooks.extensions)
        if unknown:
            raise SipError(420, "", ("Unsupported", ", ".join(unknown))).because(
                "B2BUA: Require names what this server does not know (RFC 3261 §8.2.2.3)"
            )


def _check_accept(invite: Request) -> None:
    """406 for a caller who takes no description in the answer (RFC 3261 §21.4.7); no Accept stands for SDP (§20.1)."""
    if "Accept" in invite.names and invite.tokens("Accept").isdisjoint((CONTENT_TYPE, "application/*", "*/*")):
        raise SipError(406, "", ("Warning", '399 b2bua "An answer is a session description"')).because(
            "B2BUA: Accept leaves out session descriptions, and the answer is one (RFC 3261 §21.4.7)"
        )
