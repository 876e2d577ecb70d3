"""A leg: one party's dialog with us, as the B2BUA uses it. Glare, CSeq, o= versions and ACKs are dealt with here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.invite_usage import InviteUsage
from b2bua.feature_server.bye import ByeSent
from b2bua.feature_server.call_state import CALLEE, CALLER, Role
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.challenge_echo import Echoing
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.invite_again import invites_again
from b2bua.feature_server.leg_messages import add_own_headers, finish_request, leg_response
from b2bua.feature_server.leg_session import LegSession
from b2bua.feature_server.promise import Promise
from b2bua.feature_server.refusals import CALL_OVER, HUNG_UP
from b2bua.feature_server.session_description import SessionDescriptions
from b2bua.sip import sdp
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction, ClientUser
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.early_dialogs import EarlyDialogs
    from b2bua.feature_server.referral import Referral

OWN_OFFER: Final[Why] = (None, "B2BUA: a re-INVITE of its own, for a feature that has this party hear or say something else")
HEADROOM: Final = 16
"""Requests that may leave while the record that allows more is being written."""
StandIn = Callable[[int, Message | None, str], None]
"""Called with the status, the message that brought it, and the reason where it is another."""


class Leg:
    """One side of a call."""

    __slots__ = (
        "call", "role", "other", "dialog", "environment", "usage", "descriptions", "session", "update", "early", "open_invite",
        "holding", "answered", "confirmed", "_bye_waits", "ended", "party", "reserved", "restored", "gone", "ack_waits",
        "promise",
        "known_as",
        "has_lamp",
        "aside",
        "silent",
        "first_offer",
        "source",
        "invited",
        "stand_in",
        "referral",
        "note",
    )  # fmt: skip
    __deletable__ = ["call", "other", "usage", "session"]  # noqa: RUF012  # mypyc reads it, for `take_apart`

    def __init__(self, call: Call, environment: Environment, role: Role, dialog: Dialog, party: str) -> None:
        self.call = call
        self.role: Role = role
        self.other: Leg
        """The leg on the other side of the call; set by the call."""
        self.dialog = dialog
        self.environment = environment
        self.usage = InviteUsage(environment.layer, environment.link, self)
        self.usage.dialog = dialog
        host = intern(parse_address(dialog.contact).parsed_uri().bare_host)  # one text for all legs: our hosts are few
        self.descriptions = SessionDescriptions(environment.layer.identifiers.number(), host)
        self.session = LegSession(self, environment.limits.session_expires, environment.limits.session_expires_min)
        self.update: tuple[ServerTransaction, Request] | None = None
        """The party's UPDATE with an offer that has no answer yet: passed on like a re-INVITE."""
        self.early: EarlyDialogs | None = None
        """Of both legs, where the call has several early dialogs or reliable provisional responses (RFC 3262)."""
        self.open_invite: Request | None = None
        """Our INVITE that has no final answer yet: what a 422 makes us repeat."""
        self.holding = False
        """Set by the hold feature; read by whoever shows it."""
        self.answered = False
        """Whether the dialog is confirmed: a 2xx to its first INVITE went over."""
        self.confirmed = role == CALLEE
        """Whether the party knows the dialog from our 2xx: it has acknowledged one, or is the one who answered."""
        self.ended = False
        self._bye_waits: tuple[tuple[str, str], ...] | None = None
        """The headers of our BYE where it waits for the ACK of the 2xx that confirmed the dialog."""
        self.party = party
        """The user's address of record, as a URI without parameters."""
        self.invited = role == CALLEE
        """Whether we invited the party, so that the Call-ID of its dialog is ours. It stays so whatever place the leg takes."""
        self.referral: Referral | None = None
        """The party's REFER whose subscription stands."""
        self.stand_in: StandIn | None = None
        """Where no party is behind this leg: hears what one would be answered."""
        self.known_as = ""
        """What the other party and who watches it are told in place of `party`; "" for the truth."""
        self.aside = False
        """Whether the call goes on without this party: nothing that it says matters any more."""
        self.silent = False
        """Of one callee of several: whether the caller has heard nothing of it yet, whatever the state of the call."""
        self.first_offer = b""
        """Of a callee: the offer in our INVITE."""
        self.has_lamp = True
        """Whether the party is somebody whose state is shown: False where we are the party, as of a feature code."""
        self.reserved = 0
        """The CSeq up to which requests may be sent before the record is written anew; 0 where none is kept."""
        self.restored = False
        """Whether the dialog is older than this process."""
        self.gone = False
        """Whether the party knows that it is over."""
        self.ack_waits = False
        """Whether the ACK of this party's 2xx waits for the record of the call."""
        self.promise: Promise | None = None
        """Our 2xx that waits for the same."""
        self.source = ""
        """The source (contract.py) that is the party where it is no phone but media of ours; "" for a phone."""
        self.note = ""
        """Of such a leg: what a feature is to know of it after a restart. With "" the call ends with the process."""

    # -- verbs -------------------------------------------------------------------------------------------------

    def respond(
        self, status: int, source: Message | None = None, body: bytes = b"", reason: str = "", *headers: tuple[str, str],
        why: Why | None = None,
    ) -> None:  # fmt: skip
        """Answer this party's open INVITE; end-to-end headers and the body's come from `source`, `headers` are added. `why` is
        for the trace."""
        if self.update is not None:
            self._answer_update(status, source, body, reason, why, *headers)
            return
        transaction = self.usage.server
        if transaction is None or transaction.request is None:
            if self.stand_in is not None:
                self.stand_in(status, source, reason)
            return
        if self.early is not None and not self.answered and status > 100:
            if status < 200:
                self.early.tell(status, source, body, reason, why, *headers)
                return
            why, self.call.acted = why or self.call.acted, None
            self.early.final()  # which answers what else is open, for other reasons
        response = leg_response(self, transaction.request, status, source, body, reason, why)
        for name, value in headers:
            response.append(name, value)
        if 200 <= status < 300 and self.answered and self.call.keeper is not None:
            self.promise = Promise(self, transaction, response)
            self.usage.answered_cseq = response.cseq
            self.call.keeper.keep(self.call, self.promise.kept)
        else:
            self.send_answer(transaction.request, response)

    @property
    def waits(self) -> bool:
        """Whether somebody waits for the answer to an INVITE of this party."""
        return self.usage.server is not None or self.stand_in is not None

    def acknowledge_unkept(self) -> None:
        """Send the ACK that waits for the record, if there is one."""
        if self.ack_waits:
            self.ack_waits = False
            if self.usage.owes_ack:
                self.usage.acknowledge()

    def send_answer(self, request: Request, response: Response) -> None:
        """Send the answer to this party's open INVITE."""
        status = response.status
        if status >= 200 and not request.to.tag:
            self.environment.observer.call_attempted(status)
            if self.call.detail is not None:
                self.call.detail.status = status
        self.usage.respond(response)
        if status >= 200 and self.answered:
            self.call.reinvite_answered(self, status)
        elif status >= 300 and not self.aside:
            # Whoever said no to the call, a feature too, it is over; a tick later, for who ends it in good order.
            self.environment.layer.timers.start(0, partial(self.call.finish, "rejected"))

    def _answer_update(
        self, status: int, source: Message | None, body: bytes, reason: str, why: Why | None, *headers: tuple[str, str]
    ) -> None:
        """As `respond`, for an UPDATE: it has no provisional responses and no ACK."""
        assert self.update is not None
        if status < 200:
            return
        if status == 408:
            status = 504  # nobody answered in time; 408 is not for what is no INVITE (RFC 4320 §4.2, RFC 3311 §5.2)
        transaction, request = self.update
        response = leg_response(self, request, status, source, body, reason, why)
        for name, value in headers:
            response.append(name, value)
        if status < 300 and self.call.keeper is not None:
            self.call.keeper.keep(self.call, lambda _kept: self._send_update_answer(transaction, response))
        else:
            self._send_update_answer(transaction, response)

    def _send_update_answer(self, transaction: ServerTransaction, response: Response) -> None:
        """Unless it has been refused while this waited for the record. Until then its offer is open, and the party is to get none
        of ours (RFC 3264 §4, RFC 3311 §5.1)."""
        if self.update is not None and self.update[0] is transaction:
            self.update = None
            self.environment.layer.respond(transaction, response)
            self.call.reinvite_answered(self, response.status)

    def answer(
        self, transaction: ServerTransaction, request: Request, status: int, source: Message | None = None,
        why: Why | None = None,
    ) -> None:  # fmt: skip
        """Answer a request that is no INVITE."""
        body = source.body if source is not None else b""
        self.environment.layer.respond(transaction, leg_response(self, request, status, source, body, "", why))

    def refuse(self, status: int, why: Why) -> None:
        """Refuse this party's open INVITE, here and not for the other party; `why` is for the trace, behind what a feature has
        decided."""
        acted, self.call.acted = self.call.acted, None
        self.respond(status, why=why if acted is None else (acted, *why[1:]))

    def answer_bye(self, transaction: ServerTransaction, bye: Request) -> None:
        """200 to this party's BYE, 487 to what else it has asked for (RFC 3261 §15.1.2). It is asked for nothing any more."""
        self.ended = True
        self.answer(transaction, bye, 200)
        if self.usage.server is not None or self.update is not None:
            self.refuse(487, HUNG_UP)

    def answer_refresh(self, transaction: ServerTransaction, request: Request) -> None:
        """Answer an UPDATE without an offer: the session lives on from here, over a restart, too."""
        response = leg_response(self, request, 200, None, b"", "")
        keeper, layer = self.call.keeper, self.environment.layer
        if keeper is not None and self.call.kept:
            keeper.keep(self.call, lambda _kept: layer.respond(transaction, response))
        else:
            layer.respond(transaction, response)

    def offer(self, source: Request, body: bytes, why: Why | None = None) -> None:
        """Send this party a re-INVITE with what the other party asked for."""
        request = self.dialog.make_request("INVITE")
        finish_request(self, request, source, body, why)
        self.usage.invite(request)

    def request(self, source: Request, user: ClientUser, dialog: Dialog | None = None) -> ClientTransaction:
        """Pass a request that is no INVITE on to this party; `dialog`: an early one of several."""
        if self.reserved:
            self.keep_ahead()
        request = (dialog or self.dialog).make_request(source.method)
        finish_request(self, request, source, source.body)
        return self.send(request, user, dialog)

    def send(self, request: Request, user: ClientUser, dialog: Dialog | None = None) -> ClientTransaction:
        """Send a request of ours that is no INVITE; `dialog`: an early one of several."""
        if self.environment.echoes:
            user = Echoing(self, dialog or self.dialog, request, user)
        return self.environment.layer.send_request(request, self.environment.link, user)

    def reinvite(self, body: bytes, why: Why | None = None) -> None:
        """Send this party a re-INVITE of our own, with this description, or b"" for one that asks for an offer."""
        request = self.dialog.make_request("INVITE")
        request.append("Max-Forwards", MAX_FORWARDS)
        add_own_headers(self, request)
        self.session.ask(request)
        call = self.call
        request.call = call.id
        request.why = why or call.acted or OWN_OFFER
        call.acted = None
        request.set_body(body, sdp.CONTENT_TYPE if body else "")
        self.open_invite = request
        self.usage.invite(request)

    def keep_ahead(self) -> None:
        """Before a request that no record follows: no CSeq may be above the one that is stored."""
        if self.dialog.local_cseq + HEADROOM > self.reserved and self.call.keeper is not None and self.call.kept:
            self.call.keeper.keep(self.call)

    def refreshed(self, response: Response) -> None:
        """The 2xx to our refresh. An answer in it is this party's last word now: it may have another o= version."""
        self.dialog.refresh_target(response)
        if response.cseq_method == "INVITE":
            self.usage.acknowledge()
            if response.body and is_sdp(response):
                self.descriptions.completed(response.body, self.descriptions.ours)
        if self.call.keeper is not None and self.call.kept:
            self.call.keeper.keep(self.call)

    def release(self, *headers: tuple[str, str]) -> None:
        """End this leg, whatever it is doing: BYE, CANCEL, or a final response to its open INVITE. Idempotent."""
        if self.ended:
            return
        if self.stand_in is not None:
            self.over()
            return
        if self.promise is not None:
            self.promise.release = headers
            return
        if self.usage.server is not None or self.update is not None:
            self.refuse(487, self.call.over_because or CALL_OVER)
        if not self.answered:
            if self.usage.client is not None:
                self.usage.cancel(*headers, why=self.call.over_because)
            else:
                self.over()
            return
        self.ended = True
        self.session.stop()
        if self.usage.owes_ack:
            self.usage.acknowledge()  # its answer will never come, and every 2xx is acknowledged (RFC 3261 §13.2.2.4)
        if self.usage.unacknowledged and not self.confirmed:
            self._bye_waits = headers  # else it may overtake our 2xx, and find no dialog (RFC 3261 §15)
        else:
            self._send_bye(*headers)

    def _send_bye(self, *headers: tuple[str, str]) -> None:
        self._bye_waits = None
        self.usage.leave()
        bye = self.dialog.make_request("BYE")
        bye.append("Max-Forwards", MAX_FORWARDS)
        self.session.ask(bye)
        for name, value in headers:
            bye.append(name, value)
        bye.append("Content-Length", "0")
        bye.call = self.call.id
        bye.why = self.call.over_because
        self.send(bye, ByeSent(self.over))

    def over(self) -> None:
        """The dialog is gone on both sides: nothing is matched to it any more but the ACK of our last 2xx. That is repeated
        until then, so that a request sent before the BYE is answered all the same (RFC 3261 §13.3.1.4, §15.1.2)."""
        if self.aside and self.gone:
            return
        self.ended = self.gone = True
        self._bye_waits = None
        self.session.stop()
        self.usage.leave()
        if self.early is not None and self.role == CALLER:  # of several callees the others may still answer
            self.early.final()
        self.call.leg_over(self)

    def take_apart(self) -> None:
        """Let go of what refers back to this leg, so that all of it is freed at once and no collector has to look for it.
        Nothing may be asked of the leg any more."""
        self.stand_in = self.referral = self.early = None
        del self.call, self.other, self.usage, self.session

    # -- the owner of an INVITE usage --------------------------------------------------------------------------

    def invite_progressed(self, response: Response) -> None:
        self.call.progressed(self, response)

    def invite_accepted(self, response: Response) -> None:
        self.open_invite = None
        self.session.accepted(response)
        self.call.accepted(self, response)

    def invite_refused(self, status: int, response: Response | None) -> None:
        request, self.open_invite = self.open_invite, None
        if request is not None and response is not None and invites_again(self, request, status, response):
            return
        if status == 422 and response is not None:
            status, response = 500, None  # the interval was ours: the other party has no part in it
        self.call.refused(self, status, response)

    def acknowledged(self, ack: Request) -> None:
        self.confirmed = True
        if self._bye_waits is not None:
            self._send_bye(*self._bye_waits)
        elif not self.ended:
            self.call.acknowledged(self, ack)

    def ack_missing(self) -> None:
        if self._bye_waits is not None:
            self._send_bye(*self._bye_waits)
        elif not self.ended:
            self.call.ack_missing(self)

    def render(self, source: Message, offer: bytes = b"") -> bytes:
        """The body of a message from the other leg as this leg sends it; where it answers this party's `offer`, as a
        legal answer: some phones answer `sendrecv` whatever is offered, and on this leg it is we who answer."""
        body = source.body
        if not body or not is_sdp(source):
            return body
        if offer:
            with suppress(MalformedValue):  # what is no SDP goes on as it is: the party will say so
                body = sdp.legal_answer(offer, body)
        return self.descriptions.render(body)
