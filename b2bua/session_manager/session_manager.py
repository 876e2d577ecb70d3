"""Session Manager's core: every request takes the same visible chain, and leaves it at the first step that answers it.

    from a phone    screen → own Routes → in dialog? → challenge → owner? → registrar | event state | notifier | sequence
    from a link     screen → own Routes → in dialog? → event state | sequence → location

In dialog is only what a keyed Route token proves (own_routes.py); a To tag alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.challenger import Challenger, is_vouched_for
from b2bua.session_manager.elsewhere import Elsewhere
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.forwarding import Forwarding
from b2bua.session_manager.gate import Gate
from b2bua.session_manager.identity import caller_in, check_owner
from b2bua.session_manager.in_dialog import InDialog
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.session_manager.own_routes import OwnRouteReader
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.proxy import Proxy
from b2bua.session_manager.recovery import Calls, Recovery
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.screening import check_contact, screen
from b2bua.session_manager.sequencing import SEQUENCED, Sequencing
from b2bua.session_manager.strict_routing import loosened
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.session_manager.trunks import FROM_TRUNKS, Trunks, check_arrived
from b2bua.session_manager.uas_core import ALLOW, UasCore
from b2bua.session_manager.users import check_known
from b2bua.session_manager.waiting_invite import WaitingInvite
from b2bua.session_manager.ways import Ways
from b2bua.sip.errors import SipError
from b2bua.sip.fast_tuple import new_tuple
from b2bua.sip.flow import Flow
from b2bua.sip.message import Message, Request, Response
from b2bua.transaction.server import ServerTransaction

OF_TRUNK: Final = "trusted peer: of trunk {}, known by its address, which is not challenged"
OF_ENTITY: Final = "trusted peer: of trunk {}, known by its credentials"
NO_DIALOG: Final = "routing: no Route of ours proves that it is in a dialog"
NO_RELAY: Final = "routing: {} is neither of this domain nor served by a trunk"
BY_NO_TRUNK: Final = "routing rule {}: no way out ({})"


def _credentials(trunks: Trunks | None) -> list[TrunkCredentials]:
    found = () if trunks is None else (entity.credentials for entity in trunks.entities.all)
    return [credentials for credentials in found if credentials is not None]


class SessionManager:
    """The proxy core and the servers beside it; the user of its transaction layer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer
        self._domain = parts.domain
        self._links = parts.links
        self._observer = parts.observer
        self._read_routes = OwnRouteReader(parts.domain, parts.tokens).read
        self._uas = UasCore(parts)
        self._challenger = Challenger(parts, self._uas)
        self._open_invites: OpenInvites | None = None
        if parts.records is not None:
            strip = parts.authenticator.strip
            self._open_invites = OpenInvites(parts.records, parts.wall, parts.layer.timers, parts.observer, strip)
        self._recovery: Recovery | None = None
        self._elsewhere = Elsewhere(parts.layer, parts.links, self._forwarded_once_more)
        forwarding = Forwarding(
            parts.layer, parts.domain, parts.links, parts.authenticator, parts.tokens, self._open_invites,
            _credentials(parts.trunks),
        )  # fmt: skip
        ways = Ways(parts.flows, parts.location, parts.domain)
        self._proxy = Proxy(forwarding, parts.tokens, parts.users, parts.location, parts.flows, ways, parts.next_hops)
        self._in_dialog = InDialog(forwarding, ways, parts.next_hops)
        self._trunks = parts.trunks
        self._sequencing = Sequencing(
            parts.layer, parts.links, self._proxy, parts.domain, parts.observer, parts.trunks, self._forward_invite,
            self._past_the_last,
        )  # fmt: skip
        self._trusted = parts.trusted
        self._gate = Gate(parts, self._read_routes)
        parts.layer.gate = self._gate.verdict if parts.trunks is None else self._gate.verdict_with_trunks
        parts.layer.user = self

    # -- from the transaction layer ----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """RFC 3261 §16.3 to §16.6; refusals leave as SipError."""
        source = transaction.source
        link = self._links.of(source)
        if link is not None:
            request.why = None  # why it was sent here says nothing of why it goes on
        if link is not None and request.method == "PUBLISH" and "Route" not in request.names:
            # Most of what a feature server sends, and it goes no further: what §16.3 asks of a proxy does not matter.
            self._uas.publish(transaction, request, link, self._user_in(request))
            return
        request = loosened(request, self._domain, self._parts.tokens)
        hops = screen(request, source)
        routes = self._read_routes(request)
        entity = None if self._trunks is None or link is not None else self._trunks.entities.of(source)
        trusted = self._is_trusted(source, entity) if link is None else False
        arrival = new_tuple(Arrival, (transaction, request, source, link, routes, hops, entity, trusted))
        if link is None:
            self._domain.local_address_seen(source.local)
            if entity is not None:
                if source.transport == "tls" and request.top_via.parameter("alias") is not None:
                    self._parts.flows.alias(source, request.top_via.port or 5061)
                if self._from_entity(arrival, entity):
                    return
            self._from_phone(arrival)
        else:
            self._from_link(arrival)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        """The ACK of a 2xx goes where its Routes prove; any other is dropped, it has no answer."""
        try:
            ack = loosened(ack, self._domain, self._parts.tokens)
            hops = screen(ack, flow)
            routes = self._read_routes(ack)
            self._in_dialog.forward_ack(Arrival(None, ack, flow, self._links.of(flow), routes, hops))
        except SipError:
            self._observer.message_dropped("stray ACK")

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        context = transaction.attached
        if isinstance(context, ResponseContext):
            context.cancel(*[("Reason", value) for value in cancel.get_all("Reason")])
        elif isinstance(context, WaitingInvite):
            context.cancelled = True

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """RFC 6026 §8.9: a proxy drops a response that matches no transaction, a 2xx to INVITE too. After a restart one that
        answers an INVITE of a feature server is its for 64·T1, where the branch proves that we sent that: nobody else can
        acknowledge it."""
        if self._recovery is None or not self._recovery.takes(response, flow):
            self._observer.message_dropped("stray response")

    def recover(self, calls: Calls) -> None:
        """After a restart, once: end or go on with what was open. `calls` are those of the feature server here, restored."""
        if self._open_invites is not None:
            parts = self._parts
            self._recovery = Recovery(
                self._open_invites, parts.layer, parts.domain, parts.links, parts.flows, calls, self._replay,
                self._elsewhere, parts.tokens,
            )  # fmt: skip
            self._recovery.run()

    def _replay(self, request: Request, flow: Flow, owner: str) -> None:
        """A phone's INVITE that was authenticated before the restart, once more."""
        transaction = self._layer.take_up(request, flow)

        def work() -> None:
            entity = None if self._trunks is None else self._trunks.entities.of(flow)
            routes, hops = self._read_routes(request), screen(request, flow)
            arrival = Arrival(transaction, request, flow, None, routes, hops, entity, self._is_trusted(flow, entity))
            if request.to.tag:
                self._forward_invite(arrival, owner, partial(self._in_dialog.forward, arrival))
            else:
                self._sequencing.to_application(arrival, self._domain.user_in(request.uri) or "", owner)

        self._layer.resume(transaction, request, work)

    def _forwarded_once_more(self, request: Request, flow: Flow) -> tuple[Request, Flow]:
        """A phone's request in dialog that an earlier process took, as it goes on, and by which flow."""
        return self._in_dialog.once_more(Arrival(None, request, flow, None, self._read_routes(request), screen(request, flow)))

    def _is_trusted(self, flow: Flow, entity: Entity | None) -> bool:
        """Whether a peer that is no feature server belongs to our trust domain; an entity does where it says so."""
        if entity is not None:
            return entity.trusted
        return self._trusted is not None and self._trusted.holds(flow)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self._parts.failed(error, message)

    # -- the chain ---------------------------------------------------------------------------------------------

    def _from_phone(self, arrival: Arrival) -> None:
        request, method = arrival.request, arrival.request.method
        if request.to.tag and method != "REGISTER":
            if arrival.routes.first is not None:
                self._from_phone_in_dialog(arrival)
            elif method == "SUBSCRIBE":
                self._refresh_subscription(arrival)
            else:
                self._gate.proved_nothing(arrival.source)
                raise SipError(481).because(NO_DIALOG)
            return
        if method == "NOTIFY":
            self._uas.take_unsolicited(arrival)
            return
        user = self._domain.user_in(request.uri)
        if method == "OPTIONS":
            if user == "":
                self._uas.answer_options(arrival)
                return
            if arrival.hops == 0:  # it would have to go on: said before anyone is asked who he is (RFC 3261 §16.3)
                raise SipError(483).because("refused: Max-Forwards is used up, it goes no further (RFC 3261 §16.3 step 3)")
        owner = self._challenger.passed(arrival, in_dialog=False, proxied=user is None)
        if owner is not None:
            self._past_the_challenge(arrival, user, owner)

    def _past_the_challenge(self, arrival: Arrival, user: str | None, owner: str) -> None:
        """A phone's request out of dialog, or one of a trunk that has credentials: `owner` has proven to have sent it, "" where
        that is not asked; it is for this `user` of the domain, "" for the domain itself, None for who is elsewhere."""
        request, method = arrival.request, arrival.request.method
        entity = None if self._trunks is None else self._trunks.entities.authenticated(owner)
        if entity is not None and method in FROM_TRUNKS:
            request.why = (None, OF_ENTITY, entity.name)
            self._take_from_entity(arrival, entity)
            return
        if not is_vouched_for(arrival):
            check_owner(request, owner, self._domain, self._observer)
        elif method == "PUBLISH" and not owner:
            raise SipError(403, "Not Your Address Of Record").because("owner: nothing is published in nobody's name")
        check_contact(arrival.request, arrival.source, self._domain)
        if self._trunks is not None and not owner:
            self._trunks.check_leave(request, user, caller_in(request, self._domain, False))
        if user is not None:
            self._serve(arrival, user, owner)
        elif self._trunks is None or self._trunks.departures(method, request.uri, None, "") is None:
            raise SipError(403, "No Relay To Other Domains").because(NO_RELAY, request.uri)
        elif method not in SEQUENCED or not self._sequencing.to_application(arrival, "", owner):
            self._leave(arrival, owner)

    def _from_entity(self, arrival: Arrival, entity: Entity) -> bool:
        """Handle a trunk's request; False if it is to be challenged like anyone's."""
        request, method = arrival.request, arrival.request.method
        request.why = (None, OF_TRUNK, entity.name)
        if request.to.tag:
            if arrival.routes.first is None or method == "SUBSCRIBE":
                return False
            if method == "REFER" and not entity.trusted:
                raise SipError(403, "No Transfer By Trunks").because(
                    "routing: a trunk that is not trusted may not transfer"
                )  # the call that it asks for would be one of our user's
            self._go_on_in_dialog(arrival)
            return True
        if method not in FROM_TRUNKS:
            return False
        self._take_from_entity(arrival, entity)
        return True

    def _take_from_entity(self, arrival: Arrival, entity: Entity) -> None:
        """A call or message of a trunk, for a user of ours and for nobody else."""
        adapted = entity.adaptation.from_trunk(arrival.request)
        if adapted is not arrival.request:
            adapted.why = arrival.request.why
            arrival = arrival._replace(request=adapted)
        user = self._domain.user_in(arrival.request.uri)
        check_contact(arrival.request, arrival.source, self._domain)
        check_arrived(arrival.request, entity, self._domain, user)
        if user:
            check_known(user, self._parts.users)
        self._serve(arrival, user or "", "")

    def _leave(self, arrival: Arrival, owner: str) -> bool:
        """Out by the trunks that serve the Request-URI, if any does."""
        assert self._trunks is not None
        request = arrival.request
        caller = owner or caller_in(request, self._domain, arrival.link is not None)
        departures = self._trunks.departures(request.method, request.uri, self._domain.user_in(request.uri), caller)
        if departures is None:
            return False
        if not departures.ways:
            raise SipError(departures.status, departures.reason).because(BY_NO_TRUNK, departures.rule, departures.reason)
        self._proxy.to_entities(arrival, departures.ways, departures.rule)
        return True

    def _serve(self, arrival: Arrival, user: str, owner: str) -> None:
        """A request out of dialog, authenticated, for a user of the domain or ("") for the domain itself."""
        method = arrival.request.method
        if method == "REGISTER":
            self._uas.register(arrival, owner)
        elif method == "PUBLISH":
            if owner and owner != user:
                raise SipError(403, "Not Your Address Of Record").because("owner: who asks may publish for himself alone")
            self._uas.publish(arrival.transaction, arrival.request, None, user)
        elif method == "SUBSCRIBE":
            if not self._parts.notifier.is_list(self._domain.aor(user)):
                check_known(user, self._parts.users)
            self._uas.subscribe(arrival, user, owner)
        elif not user:
            # The domain itself is no party to a call or a message (RFC 3261 §8.2.1).
            raise SipError(405, "", ("Allow", ALLOW)).because("refused: the domain itself is no party to that (RFC 3261 §8.2.1)")
        elif method not in SEQUENCED or not self._sequencing.to_application(arrival, user, owner):
            self._past_the_last(arrival, user, owner)

    def _past_the_last(self, arrival: Arrival, user: str, owner: str) -> None:
        """No application is left to pass: out by a trunk, or to the callee's phones."""
        if self._trunks is None or not self._leave(arrival, owner):
            self._proxy.to_location(arrival, user)

    def _refresh_subscription(self, arrival: Arrival) -> None:
        """A SUBSCRIBE with a To tag: the notifier knows whether that is a subscription of ours (else 481)."""
        watcher = self._challenger.passed(arrival, in_dialog=True)
        if watcher is not None:
            check_contact(arrival.request, arrival.source, self._domain)
            self._uas.subscribe(arrival, "", watcher)

    def _from_phone_in_dialog(self, arrival: Arrival) -> None:
        # What goes on from here, a SUBSCRIBE too, is challenged by a proxy: 407.
        if self._challenger.passed(arrival, in_dialog=True, proxied=True) is None:
            return
        self._go_on_in_dialog(arrival)

    def _go_on_in_dialog(self, arrival: Arrival) -> None:
        check_contact(arrival.request, arrival.source, self._domain)
        if arrival.request.method == "INVITE":
            self._forward_invite(arrival, "", partial(self._in_dialog.forward, arrival))
        else:
            self._in_dialog.forward(arrival)

    def _forward_invite(self, arrival: Arrival, owner: str, go_on: Callable[[], None]) -> None:
        """Let a phone's INVITE go on to the feature server, once there is a record of it where that is to be."""
        link = self._links.sequence[0] if self._links.sequence else None
        if self._open_invites is None or link is None:
            go_on()
        else:
            WaitingInvite(self._layer, self._observer, arrival, go_on).keep(self._open_invites, owner)

    def _from_link(self, arrival: Arrival) -> None:
        request, method = arrival.request, arrival.request.method
        if request.to.tag:
            if arrival.routes.first is None:
                raise SipError(481).because(NO_DIALOG)
            self._in_dialog.forward(arrival)
            return
        user = self._user_in(request, method != "PUBLISH")
        if method == "PUBLISH":
            self._uas.publish(arrival.transaction, request, arrival.link, user)
        elif method == "OPTIONS" and not user:
            assert arrival.link is not None
            arrival.link.heard()
            self._elsewhere.heard(arrival.link, request)
            self._uas.answer_options(arrival)
        elif method in ("REGISTER", "SUBSCRIBE"):
            raise SipError(403).because("refused: a feature server neither registers nor subscribes")
        else:
            position = arrival.routes.position
            if position is not None and not request.call:
                self._parts.leg_continued(arrival.routes.came_as, request.call_id)
            goes_on = method in SEQUENCED and position is not None
            if not (goes_on and self._sequencing.to_application(arrival, user, "", position)):
                self._past_the_last(arrival, user, "")

    # -- steps -------------------------------------------------------------------------------------------------

    def _user_in(self, request: Request, leaving: bool = False) -> str:
        """The user of the domain that a feature server's request is for, "" for the domain itself, and where it may be
        `leaving` for what a trunk serves."""
        user = self._domain.user_in(request.uri)
        trunks = self._trunks if leaving and user is None else None
        if trunks is not None and trunks.departures(request.method, request.uri, None, "") is not None:
            return ""
        if user is None:
            raise SipError(403, "No Relay To Other Domains").because(NO_RELAY, request.uri)
        return user
