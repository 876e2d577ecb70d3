"""After a restart: what becomes of the INVITEs that had no final answer when the process ended.

A phone's re-INVITE goes its way once more, as if it had come only now; so does an INVITE whose call stands: its feature
server repeats the 2xx. Of a call in set-up nothing stands: its caller is answered 480, the phone that rings gets CANCEL, or
BYE where it has answered meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from b2bua.dialog.dialog import Dialog
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.elsewhere import BROKEN_OFF, RESTARTED, Elsewhere
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import way_to
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.session_manager.tokens import Tokens
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow, Flows
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.store.invite_record import RECEIVED, SENT, InviteRecord, decode_invite
from b2bua.store.records import BadRecord
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TIMEOUT

MOST_ANSWERS: Final = 16
"""Dialogs of one INVITE that are hung up on: a fork behind a phone makes a few. More get neither ACK nor BYE, and end
themselves after 64·T1 (RFC 3261 §13.3.1.4)."""


class Calls(Protocol):
    """The calls of the feature server in this process, restored."""

    def knows(self, call_id: str, tag: str, cseq: int) -> bool: ...

    def answered_by(self, call_id: str, tag: str) -> str: ...

    def agree_again(self, call_id: str, tag: str) -> None: ...


class NoCalls:
    """Where no feature server runs in this process."""

    def knows(self, call_id: str, tag: str, cseq: int) -> bool:
        return False

    def answered_by(self, call_id: str, tag: str) -> str:
        return ""

    def agree_again(self, call_id: str, tag: str) -> None:
        return


class Recovery:
    """Run once, when listeners are open and the calls restored. `replay` takes a phone's INVITE past the challenge."""

    def __init__(
        self, open_invites: OpenInvites, layer: TransactionLayer, domain: Domain, links: Links, flows: Flows, calls: Calls,
        replay: Callable[[Request, Flow, str], None], elsewhere: Elsewhere, tokens: Tokens,
    ) -> None:  # fmt: skip
        self._open_invites = open_invites
        self._records = open_invites.records
        self._until = layer.timers.now() + TIMEOUT
        self._layer = layer
        self._domain = domain
        self._links = links
        self._flows = flows
        self._calls = calls
        self._replay = replay
        self._elsewhere = elsewhere
        self._tokens = tokens

    def run(self) -> None:
        """End or go on with everything that was open."""
        sent = list(self._read(SENT))
        branches = Counter(_identity(request) for _, _, request, _ in sent)
        for key, record, request, answers in sent:
            self._sent(key, record, request, answers, branches[_identity(request)] > 1)
        for key, record, request, _ in list(self._read(RECEIVED)):
            self._received(key, record, request)

    def _read(self, kind: str) -> Iterator[tuple[str, InviteRecord, Request, list[Response]]]:
        """Each record with its INVITE and the answers of that; a bad one is set aside."""
        for key, text in self._records.records(kind):
            try:
                record = decode_invite(text)
                request = parse_message(record.request)
                if not isinstance(request, Request) or request.method != "INVITE":
                    raise BadRecord("no INVITE")
                answers = [_response(answer) for answer in record.answers]
            except (BadRecord, MalformedMessage) as error:
                self._records.set_aside(kind, key, str(error))
            else:
                yield key, record, request, answers

    def takes(self, response: Response, flow: Flow | None = None) -> bool:
        """Whether a response that matches no transaction, from `flow`, is one to a request that went through an earlier
        process, and nobody else can bring it home: a 2xx to an INVITE of the feature server here goes there. A phone's must
        have a branch of ours; without `flow` the transaction of an earlier process has been matched."""
        if self._layer.timers.now() > self._until or response.cseq_method != "INVITE":
            return False
        if flow is not None and self._links.of(flow) is None:
            branch, call_id = response.top_via.branch, response.call_id
            if not self._tokens.is_our_branch(branch, call_id):
                return False
        link = self._links.asked(response)
        if link is not None and not link.over_network and 200 <= response.status < 300:
            link.flow.send(response.without_top_via())
            return True
        return flow is not None and self._elsewhere.takes(response, flow)

    # -- of phones ---------------------------------------------------------------------------------------------

    def _received(self, key: str, record: InviteRecord, request: Request) -> None:
        flow = self._flows.find(record.listener, (record.host, record.port))
        link = self._has_it(request)
        if link is not None and link.over_network:
            # Over a connection that is gone the answer takes a new one to the address of the Via (RFC 3261 §18.2.2).
            flow = flow or self._flows.open(record.transport, record.listener, (record.host, request.top_via.port or 5060))
            if flow is None:
                self._records.drop(RECEIVED, key)
            else:
                self._open_invites.waits(request, key, self._elsewhere.wait(link, request, flow, record.since))
            return
        self._open_invites.received_before(key, record.since)
        if request.to.tag:
            if flow is not None:
                self._replay(request, flow, record.owner)
            else:
                self._records.drop(RECEIVED, key)
                # It failed on the phone's side with its connection: the other party may have heard of it and must not stay there.
                self._calls.agree_again(request.call_id, request.to.tag)
        elif self._calls.knows(request.call_id, request.from_.tag, request.cseq):
            # Over a connection that is gone the answer takes a new one to the address of the Via (RFC 3261 §18.2.2).
            address = record.host, request.top_via.port or 5060
            flow = flow or self._flows.open(record.transport, record.listener, address)
            if flow is not None:
                self._replay(request, flow, record.owner)
        else:
            self._records.drop(RECEIVED, key)
            if flow is None:
                return
            transaction = self._layer.take_up(request, flow)
            refusal = response_to(request, 480, RESTARTED, self._layer.identifiers.tag())
            refusal.why = BROKEN_OFF
            self._layer.respond(transaction, refusal)

    def _has_it(self, request: Request) -> FeatureLink | None:
        """The feature server that an INVITE went to."""
        if request.to.tag:
            return self._links.named(request.parsed_uri().parameter("fs"))
        return self._links.sequence[0] if self._links.sequence else None

    # -- to phones ---------------------------------------------------------------------------------------------

    def _sent(
        self, key: str, record: InviteRecord, request: Request, answers: Sequence[Response], forked: bool
    ) -> None:
        source = record.host, record.port
        # A phone that opened the connection is asked where its Contact is; behind NAT there is no such place.
        flow = way_to(self._flows, record.listener, source, False, request.parsed_uri())
        if flow is None:
            self._records.drop(SENT, key)
            return
        peer = self._calls.answered_by(request.call_id, request.from_.tag)
        asks = self._links.at(request.top_via)
        rung = _Rung(self, key, record, request, flow, peer)
        user = _Asked(asks) if asks is not None and asks.over_network else rung
        branch = self._layer.adopt(request, flow, user, key)
        self._open_invites.sent(request, key, branch)
        if peer and not forked:
            # It stands by the record of its call; this one would be taken for a call in set-up when that has ended.
            self._records.drop(SENT, key)
        elif answers:
            for answer in answers:  # Its ACK may have arrived: then nothing but a BYE ends it.
                rung.hang_up(answer)
        else:
            # Of a fork that was answered the others may ring yet; to who has answered a CANCEL says nothing (RFC 3261 §9.2).
            branch.cancel(("Reason", f'SIP;cause=480;text="{RESTARTED}"'))

    def stands(self, invite: Request) -> bool:
        """Whether the leg that this INVITE made is still there."""
        return bool(self._calls.answered_by(invite.call_id, invite.from_.tag))

    def answered(self, key: str, record: InviteRecord, then: Callable[[bool], None]) -> None:
        """Keep `record` before an answer in it is acknowledged: whoever has got the ACK says no more that it has answered, so
        a process that dies over the BYE would leave it in the call."""
        self._open_invites.answered(key, record, then)

    def acknowledge(self, invite: Request, response: Response, flow: Flow) -> Dialog:
        """Whoever answered hears no more of it; the dialog that its 2xx makes (RFC 3261 §13.2.2.4)."""
        dialog = Dialog.as_client(invite)
        dialog.establish(response)
        while dialog.route_set and self._is_ours(dialog.route_set[0]):
            del dialog.route_set[0]
        self._layer.send_ack(_complete(dialog.make_request("ACK", invite.cseq)), flow)
        return dialog

    def hang_up(self, since: float, dialog: Dialog, flow: Flow, over: Callable[[], None]) -> None:
        """The phone answered a call of which nothing stands: BYE (RFC 3261 §9.1: too late to cancel). Its CSeq counts the
        tenths of a second since the INVITE: another process may have died over this, and its BYE had a lower one.
        `over` is called when the phone knows, or does not answer."""
        dialog.local_cseq += int(10 * self._open_invites.age(since))
        self._layer.send_request(_complete(dialog.make_request("BYE")), flow, _HungUp(over))

    def forget(self, key: str) -> None:
        """Nobody rings or waits there any more."""
        self._records.drop(SENT, key)

    def _is_ours(self, route: str) -> bool:
        try:
            uri = parse_address(route).parsed_uri()
        except MalformedValue:
            return False  # a phone's own words, which it is given back
        return self._domain.is_alias(uri.host, uri.port)


