"""The transaction layer of one element: matches messages to transactions and hands the rest to its user (RFC 3261 §17, §18).

A Session Manager, a feature server and a phone each have one. It knows flows, not sockets; time and identifiers are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from b2bua.log.events import Say, quiet
from b2bua.observer import CODES, METHOD_LABELS, Observer
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.transaction.client import NOBODY, ClientTransaction, ClientUser
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.client_non_invite import NonInviteClient
from b2bua.transaction.flow_failure import flow_failed
from b2bua.transaction.long_requests import MAX_DATAGRAM, Streams, length_of
from b2bua.transaction.machine import FAILURE, PROVISIONAL, SUCCESS, Event, State
from b2bua.transaction.matching import note_source, transaction_key
from b2bua.transaction.own_via import OwnVia
from b2bua.transaction.server import Key, ServerTransaction, answer_flow
from b2bua.transaction.server_invite import InviteServer
from b2bua.transaction.server_non_invite import NonInviteServer
from b2bua.transaction.timers import Timers
from b2bua.transaction.transaction_user import Gate, TransactionUser
from b2bua.transaction.unreadable import malformed

MAX_TRANSACTIONS: Final = 500_000
"""Bounds memory under a flood: about 64 s of 7,800 requests a second; beyond it new requests are dropped and counted."""


TIMER_100: Final[Why] = (None, "timer 100: no answer within 7·T1 (3.5 s), so that it is not asked again (RFC 4320 §4.1)")
REFUSED: Final = "refused: here, it went no further"
OUR_MISTAKE: Final[Why] = (None, "refused: a mistake of this server's own; its log has the details")
NOTHING_TO_CANCEL: Final[Why] = (None, "refused: there is no INVITE to cancel (RFC 3261 §9.2)")

_PROCEEDING: Final = State.PROCEEDING
_FAILED: Final = (State.COMPLETED, State.CONFIRMED)
_CHALLENGES: Final = (401, 407)
_MATCHED_ON_LINK: Final = frozenset(("INVITE", "ACK", "CANCEL"))
"""Requests that another one refers to: on the link in process, where nothing is sent twice, only they are looked for."""


class TransactionLayer:
    """Owns all transactions of one element. `server` is the product token that its own responses carry."""

    def __init__(self, timers: Timers, identifiers: Identifiers, observer: Observer, server: str = "") -> None:
        self.timers = timers
        self.identifiers = identifiers
        self.user: TransactionUser
        """Set by whoever stands on this layer, before the first message."""
        self.streams: Streams | None = None
        """Finds streams for long requests; None: a request meant for UDP goes there whatever its length."""
        self.log: Say = quiet
        self.gate: Gate | None = None
        self.via = OwnVia(identifiers)
        self.observer = observer
        self._requests, self._responses = observer.requests, observer.responses
        self._server_line = f"Server: {server}" if server else ""
        self.servers: dict[Key, ServerTransaction] = {}
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self.on_streams: dict[Flow, dict[ClientTransaction | ServerTransaction, None]] = {}
        """What is under way on each connection: thousands may close a second, and each must cost what it carried."""

    def goes_by_stream(self, transaction: ClientTransaction | ServerTransaction, flow: Flow) -> None:
        """The transaction is under way on this connection from now on."""
        self.on_streams.setdefault(flow, {})[transaction] = None

    # -- from the transport ------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        """Bytes of one message: parsed and handled; what is no SIP is counted, and answered where it can be."""
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            malformed(self, error, flow)
            return
        self.message_received(message, flow)

    def message_received(self, message: Request | Response, flow: Flow) -> None:
        """One message from a flow. Never raises for what a peer sent nor for our own mistakes."""
        try:
            if isinstance(message, Response):
                self._response(message, flow)
            else:
                self._request(message, flow)
        except Exception as error:
            self._failed(error, message)

    def link_received(self, message: Request | Response, flow: Flow) -> None:
        """As `message_received`, from the link in process, which loses and doubles nothing and whose sender is known.

        Requests that no ACK or CANCEL refers to get a transaction but are not entered in `servers`.
        """
        transaction: ServerTransaction | None = None
        try:
            if isinstance(message, Response):
                self._response(message, flow)
                return
            method = message.method
            if method in _MATCHED_ON_LINK:
                self._request(message, flow)
                return
            self._requests["in", METHOD_LABELS[method], "memory"] += 1
            transaction = NonInviteServer(message, flow, None, self)
            try:
                self.user.request_received(transaction, message)
            except SipError as error:
                self.refuse(transaction, message, error)
        except Exception as error:
            self._failed(error, message, transaction)

    def _request(self, request: Request, flow: Flow) -> None:
        method = request.method
        transport = flow.transport
        self._requests["in", METHOD_LABELS[method], transport] += 1
        network = transport != "memory"
        if network:
            note_source(request, flow)
        key = transaction_key(request)
        transaction = self.servers.get(key)
        if transaction is not None:
            self._matched(transaction, request, flow)
            return
        if method == "ACK":
            self.user.ack_received(request, flow)
            return
        if len(self.servers) >= MAX_TRANSACTIONS:
            self.observer.message_dropped("too many transactions")
            self.observer.overload_rejected("transactions")
            return
        if network and self.gate is not None and method != "CANCEL" and not self._passes(self.gate, request, flow):
            return
        kind = InviteServer if method == "INVITE" else NonInviteServer
        transaction = self.servers[key] = kind(request, flow, key, self)
        if network and flow.reliable:
            self.goes_by_stream(transaction, flow)
        if method == "CANCEL":
            self._cancel(transaction, request)
            return
        try:
            self.user.request_received(transaction, request)
        except SipError as error:
            self.refuse(transaction, request, error)
        if network and isinstance(transaction, NonInviteServer):
            transaction.wait()  # on the link in process nobody repeats anything

    def _passes(self, gate: Gate, request: Request, flow: Flow) -> bool:
        """Whether a transaction is made for this request; a refusal leaves without one (RFC 3261 §8.2.7)."""
        verdict = gate(request, flow)
        if isinstance(verdict, Response):
            self.send_response(verdict, answer_flow(request, flow))
        return verdict is True

    def _matched(self, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
        """A request of a transaction that stands: the ACK of a failure, or sent again."""
        if request.method != "ACK":
            self.observer.retransmission("in", request.method)
            if flow.reliable and flow is not transaction.flow:
                self._follow(transaction, flow)
            transaction.fire(Event.REQUEST, request)
        elif transaction.state in _FAILED:
            transaction.fire(Event.ACK, request)
        elif transaction.state is not _PROCEEDING:
            self.user.ack_received(request, flow)

    def _follow(self, transaction: ServerTransaction, flow: Flow) -> None:
        """The same host sends its request again over another connection: the first may have died without our knowing, so what
        the request is answered leaves there (RFC 3261 §18.2.2: the connection on which it was received)."""
        if transaction.flow.reliable and flow.remote[0] == transaction.source.remote[0] and flow.transport != "memory":
            self._off_stream(transaction)
            transaction.flow = flow
            self.goes_by_stream(transaction, flow)

    def _cancel(self, transaction: ServerTransaction, cancel: Request) -> None:
        """RFC 3261 §9.2: 200, and the INVITE's user is called; 481 when there is no INVITE to cancel."""
        assert transaction.key is not None, "what others refer to has a key"
        invite = self.servers.get((*transaction.key[:-1], "INVITE"))
        if invite is None:
            response = response_to(cancel, 481, tag=self.identifiers.tag())
            response.why = NOTHING_TO_CANCEL
            self.respond(transaction, response)
            return
        self.respond(transaction, response_to(cancel, 200, tag=self.identifiers.tag()))
        if invite.state is State.PROCEEDING:
            self.user.cancel_received(invite, cancel)

    def _response(self, response: Response, flow: Flow) -> None:
        method, status = response._cseq_method or response.cseq_method, response.status
        self._responses["in", METHOD_LABELS[method], CODES[status]] += 1
        transaction = self.clients.get(((response._via or response.top_via).branch, method))
        if transaction is None:
            self.user.response_unmatched(response, flow)
            return
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    # -- to the transport --------------------------------------------------------------------------------------

    def send_request(
        self, request: Request, flow: Flow, user: ClientUser, mark: str = "", branch: str = ""
    ) -> ClientTransaction:
        """Put our Via on top and send; `user` hears the responses. The request is not to be edited afterwards.

        `mark`: what tells a loop by the branch (sip/loop_mark.py). `branch`: one that the caller has made, its mark included.
        """
        branch = self.via.put(request, flow, mark, branch)
        method = request.method
        fallback = None
        reliable = flow.reliable
        if not reliable and self.streams is not None and (size := length_of(request)) > MAX_DATAGRAM:
            stream = self.streams.stream_beside(flow, size)
            if stream is not None:
                fallback, flow, reliable = flow, stream, True
                request.remove_first("Via")
                branch = self.via.put(request, flow, mark, branch)
        kind = InviteClient if method == "INVITE" else NonInviteClient
        transaction = self.clients[branch, method] = kind(request, flow, user, self, branch)
        if fallback is not None:
            transaction.fallback = fallback
        transport = flow.transport
        if reliable and transport != "memory":
            self.goes_by_stream(transaction, flow)
        self._requests["out", METHOD_LABELS[method], transport] += 1
        transaction.start()
        return transaction

    def adopt(self, invite: Request, flow: Flow, user: ClientUser, branch: str) -> InviteClient:
        """Go on as the client of an INVITE that an earlier process sent under this branch: `user` hears what comes still, for
        64·T1. The INVITE comes without the Via."""
        self.via.put(invite, flow, branch=branch)
        transaction = InviteClient(invite, flow, user, self, branch)
        self.clients[branch, "INVITE"] = transaction
        if flow.reliable and flow.transport != "memory":
            self.goes_by_stream(transaction, flow)
        transaction.adopt()
        return transaction

    def take_up(self, invite: Request, flow: Flow) -> InviteServer:
        """Go on as the server of an INVITE that an earlier process received."""
        key = transaction_key(invite)
        transaction = InviteServer(invite, flow, key, self)
        self.servers[key] = transaction
        if flow.reliable and flow.transport != "memory":
            self.goes_by_stream(transaction, flow)
        return transaction

    def resume(self, transaction: ServerTransaction, request: Request, work: Callable[[], None]) -> None:
        """Go on with a request that had to wait: what `work` raises is answered as if `request_received` had."""
        try:
            work()
        except SipError as error:
            self.refuse(transaction, request, error)
        except Exception as error:
            self._failed(error, request, transaction)

    def send_ack(self, ack: Request, flow: Flow) -> None:
        """Send the ACK of a 2xx: a transaction of its own that has no answer (RFC 3261 §13.2.2.4)."""
        self.via.put(ack, flow)
        self._requests["out", "ACK", flow.transport] += 1
        flow.send(ack)

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a response through its transaction."""
        if "Server" not in response.names and self._server_line:
            response.names.append("Server")
            response.lines.append(self._server_line)
        method, status = response._cseq_method or response.cseq_method, response.status
        self._responses["out", METHOD_LABELS[method], CODES[status]] += 1
        if transaction.started is not None and status >= 200:
            self._answered(transaction, status, transaction.started)
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    def forward_response(self, transaction: ServerTransaction, response: Response) -> None:
        """Pass on a response that another server made: it says itself whose it is."""
        method, status = response._cseq_method or response.cseq_method, response.status
        self._responses["out", METHOD_LABELS[method], CODES[status]] += 1
        if transaction.started is not None and status >= 200:
            self._answered(transaction, status, transaction.started)
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    def send_response(self, response: Response, flow: Flow) -> None:
        """Send a response that has no transaction: to a message too malformed to keep state for."""
        if self._server_line:
            response.names.append("Server")
            response.lines.append(self._server_line)
        method = response._cseq_method or response.cseq_method
        self._responses["out", METHOD_LABELS[method], CODES[response.status]] += 1
        flow.send(response)

    def refuse(self, transaction: ServerTransaction, request: Request, error: SipError) -> None:
        """Answer a request with what a SipError says."""
        response = response_to(request, error.status, error.reason, self.identifiers.tag())
        for name, value in error.headers:
            response.append(name, value)
        response.why = error.why or (None, REFUSED)
        self.respond(transaction, response)

    def flow_failed(self, flow: Flow, comes_back: bool = False) -> None:
        """A connection is gone, or a way declared dead. `comes_back`: whoever is there has another one with us before long, and
        is asked by it."""
        flow_failed(self, flow, comes_back)

    def open_invites(self, flow: Flow) -> list[ServerTransaction]:
        """The INVITEs from this peer that have no final answer yet. Walks all transactions: for what is rare."""
        return [one for one in self.servers.values() if one.source is flow and one.method == "INVITE" and not one.answered]

    def forgotten(self, flow: Flow) -> None:
        """The peer restarted and lost its transactions: INVITEs it answered provisionally fail; other requests keep being
        retransmitted."""
        for transaction in [one for one in self.clients.values() if one.flow is flow and one.method == "INVITE"]:
            if transaction.state is State.PROCEEDING:
                transaction.fire(Event.TRANSPORT_ERROR)

    def transactions(self) -> tuple[int, int]:
        """How many server and client transactions there are: for leak tests."""
        return len(self.servers), len(self.clients)

    # -- from the transactions -------------------------------------------------------------------------------

    def send_cancel(self, cancel: Request, flow: Flow) -> None:
        """A CANCEL keeps the INVITE's Via, so it does not go through `send_request`. Nobody hears of its answer: the INVITE's
        own tells all there is to know (RFC 3261 §9.1)."""
        branch = cancel.top_via.branch
        transaction = self.clients[branch, "CANCEL"] = NonInviteClient(cancel, flow, NOBODY, self, branch)
        if flow.reliable and flow.transport != "memory":
            self.goes_by_stream(transaction, flow)
        self._requests["out", "CANCEL", flow.transport] += 1
        transaction.start()

    def server_ended(self, transaction: ServerTransaction) -> None:
        if transaction.key is not None:
            self.servers.pop(transaction.key, None)
        if self.on_streams:
            self._off_stream(transaction)

    def client_ended(self, transaction: ClientTransaction) -> None:
        self.clients.pop((transaction.branch, transaction.method), None)
        if self.on_streams:
            self._off_stream(transaction)

    def _off_stream(self, transaction: ClientTransaction | ServerTransaction) -> None:
        others = self.on_streams.get(transaction.flow)
        if others is not None:
            others.pop(transaction, None)
            if not others:
                del self.on_streams[transaction.flow]

    def unsendable(self, transaction: ClientTransaction, request: Request, error: Exception) -> None:
        """RFC 3261 §17.1.4, §8.1.3.1: its user hears of it as of any transport error, once it has the transaction."""
        self.mistaken(error, request)
        self.timers.start(0, partial(transaction.fire, Event.TRANSPORT_ERROR))

    def retransmitted(self, method: str, why: Why) -> None:
        self.observer.retransmission("out", method, why)

    def gave_up(self, data: bytes, why: Why) -> None:
        self.observer.timer_fired(data, why)

    def unanswered(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request is not None:
            response = response_to(request, 100)
            response.why = TIMER_100
            self.respond(transaction, response)

    # -- inside ------------------------------------------------------------------------------------------------

    def _answered(self, transaction: ServerTransaction, status: int, started: float) -> None:
        """Measure how long a request waited for this final response, if it is the first one; a challenge is none."""
        if transaction.request is not None and status not in _CHALLENGES:
            self.observer.transaction_answered(transaction.method, self.timers.now() - started)

    def _failed(
        self, error: Exception, message: Request | Response, transaction: ServerTransaction | None = None
    ) -> None:
        """A mistake of ours: this request is answered 500, its transaction ends, the server goes on."""
        if isinstance(message, Request) and message.method != "ACK":
            transaction = transaction or self.servers.get(transaction_key(message))
            if transaction is not None and not transaction.answered:
                response = response_to(message, 500, tag=self.identifiers.tag())
                response.why = OUR_MISTAKE
                self.respond(transaction, response)
        self.mistaken(error, message)

    def mistaken(self, error: Exception, message: Request | Response) -> None:
        """Count and report a mistake of ours; the caller sees to the answer."""
        self.observer.internal_error("transaction user")
        self.user.internal_error(error, message)
