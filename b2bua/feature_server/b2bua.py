"""The B2BUA: matches what comes over the link to calls and legs. What a call does is in call.py and its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.session_terms import TIMER
from b2bua.feature_server.all_calls import AllCalls
from b2bua.feature_server.broken_off import Strays, answer_again, repeats, take_stray
from b2bua.feature_server.call import Call
from b2bua.feature_server.call_keeper import CallKeeper
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.callees import mark_of
from b2bua.feature_server.contract import NEVER, Environment
from b2bua.feature_server.exchange import cancel_invite
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.hooks import Hooks
from b2bua.feature_server.in_dialog import request_in_dialog
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

SUPPORTED: Final = frozenset((TIMER, RELIABLE))
"""Option tags that a leg keeps its word on, while they are not switched off; any other in Require is refused."""


NO_LEG: Final = "dialog: no call here has this Call-ID and these tags, or it has ended (RFC 3261 §12.2.2)"
MERGED: Final = "dialog: the same INVITE has come by another path and made a call (RFC 3261 §8.2.2.2)"
LOOPED: Final = "dialog: the INVITE that was made of this one has come back as it was (RFC 7332 §4)"


class B2bua:
    """A feature server that stands between the two parties of every call, with features in order."""

    def __init__(self, environment: Environment, features: Sequence[Feature]) -> None:
        self.environment = environment
        on = {TIMER: environment.limits.session_expires > 0, RELIABLE: environment.reliable != NEVER}
        self._supported = frozenset(tag for tag in SUPPORTED if on[tag])
        self.all_calls = AllCalls(environment, Hooks(features, environment.codes.chosen))
        self._legs = self.all_calls.legs  # looked up for every message
        self._strays = Strays(environment)
        environment.layer.user = self

    def restore(self) -> None:
        """Go on with the calls that stood when the process ended."""
        keeper = self.all_calls.keeper
        if keeper is None:
            return
        if self.environment.link.transport != "memory":  # else Session Manager died with us, and sees to them
            self._strays.expect()
        calls = self._calls_of_records(keeper, list(keeper.load()))
        self.all_calls.details.restored(calls)
        for call in calls:
            keeper.keep(call)  # the CSeqs up to the stored mark are used up: the next start begins above ours
            go_on(call)

    def _calls_of_records(self, keeper: CallKeeper, records: Sequence[CallRecord]) -> list[Call]:
        """Those that stand, known from here on."""
        absorbed, calls = {record.absorbed for record in records} - {""}, []
        for record in records:
            if record.id in absorbed:
                keeper.forget(record)  # one of its legs is in another call since
                continue
            try:
                call = restored_call(self.all_calls, record)
            except MalformedValue as error:
                keeper.set_aside(record, str(error))
                continue
            self.all_calls.restored(call)
            calls.append(call)
        return calls

    def answered_by(self, call_id: str, tag: str) -> str:
        """The tag of a standing leg's peer; "" where there is no such leg."""
        leg = self._legs.get((call_id, tag))
        return "" if leg is None else leg.dialog.remote_tag

    def knows(self, call_id: str, tag: str, cseq: int) -> bool:
        """Whether an INVITE made a call that stands."""
        call = self.all_calls.open.get((call_id, tag, cseq))
        return call is not None and call.state == CONFIRMED

    def agree_again(self, call_id: str, tag: str) -> None:
        """The other party of this leg hears what is agreed: the re-INVITE that said otherwise will not come again."""
        leg = self._legs.get((call_id, tag))
        if leg is not None and leg.call.state == CONFIRMED and not leg.other.ended:
            leg.other.descriptions.renew()
            Refresh.begin(leg.other, "INVITE")

    def calls(self) -> dict[str, int]:
        """Standing calls by state, as `AllCalls.count` has them."""
        return self.all_calls.count()

    def longest_hold(self) -> float:
        """Seconds for which the call that is held longest has been held; 0 when none is."""
        return self.all_calls.longest_hold()

    def use(self, features: Sequence[Feature]) -> None:
        """New calls get these features; a call that stands keeps those that it began with."""
        self.all_calls.hooks = Hooks(features, self.environment.codes.chosen)

    # -- from the transaction layer ----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        if request.to.tag:
            self._in_dialog(transaction, request)
        elif request.method == "INVITE":
            self._new_call(transaction, request)
        elif request.method == "OPTIONS":
            self.all_calls.peer_asked(since(request))
            response = response_to(request, 200, tag=self.environment.layer.identifiers.tag())
            response.append("Allow", self.all_calls.hooks.allow)
            self.environment.layer.respond(transaction, response)
        elif request.method == "MESSAGE":
            self._require_supported(request)
            MessageRelay(self.environment, transaction, request).start(self.all_calls.hooks)
        else:
            raise SipError(405, "", ("Allow", self.all_calls.hooks.allow)).because(
                "B2BUA: nothing here takes this method out of a dialog (RFC 3261 §8.2.1)"
            )

    def ack_received(self, ack: Request, flow: Flow) -> None:
        leg = self._legs.get((ack.call_id, ack.to.tag))
        if leg is None or not leg.usage.ack_received(ack):
            # A repeated ACK for a 2xx that has been acknowledged: nothing is left to do.
            self.environment.observer.message_dropped("repeated ACK" if leg is not None else "stray ACK")

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        leg = transaction.attached
        if isinstance(leg, Leg) and leg.usage.server is transaction:
            cancel_invite(leg, tuple(("Reason", value) for value in cancel.get_all("Reason")))

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """A 2xx that no transaction waits for. Over a network Session Manager outlives us, and the other way round: what was
        asked for before may be answered now."""
        leg = self._legs.get((response.call_id, response.from_.tag))
        if response.cseq_method != "INVITE" or not 200 <= response.status < 300:
            self.environment.observer.message_dropped("stray response")
        elif leg is not None and (leg.restored or leg.confirmed):
            take_stray(leg, response)
        elif leg is not None or not self._strays.takes(response):
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
        known = self.all_calls.open.get((invite.call_id, invite.from_.tag, invite.cseq))
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
        call = Call.of_invite(self.all_calls, transaction, invite)
        call.mark = mark
        self.all_calls.begun(call)
        transaction.attached = call.caller
        self.environment.layer.respond(transaction, response_to(invite, 100))
        call.start(invite)

    def _require_supported(self, request: Request) -> None:
        """420 for an extension that a leg would not keep its word on (RFC 3261 §8.2.2.3)."""
        unknown = sorted(request.tokens("Require") - self._supported - self.all_calls.hooks.extensions)
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