def _identity(invite: Request) -> tuple[str, str, int]:
    return invite.call_id, invite.from_.tag, invite.cseq


def _response(text: bytes) -> Response:
    response = parse_message(text)
    if not isinstance(response, Response):
        raise BadRecord("no response")
    return response


def _complete(request: Request) -> Request:
    request.append("Max-Forwards", MAX_FORWARDS)
    request.append("Content-Length", "0")
    return request


class _Rung:
    """The user of an INVITE that an earlier process sent. `peer` is the To tag of who had answered it then, or ""."""

    def __init__(
        self, recovery: Recovery, key: str, record: InviteRecord, invite: Request, flow: Flow, peer: str
    ) -> None:
        self._recovery = recovery
        self._key = key
        self._record = record
        self._invite = invite
        self._flow = flow
        self._peer = peer
        self._recorded = {_response(answer).to.tag for answer in record.answers}
        """To tags of the dialogs that must end, and stand in the record or are being written there."""
        self._ended: set[str] = set()
        """Of these, those that BYE was sent to."""
        self._over: set[str] = set()
        """Of these, those that have had it."""

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        recovery, tag = self._recovery, response.to.tag
        if not 200 <= response.status < 300:
            return
        answered = bool(tag) and tag == self._peer
        if answered and recovery.stands(self._invite):
            recovery.takes(response)
            return
        if answered:
            recovery.acknowledge(self._invite, response, self._flow)
            recovery.forget(self._key)  # its call has had its BYE meanwhile
        elif tag in self._ended:
            recovery.acknowledge(self._invite, response, self._flow)
        elif tag not in self._recorded and len(self._recorded) < MOST_ANSWERS:
            self._recorded.add(tag)
            self._record = replace(self._record, answers=[*self._record.answers, response.encode()])
            recovery.answered(self._key, self._record, lambda _kept: self.hang_up(response))

    def hang_up(self, response: Response) -> None:
        """Acknowledge a 2xx that stands in the record, and say BYE, once a dialog."""
        dialog = self._recovery.acknowledge(self._invite, response, self._flow)
        tag = response.to.tag
        if tag not in self._ended:
            self._ended.add(tag)
            self._recovery.hang_up(self._record.since, dialog, self._flow, lambda: self._hung_up(tag))

    def _hung_up(self, tag: str) -> None:
        """The record stays until all have had their BYE."""
        self._over.add(tag)
        if self._over == self._recorded:
            self._recovery.forget(self._key)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        return


class _Asked:
    """The user of an INVITE that a feature server elsewhere sent through an earlier process: it lives, and hears the answer."""

    def __init__(self, link: FeatureLink) -> None:
        self._link = link

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status > 100:
            self._link.flow.send(response.without_top_via())

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        return


class _HungUp:
    """The user of a BYE to a phone that answered what nobody waits for."""

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._over()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._over()
