"""The transaction layer of one element: matches messages to transactions and hands the rest to its user (RFC 3261 §17, §18).

A Session Manager, a feature server and a phone each have one. It knows flows, not sockets; time and identifiers are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from b2bua.log.events import Say, quiet
from b2bua.observer import CODES, METHODS, Observer
from b2bua.sip.errors import MalformedMessage, SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.framer import Unframed
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import host_text
from b2bua.sip.via import SIP, Via
from b2bua.sip.why import Why
from b2bua.transaction.client import NOBODY, ClientTransaction, ClientUser
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.client_non_invite import NonInviteClient
from b2bua.transaction.long_requests import MAX_DATAGRAM, Streams, length_of
from b2bua.transaction.machine import FAILURE, PROVISIONAL, SUCCESS, Event, State
from b2bua.transaction.matching import note_source, transaction_key
from b2bua.transaction.server import Key, ServerTransaction, answer_address, answer_flow
from b2bua.transaction.server_invite import InviteServer
from b2bua.transaction.server_non_invite import NonInviteServer
from b2bua.transaction.timers import Timers

MAX_TRANSACTIONS: Final = 500_000
"""Bounds memory under a flood: about 64 s of 7,800 requests a second; beyond it new requests are dropped and counted."""


TIMER_100: Final[Why] = (None, "timer 100: no answer yet after T2, so that it is not asked again (RFC 4320 §4.1)")
REFUSED: Final = "refused: here, it went no further"
BROKEN: Final[Why] = (None, "refused: what came is no SIP message as RFC 3261 §7 has it")
OUR_MISTAKE: Final[Why] = (None, "refused: a mistake of this server's own; its log has the details")
NOTHING_TO_CANCEL: Final[Why] = (None, "refused: there is no INVITE to cancel (RFC 3261 §9.2)")

_new_tuple: Final = tuple.__new__
"""Makes a named tuple without the detour over its own constructor, which is written in Python."""
_PROCEEDING: Final = State.PROCEEDING
_UNHEARD: Final = (State.CALLING, State.TRYING)
_FAILED: Final = (State.COMPLETED, State.CONFIRMED)
_CHALLENGES: Final = (401, 407)
_MATCHED_ON_LINK: Final = frozenset(("INVITE", "ACK", "CANCEL"))
"""Requests that another one refers to: on the link in process, where nothing is sent twice, only they are looked for."""


class TransactionUser(Protocol):
    """What stands on the layer: a proxy core or a user agent core (RFC 3261 §5)."""

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """A new request. Raising SipError answers it so."""

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The INVITE of this transaction is cancelled; the CANCEL itself has been answered 200 (§9.2)."""

    def ack_received(self, ack: Request, flow: Flow) -> None:
        """An ACK that belongs to no failed INVITE: for a 2xx, or a stray."""

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """A response that matches no transaction; RFC 6026 §8.9 forbids forwarding it."""

    def internal_error(self, error: BaseException, message: Message) -> None:
        """A mistake of ours came up while handling this message; it has been answered 500 where it could be."""


Gate = Callable[[Request, Flow], Response | bool | None]
"""Whether a new request may pass (True), and else what it is answered; None: not at all."""


