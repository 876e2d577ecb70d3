"""After a restart: what becomes of the INVITEs that had no final answer when the process ended.

A phone's re-INVITE goes its way once more, as if it had come only now; so does an INVITE whose call stands: its feature
server repeats the 2xx. Of a call in set-up nothing stands: its caller is answered 480, the phone that rings gets CANCEL, or
BYE where it has answered meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from b2bua.dialog.dialog import Dialog
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.links import Links
from b2bua.session_manager.location import way_to
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedMessage
from b2bua.sip.flow import Flow, Flows
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.via import parse_via
from b2bua.store.invite_record import RECEIVED, SENT, InviteRecord, decode_invite
from b2bua.store.records import BadRecord
from b2bua.transaction.client import NOBODY, ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TIMEOUT

RESTARTED: Final = "Server Restarted"


class Calls(Protocol):
    """The calls of the feature server in this process, restored."""

    def knows(self, call_id: str, tag: str, cseq: int = 0) -> bool: ...

    def agree_again(self, call_id: str, tag: str) -> None: ...


class NoCalls:
    """Where no feature server runs in this process."""

    def knows(self, call_id: str, tag: str, cseq: int = 0) -> bool:
        return False

    def agree_again(self, call_id: str, tag: str) -> None:
        return


class Recovery:
    """Run once, when listeners are open and the calls restored. `replay` takes a phone's INVITE past the challenge."""

    def __init__(
        self, open_invites: OpenInvites, layer: TransactionLayer, domain: Domain, links: Links, flows: Flows, calls: Calls,
        replay: Callable[[Request, Flow, str], None],
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

    def run(self) -> None:
        """End or go on with everything that was open."""
        for kind, take in ((SENT, self._sent), (RECEIVED, self._received)):
            for key, text in self._records.records(kind):
                try:
                    record = decode_invite(text)
                    request = parse_message(record.request)
                    if not isinstance(request, Request) or request.method != "INVITE":
                        raise BadRecord("no INVITE")
                except (BadRecord, MalformedMessage) as error:
                    self._records.set_aside(kind, key, str(error))
                    continue
                take(key, record, request)

    def takes(self, response: Response) -> bool:
        """Whether a response that matches no transaction is a 2xx to an INVITE that the feature server here sent before the
        restart: it goes there."""
        if self._layer.timers.now() > self._until or response.cseq_method != "INVITE" or not 200 <= response.status < 300:
            return False
        vias = response.elements("Via")
        for link in self._links.sequence:
            if not link.over_network and len(vias) > 1 and parse_via(vias[1]).host == link.flow.remote[0]:
                link.flow.send(response.without_top_via())
                return True
        return False

    # -- of phones ---------------------------------------------------------------------------------------------

    def _received(self, key: str, record: InviteRecord, request: Request) -> None:
        flow = self._flows.find(record.listener, (record.host, record.port))
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
            self._layer.respond(transaction, response_to(request, 480, RESTARTED, self._layer.identifiers.tag()))

    # -- to phones ---------------------------------------------------------------------------------------------

    def _sent(self, key: str, record: InviteRecord, request: Request) -> None:
        source = record.host, record.port
        # A phone that opened the connection is asked where its Contact is; behind NAT there is no such place.
        flow = way_to(self._flows, record.listener, source, False, request.parsed_uri())
        if flow is None:
            self._records.drop(SENT, key)
            return
        stands = self._calls.knows(request.call_id, request.from_.tag)
        branch = self._layer.adopt(request, flow, _Rung(self, request, flow, stands), key)
        self._open_invites.sent(request, key, branch)
        if not stands:
            branch.cancel(("Reason", f'SIP;cause=480;text="{RESTARTED}"'))

    def hang_up(self, invite: Request, response: Response, flow: Flow) -> None:
        """The phone answered a call of which nothing stands: ACK and BYE (RFC 3261 §9.1: too late to cancel)."""
        dialog = Dialog.as_client(invite)
        dialog.establish(response)
        while dialog.route_set and self._is_ours(dialog.route_set[0]):
            del dialog.route_set[0]
        for method, cseq in (("ACK", invite.cseq), ("BYE", 0)):
            request = dialog.make_request(method, cseq)
            request.append("Max-Forwards", "70")
            request.append("Content-Length", "0")
            if method == "ACK":
                self._layer.send_ack(request, flow)
            else:
                self._layer.send_request(request, flow, NOBODY)

    def _is_ours(self, route: str) -> bool:
        uri = parse_address(route).parsed_uri()
        return self._domain.is_alias(uri.host, uri.port)


class _Rung:
    """The user of an INVITE that an earlier process sent."""

    def __init__(self, recovery: Recovery, invite: Request, flow: Flow, stands: bool) -> None:
        self._recovery = recovery
        self._invite = invite
        self._flow = flow
        self._stands = stands
        self._ended: set[str] = set()

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if not 200 <= response.status < 300:
            return
        if self._stands:
            self._recovery.takes(response)
        elif response.to.tag not in self._ended:
            self._ended.add(response.to.tag)
            self._recovery.hang_up(self._invite, response, self._flow)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        return