class TransactionLayer:
    """Owns all transactions of one element. `server` is the product token that its own responses carry."""

    def __init__(self, timers: Timers, identifiers: Identifiers, observer: Observer, server: str = "") -> None:
        self.timers = timers
        self.identifiers = identifiers
        self.user: TransactionUser
        """Set by whoever stands on this layer, before the first message."""
        self.streams: Streams | None = None
        """None: every request goes over UDP that is meant to, whatever its length."""
        self.log: Say = quiet
        self.gate: Gate | None = None
        self._observer = observer
        self._requests, self._responses = observer.requests, observer.responses
        self._server_line = f"Server: {server}" if server else ""
        self._servers: dict[Key, ServerTransaction] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._on_streams: dict[Flow, dict[ClientTransaction | ServerTransaction, None]] = {}
        """What is under way on each connection: thousands may close a second, and each must cost what it carried."""
        self._ways: dict[tuple[str, HostPort], tuple[str, str, str, int]] = {}
        """Per transport and local address: a Via line of ours up to its branch, the transport in small letters, host, port."""

    # -- from the transport ------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        """Bytes of one message: parsed and handled; what is no SIP is counted, and answered where it can be."""
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._malformed(error, flow)
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
        """As `message_received`, from the link in process: it loses and doubles nothing, and who sends there is known.

        So a request that no other refers to has a transaction, but stands in no table of them.
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
            self._requests["in", method if method in METHODS else "other", "memory"] += 1
            transaction = NonInviteServer(message, flow, None, self)
            try:
                self.user.request_received(transaction, message)
            except SipError as error:
                self.refuse(transaction, message, error)
        except Exception as error:
            self._failed(error, message, transaction)

    def _malformed(self, error: MalformedMessage, flow: Flow) -> None:
        self._observer.parse_error(error.kind)
        self.log("message_unreadable", peer=flow.remote, reason=error.kind)
        request = error.request
        if request is None or request.method == "ACK":
            self._observer.message_dropped("malformed")
            return
        self._requests["in", request.method if request.method in METHODS else "other", flow.transport] += 1
        note_source(request, flow)
        response = response_to(request, error.status, error.reason, self.identifiers.tag())
        response.why = BROKEN
        self.send_response(response, answer_flow(request, flow))

    def stream_broken(self, flaw: Unframed, flow: Flow) -> None:
        """A stream cannot be read any further: its last message is refused where that can be; the transport closes it."""
        self._observer.parse_error(flaw.kind)
        self.log("message_unreadable", peer=flow.remote, reason=flaw.kind)
        request: Request | Response | None
        try:
            request = parse_message(flaw.head)
        except MalformedMessage as error:
            request = error.request
        if not isinstance(request, Request) or request.method == "ACK":
            self._observer.message_dropped("malformed")
            return
        self._requests["in", request.method if request.method in METHODS else "other", flow.transport] += 1
        note_source(request, flow)
        response = response_to(request, flaw.status, flaw.reason, self.identifiers.tag())
        response.why = BROKEN
        self.send_response(response, flow)

    def _request(self, request: Request, flow: Flow) -> None:
        method = request.method
        transport = flow.transport
        self._requests["in", method if method in METHODS else "other", transport] += 1
        network = transport != "memory"
        if network:
            note_source(request, flow)
        key = transaction_key(request)
        transaction = self._servers.get(key)
        if transaction is not None:
            self._matched(transaction, request, flow)
            return
        if method == "ACK":
            self.user.ack_received(request, flow)
            return
        if len(self._servers) >= MAX_TRANSACTIONS:
            self._observer.message_dropped("too many transactions")
            self._observer.overload_rejected("transactions")
            return
        if network and self.gate is not None and method != "CANCEL" and not self._passes(self.gate, request, flow):
            return
        kind = InviteServer if method == "INVITE" else NonInviteServer
        transaction = self._servers[key] = kind(request, flow, key, self)
        if network and flow.reliable:
            self._on_streams.setdefault(flow, {})[transaction] = None
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
            self._observer.retransmission("in", request.method)
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
            self._on_streams.setdefault(flow, {})[transaction] = None

    def _cancel(self, transaction: ServerTransaction, cancel: Request) -> None:
        """RFC 3261 §9.2: 200 and the INVITE is told, or 481 when there is none to cancel."""
        assert transaction.key is not None, "what others refer to has a key"
        invite = self._servers.get((*transaction.key[:-1], "INVITE"))
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
        self._responses["in", method if method in METHODS else "other", CODES[status]] += 1
        transaction = self._clients.get(((response._via or response.top_via).branch, method))
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
        branch = self._put_via(request, flow, mark, branch)
        method = request.method
        fallback = None
        reliable = flow.reliable
        if not reliable and self.streams is not None and (size := length_of(request)) > MAX_DATAGRAM:
            stream = self.streams.stream_beside(flow, size)
            if stream is not None:
                fallback, flow, reliable = flow, stream, True
                request.remove_first("Via")
                branch = self._put_via(request, flow, mark, branch)
        kind = InviteClient if method == "INVITE" else NonInviteClient
        transaction = self._clients[branch, method] = kind(request, flow, user, self, branch)
        if fallback is not None:
            transaction.fallback = fallback
        transport = flow.transport
        if reliable and transport != "memory":
            self._on_streams.setdefault(flow, {})[transaction] = None
        self._requests["out", method if method in METHODS else "other", transport] += 1
        transaction.start()
        return transaction

    def adopt(self, invite: Request, flow: Flow, user: ClientUser, branch: str) -> InviteClient:
        """Go on as the client of an INVITE that an earlier process sent under this branch: `user` hears what comes still, for
        64·T1. The INVITE comes without the Via."""
        self._put_via(invite, flow, branch=branch)
        transaction = InviteClient(invite, flow, user, self, branch)
        self._clients[branch, "INVITE"] = transaction
        if flow.reliable and flow.transport != "memory":
            self._on_streams.setdefault(flow, {})[transaction] = None
        transaction.adopt()
        return transaction

    def take_up(self, invite: Request, flow: Flow) -> InviteServer:
        """Go on as the server of an INVITE that an earlier process received."""
        key = transaction_key(invite)
        transaction = InviteServer(invite, flow, key, self)
        self._servers[key] = transaction
        if flow.reliable and flow.transport != "memory":
            self._on_streams.setdefault(flow, {})[transaction] = None
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
        self._put_via(ack, flow)
        self._requests["out", "ACK", flow.transport] += 1
        flow.send(ack)

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a response through its transaction."""
        if "Server" not in response.names and self._server_line:
            response.names.append("Server")
            response.lines.append(self._server_line)
        method, status = response._cseq_method or response.cseq_method, response.status
        self._responses["out", method if method in METHODS else "other", CODES[status]] += 1
        if transaction.started is not None and status >= 200:
            self._answered(transaction, status, transaction.started)
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    def forward_response(self, transaction: ServerTransaction, response: Response) -> None:
        """Pass on a response that another server made: it says itself whose it is."""
        method, status = response._cseq_method or response.cseq_method, response.status
        self._responses["out", method if method in METHODS else "other", CODES[status]] += 1
        if transaction.started is not None and status >= 200:
            self._answered(transaction, status, transaction.started)
        transaction.fire(PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE, response)

    def send_response(self, response: Response, flow: Flow) -> None:
        """Send a response that has no transaction: to a message too malformed to keep state for."""
        if self._server_line:
            response.names.append("Server")
            response.lines.append(self._server_line)
        method = response._cseq_method or response.cseq_method
        self._responses["out", method if method in METHODS else "other", CODES[response.status]] += 1
        flow.send(response)

    def refuse(self, transaction: ServerTransaction, request: Request, error: SipError) -> None:
        """Answer a request with what a SipError says."""
        response = response_to(request, error.status, error.reason, self.identifiers.tag())
        for name, value in error.headers:
            response.append(name, value)
        response.why = error.why or (None, REFUSED)
        self.respond(transaction, response)

    def flow_failed(self, flow: Flow) -> None:
        """A connection is gone: what waits for an answer on it fails (RFC 3261 §17.1.4), what owes one answers on another
        (§18.2.2)."""
        for transaction in self._under_way(flow):
            if isinstance(transaction, ServerTransaction):
                self._answer_elsewhere(transaction, flow)
            elif transaction.fallback is None or transaction.state not in _UNHEARD or transaction.request is None:
                transaction.fire(Event.TRANSPORT_ERROR)
            else:
                self._over_udp(transaction, transaction.request, transaction.fallback)

    def _under_way(self, flow: Flow) -> Iterable[ClientTransaction | ServerTransaction]:
        if flow.reliable:
            return self._on_streams.pop(flow, ())
        # Of datagrams nobody keeps account: that such a way is declared dead is rare.
        everything: list[ClientTransaction | ServerTransaction] = [*self._clients.values(), *self._servers.values()]
        return [transaction for transaction in everything if transaction.flow is flow]

    def _answer_elsewhere(self, transaction: ServerTransaction, gone: Flow) -> None:
        """A way to where the last one led is a new connection: the old one may have been dead since long before it was written
        to. And whoever sends the request again (`_follow`) must find its transaction: else it would be another request."""
        address = answer_address(transaction)
        if address is None or not gone.reliable:
            transaction.fire(Event.TRANSPORT_ERROR)
            return
        flow = transaction.flow = gone.towards(address)
        self._on_streams.setdefault(flow, {})[transaction] = None

    def _over_udp(self, client: ClientTransaction, request: Request, flow: Flow) -> None:
        """The connection that a long request was to take came to nothing: RFC 3261 §18.1.1 wants UDP tried."""
        again = request.copy()
        again.remove_first("Via")
        self._clients.pop((client.branch, client.method), None)
        client.branch = self._put_via(again, flow)
        self._clients[client.branch, client.method] = client
        if self.streams is not None:
            self.streams.refused(flow, length_of(again))
        self._requests["out", client.method if client.method in METHODS else "other", flow.transport] += 1
        client.start_again(again, flow)

    def open_invites(self, flow: Flow) -> list[ServerTransaction]:
        """The INVITEs from this peer that have no final answer yet. Walks all transactions: for what is rare."""
        return [one for one in self._servers.values() if one.source is flow and one.method == "INVITE" and not one.answered]

    def forgotten(self, flow: Flow) -> None:
        """The peer has forgotten what it was asked: an INVITE that it had begun to answer fails. One that it has not heard, and
        every other request, goes on being repeated and finds it new."""
        for transaction in [one for one in self._clients.values() if one.flow is flow and one.method == "INVITE"]:
            if transaction.state is State.PROCEEDING:
                transaction.fire(Event.TRANSPORT_ERROR)

    def transactions(self) -> tuple[int, int]:
        """How many server and client transactions there are: for leak tests."""
        return len(self._servers), len(self._clients)

    # -- from the transactions -------------------------------------------------------------------------------

    def send_cancel(self, cancel: Request, flow: Flow) -> None:
        """A CANCEL keeps the INVITE's Via, so it does not go through `send_request`. Nobody hears of its answer: the INVITE's
        own tells all there is to know (RFC 3261 §9.1)."""
        branch = cancel.top_via.branch
        transaction = self._clients[branch, "CANCEL"] = NonInviteClient(cancel, flow, NOBODY, self, branch)
        self._requests["out", "CANCEL", flow.transport] += 1
        transaction.start()

    def server_ended(self, transaction: ServerTransaction) -> None:
        if transaction.key is not None:
            self._servers.pop(transaction.key, None)
        if self._on_streams:
            self._off_stream(transaction)

    def client_ended(self, transaction: ClientTransaction) -> None:
        self._clients.pop((transaction.branch, transaction.method), None)
        if self._on_streams:
            self._off_stream(transaction)

    def _off_stream(self, transaction: ClientTransaction | ServerTransaction) -> None:
        others = self._on_streams.get(transaction.flow)
        if others is not None:
            others.pop(transaction, None)
            if not others:
                del self._on_streams[transaction.flow]

    def retransmitted(self, method: str, why: Why) -> None:
        self._observer.retransmission("out", method, why)

    def gave_up(self, data: bytes, why: Why) -> None:
        self._observer.timer_fired(data, why)

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
            self._observer.transaction_answered(transaction.method, self.timers.now() - started)

    def _put_via(self, request: Request, flow: Flow, mark: str = "", branch: str = "") -> str:
        """Put a Via of ours on top; returns its branch."""
        if not branch:
            branch = self.identifiers.branch() + mark
        way = flow.via_transport, flow.local
        known = self._ways.get(way)
        if known is None:
            known = self._ways[way] = _start_of_via(*way)
        start, transport, host, port = known
        request.names.insert(0, "Via")
        if flow.reliable:
            request.lines.insert(0, start + branch)
            # The other side of a link in process takes it from here; over a network nobody asks.
            request._via = _new_tuple(Via, (transport, host, port, f";branch={branch}", branch, SIP))
        else:
            # rport is asked for on every request of ours: we may be behind NAT ourselves (RFC 3581 §3).
            request.lines.insert(0, f"{start}{branch};rport")
            request._via = None
        return branch

    def _failed(
        self, error: Exception, message: Request | Response, transaction: ServerTransaction | None = None
    ) -> None:
        """A mistake of ours: this request is answered 500, its transaction ends, the server goes on."""
        if isinstance(message, Request) and message.method != "ACK":
            transaction = transaction or self._servers.get(transaction_key(message))
            if transaction is not None and not transaction.answered:
                response = response_to(message, 500, tag=self.identifiers.tag())
                response.why = OUR_MISTAKE
                self.respond(transaction, response)
        self.mistaken(error, message)

    def mistaken(self, error: Exception, message: Request | Response) -> None:
        """Count a mistake of ours and tell of it; whoever made it sees to the answer."""
        self._observer.internal_error("transaction user")
        self.user.internal_error(error, message)


def _start_of_via(transport: str, local: HostPort) -> tuple[str, str, str, int]:
    host, port = local
    # Over TLS we let the peer use the connection for its own requests, too (RFC 5923 §8.1): where its certificate proves it.
    alias = ";alias" if transport == "TLS" else ""
    return f"Via: SIP/2.0/{transport} {host_text(host)}:{port}{alias};branch=", transport.lower(), host, port
