"""Session Manager's core: every request takes the same visible chain, and leaves it at the first step that answers it.

    from a phone    screen → own Routes → in dialog? → challenge → owner? → registrar | event state | notifier | sequence
    from a link     screen → own Routes → in dialog? → event state | sequence → location

In dialog is only what a keyed Route token proves (own_routes.py); a To tag alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from b2bua.observer import Observer
from b2bua.session_manager.authenticator import Authenticator, Challenge, Passed
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import Binding, Location, behind_nat, is_address
from b2bua.session_manager.notifier import Notifier
from b2bua.session_manager.own_routes import OwnRoutes, read_own_routes
from b2bua.session_manager.registrar import Registrar
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.screening import require_supported, screen
from b2bua.session_manager.tokens import CALLEE, CALLER, FlowToken, Tokens
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, Flows
from b2bua.sip.message import Message, Request, Response, response_to
from b2bua.sip.uri import host_text, parse_uri
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, INFO, REFER"
MAX_FORWARDS: Final = 70
_NAMING_TARGET: Final = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "REFER"))
"""Methods whose Contact becomes the target of what we or others send later."""


class Users(Protocol):
    """Who has an account: what Session Manager asks the store."""

    def user(self, name: str) -> object | None: ...


class Arrival(NamedTuple):
    """One request on its way through the chain."""

    transaction: ServerTransaction | None
    """None for an ACK."""
    request: Request
    source: Flow
    link: FeatureLink | None
    """The feature server it came from; None for a phone."""
    routes: OwnRoutes
    hops: int | None
    """Max-Forwards as it came."""


class Parts(NamedTuple):
    """What the service puts together for a Session Manager."""

    layer: TransactionLayer
    domain: Domain
    tokens: Tokens
    links: Links
    users: Users
    location: Location
    registrar: Registrar
    authenticator: Authenticator
    event_state: EventState
    notifier: Notifier
    allow_events: tuple[str, str]
    """The Allow-Events header of our answer to OPTIONS."""
    flows: Flows
    observer: Observer
    failed: Callable[[BaseException, Message], None]
    """Hears of our own mistakes, with the message that brought them up."""


class SessionManager:
    """The proxy core and the servers beside it; the user of its transaction layer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer
        self._domain = parts.domain
        self._tokens = parts.tokens
        self._links = parts.links
        self._authenticator = parts.authenticator
        self._observer = parts.observer
        self._tag = parts.layer.identifiers.tag
        parts.layer.user = self

    # -- from the transaction layer ----------------------------------------------------------------------------

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """RFC 3261 §16.3 to §16.6; refusals leave as SipError."""
        hops = screen(request)
        source = transaction.source
        link = self._links.of(source)
        routes = read_own_routes(request, self._domain, self._tokens)
        arrival = Arrival(transaction, request, source, link, routes, hops)
        if link is None:
            self._domain.local_address_seen(source.local)
            self._from_phone(arrival)
        else:
            self._from_link(arrival)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        """The ACK of a 2xx goes where its Routes prove; any other is dropped, it has no answer."""
        try:
            hops = screen(ack)
            routes = read_own_routes(ack, self._domain, self._tokens)
            arrival = Arrival(None, ack, flow, self._links.of(flow), routes, hops)
            if routes.first is None:
                raise SipError(481)
            target = self._target_in_dialog(arrival)
        except SipError:
            self._observer.message_dropped("stray ACK")
            return
        self._layer.send_ack(self._forwarded(arrival, ack.uri), target)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        context = transaction.attached
        if isinstance(context, ResponseContext):
            context.cancel(*[("Reason", value) for value in cancel.get_all("Reason")])

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        """RFC 6026 §8.9: a proxy drops a response that matches no transaction, a 2xx to INVITE too."""
        self._observer.message_dropped("stray response")

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
                raise SipError(481)
            return
        if method == "NOTIFY":
            # Unsolicited (message waiting, check-sync): taken, and never passed on to other phones.
            self._answer(arrival, 200)
            return
        user = self._domain.user_in(request.uri)
        if method == "OPTIONS" and user == "":
            self._answer_options(arrival)
            return
        owner = self._challenge_passed(arrival, in_dialog=False, proxied=user is None)
        if owner is None:
            return
        self._check_owner(request, owner)
        self._check_contact(request)
        if user is None:
            raise SipError(403, "No Relay To Other Domains")
        self._serve(arrival, user, owner)

    def _serve(self, arrival: Arrival, user: str, owner: str) -> None:
        """A request out of dialog, authenticated, for a user of the domain or ("") for the domain itself."""
        method = arrival.request.method
        if method == "REGISTER":
            self._register(arrival, owner)
        elif method == "PUBLISH":
            if owner and owner != user:
                raise SipError(403, "Not Your Address Of Record")
            self._publish(arrival, user)
        elif method == "SUBSCRIBE":
            self._known(user)
            self._subscribe(arrival, user, owner)
        elif method == "INVITE" and self._links.sequence:
            self._to_application(arrival, user, owner, 0)
        else:
            self._to_location(arrival, user)

    def _refresh_subscription(self, arrival: Arrival) -> None:
        """A SUBSCRIBE with a To tag: the notifier knows whether that is a subscription of ours (else 481)."""
        watcher = self._challenge_passed(arrival, in_dialog=True)
        if watcher is not None:
            self._check_contact(arrival.request)
            self._subscribe(arrival, "", watcher)

    def _from_phone_in_dialog(self, arrival: Arrival) -> None:
        # What goes on from here, a SUBSCRIBE too, is challenged by a proxy: 407.
        if self._challenge_passed(arrival, in_dialog=True, proxied=True) is None:
            return
        self._check_contact(arrival.request)
        self._forward_in_dialog(arrival)

    def _from_link(self, arrival: Arrival) -> None:
        request, method = arrival.request, arrival.request.method
        if request.to.tag:
            if arrival.routes.first is None:
                raise SipError(481)
            self._forward_in_dialog(arrival)
            return
        user = self._domain.user_in(request.uri)
        if user is None:
            raise SipError(403, "No Relay To Other Domains")
        if method == "PUBLISH":
            self._publish(arrival, user)
        elif method == "OPTIONS" and not user:
            self._answer_options(arrival)
        elif method in ("REGISTER", "SUBSCRIBE"):
            raise SipError(403)
        else:
            position = arrival.routes.position
            if method == "INVITE" and position is not None and position < len(self._links.sequence):
                self._to_application(arrival, user, "", position)
            else:
                self._to_location(arrival, user)

    # -- steps -------------------------------------------------------------------------------------------------

    def _challenge_passed(self, arrival: Arrival, in_dialog: bool, proxied: bool = False) -> str | None:
        """The authenticated user ("" where none is asked for); None when the request has been answered here."""
        request = arrival.request
        verdict = self._authenticator.check(request, in_dialog, proxied)
        if isinstance(verdict, Passed):
            return verdict.user
        if isinstance(verdict, Challenge):
            response = response_to(request, verdict.status, tag=self._tag())
            response.append(verdict.header_name, verdict.header_value)
        else:
            response = response_to(request, verdict.status, verdict.reason, self._tag())
        self._respond(arrival, response)
        return None

    def _check_owner(self, request: Request, owner: str) -> None:
        """The credentials' user owns the To of a REGISTER, and the From of all else."""
        if not owner:
            return
        address = request.to if request.method == "REGISTER" else request.from_
        if self._domain.user_in(address.uri) != owner:
            if request.method == "REGISTER":
                self._observer.registered("forbidden")
            raise SipError(403, "Not Your Address Of Record")

    def _check_contact(self, request: Request) -> None:
        """A phone whose Contact is a listener of ours would have us call ourselves."""
        contact = request.contact() if request.method in _NAMING_TARGET else None
        if contact is not None:
            uri = contact.parsed_uri()
            if self._domain.is_listener(uri.host, uri.port):
                raise SipError(403, "Contact Is This Server")

    def _register(self, arrival: Arrival, owner: str) -> None:
        require_supported(arrival.request)

        def respond(response: Response) -> None:
            # The To tag comes in here: the registrar knows nothing of identifiers.
            self._respond(arrival, self._tagged(response))

        self._parts.registrar.register(arrival.request, owner, arrival.source, respond)

    def _publish(self, arrival: Arrival, user: str) -> None:
        require_supported(arrival.request)
        if arrival.link is None or not arrival.request.has("SIP-If-Match"):
            # What a feature server keeps here it may change and take back, when the user is gone too.
            self._known(user)
        link = arrival.link.name if arrival.link is not None else ""
        answer = self._parts.event_state.publish(arrival.request, self._domain.aor(user), link)
        self._answer(arrival, answer.status, *answer.headers, reason=answer.reason)

    def _subscribe(self, arrival: Arrival, user: str, watcher: str) -> None:
        """A SUBSCRIBE to us: the response leaves first, then the NOTIFY that each 2xx brings (RFC 6665 §4.2.1.2)."""
        request, source = arrival.request, arrival.source
        require_supported(request)
        host, port = source.local
        contact = f"<sip:{host_text(host)}:{port}>"
        answer, subscription = self._parts.notifier.subscribe(request, self._domain.aor(user), watcher, source, contact)
        tag = subscription.dialog.local_tag if subscription is not None else self._tag()
        response = response_to(request, answer.status, answer.reason, tag)
        if subscription is not None:
            response.append("Contact", contact)
        for name, value in answer.headers:
            response.append(name, value)
        self._respond(arrival, response)
        if subscription is not None:
            subscription.notify_now()

    def _known(self, user: str) -> None:
        if not user or self._parts.users.user(user) is None:
            raise SipError(404)

    def _answer(self, arrival: Arrival, status: int, *headers: tuple[str, str], reason: str = "") -> None:
        response = response_to(arrival.request, status, reason, self._tag())
        for name, value in headers:
            response.append(name, value)
        self._respond(arrival, response)

    def _respond(self, arrival: Arrival, response: Response) -> None:
        assert arrival.transaction is not None, "an ACK is not answered"
        self._layer.respond(arrival.transaction, response)

    def _answer_options(self, arrival: Arrival) -> None:
        """OPTIONS to the server itself (RFC 3261 §11.2)."""
        require_supported(arrival.request)
        self._answer(
            arrival, 200, ("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", "path"), self._parts.allow_events
        )

    def _tagged(self, response: Response) -> Response:
        if not response.to.tag:
            response.replace("To", f"{response.get('To')};tag={self._tag()}")
        return response

    # -- routing -----------------------------------------------------------------------------------------------

    def _to_application(self, arrival: Arrival, user: str, owner: str, position: int) -> None:
        """Hand the request to the application at this position; its Route brings it back behind that position."""
        link = self._links.sequence[position]
        request = arrival.request
        context = self._start_proxying(arrival)
        forwarded = self._forwarded(arrival, self._canonical(request.uri, user))
        host, port = arrival.source.local
        back = self._tokens.position(position + 1)
        forwarded.insert_before("Route", f"<sip:{back}@{host_text(host)}:{port};lr>")
        forwarded.insert_before("Route", f"<sip:{host_text(host)}:{port};lr;fs={link.name}>")
        if arrival.link is None:
            self._assert_identity(forwarded, owner)
            contact = request.contact()
            via = request.top_via
            nat = contact is None or behind_nat(contact, via.host, via.port, arrival.source.remote)
            token = self._tokens.flow(arrival.source, request.call_id, CALLER, nat, link.name)
            self._record_route(forwarded, arrival.source, token)
        context.add(self._layer.send_request(forwarded, link.flow, context))

    def _to_location(self, arrival: Arrival, user: str) -> None:
        """Past the last application: to every contact of the user (RFC 3261 §16.5), 404 or 480 where there is none."""
        self._known(user)
        targets = []
        for binding in self._parts.location.bindings(user):
            flow = binding.flow(self._parts.flows)
            if flow is not None:
                targets.append((binding, flow))
        if not targets:
            raise SipError(480)
        context = self._start_proxying(arrival)
        for binding, flow in targets:
            context.add(self._layer.send_request(self._to_contact(arrival, binding, flow), flow, context))

    def _to_contact(self, arrival: Arrival, binding: Binding, flow: Flow) -> Request:
        request = arrival.request
        forwarded = self._forwarded(arrival, binding.uri)
        for route in reversed(binding.path):
            forwarded.insert_before("Route", route)
        if request.method == "INVITE":
            if arrival.link is None:
                # Both sides are phones: a Record-Route for each, the one of the caller's side first (RFC 5658).
                token = self._tokens.flow(arrival.source, request.call_id, CALLER, False, "")
                self._record_route(forwarded, arrival.source, token)
            name = arrival.link.name if arrival.link is not None else ""
            self._record_route(forwarded, flow, self._tokens.flow(flow, request.call_id, CALLEE, binding.nat, name))
        return forwarded

    def _forward_in_dialog(self, arrival: Arrival) -> None:
        """By Route token and Request-URI, never by location (RFC 3261 §16.5 leaves a request in dialog its target)."""
        request = arrival.request
        flow = self._target_in_dialog(arrival)
        context = self._start_proxying(arrival)
        forwarded = self._forwarded(arrival, request.uri)
        if request.method == "INVITE":
            # No effect on the route set, but a recovering or strict peer wants it (RFC 3261 §16.6 step 4).
            for text in reversed(arrival.routes.texts):
                self._record_route(forwarded, flow if arrival.link is not None else arrival.source, text)
        context.add(self._layer.send_request(forwarded, flow, context))

    def _target_in_dialog(self, arrival: Arrival) -> Flow:
        """Where a request in dialog goes: the phone's flow when a link sends, else the link that the Request-URI names,
        else the other phone's flow."""
        first, second = arrival.routes.first, arrival.routes.second
        assert first is not None
        if arrival.link is not None:
            return self._flow_of(first, arrival.request)
        if second is not None:
            # One token twice, or behind one that leads to a link, would have us send wherever the Request-URI says.
            if first.link or first.direction == second.direction:
                raise SipError(403, "Routes Of Different Dialogs")
            return self._flow_of(second, arrival.request)
        uri = arrival.request.parsed_uri()
        if self._domain.is_alias(uri.host, uri.port):
            # The token says it too: some phones lose the parameters of the Request-URI.
            link = self._links.named(uri.parameter("fs") or first.link)
            if link is not None:
                return link.flow
        raise SipError(404)

    def _flow_of(self, token: FlowToken, request: Request) -> Flow:
        remote = token.remote
        if not token.through_nat:
            # A phone in the open may have moved its Contact by a re-INVITE (target refresh): the Request-URI has it.
            uri = request.parsed_uri()
            if is_address(uri.bare_host):
                remote = (uri.bare_host, uri.port or 5060)
        flow = self._parts.flows.find(token.listener, remote)
        if flow is None:
            raise SipError(430)
        return flow

    # -- building ----------------------------------------------------------------------------------------------

    def _start_proxying(self, arrival: Arrival) -> ResponseContext:
        """Response context of a request that goes on; an INVITE gets its 100 at once (RFC 3261 §16.2)."""
        request = arrival.request
        if arrival.hops == 0:
            raise SipError(483)  # an OPTIONS that is not for ourselves
        if request.method == "INVITE":
            self._respond(arrival, response_to(request, 100))
        assert arrival.transaction is not None
        status_of_silence = 487 if arrival.link is None else 408
        return ResponseContext(self._layer, arrival.transaction, request, self._tag, status_of_silence)

    def _forwarded(self, arrival: Arrival, uri: str) -> Request:
        """The copy that goes on (RFC 3261 §16.6 steps 1 to 3): our Routes off, a hop less, no credentials of our realm."""
        request = arrival.request
        copy = request.copy()
        copy.uri = uri
        for _ in range(arrival.routes.count):
            copy.remove_first("Route")
        hops = arrival.hops
        copy.replace("Max-Forwards", str(MAX_FORWARDS if hops is None else hops - 1))
        self._authenticator.strip(copy)
        if arrival.link is None:
            # What a phone asserts of itself is worth nothing (RFC 3325 §5).
            for name in ("P-Asserted-Identity", "P-Preferred-Identity"):
                if name in copy.names:
                    copy.remove(name)
        return copy

    def _assert_identity(self, request: Request, owner: str) -> None:
        """Tell the applications whom we authenticated (RFC 3325 §5)."""
        if owner:
            request.append("P-Asserted-Identity", f"<{self._domain.aor(owner)}>")

    def _record_route(self, request: Request, flow: Flow, token: str) -> None:
        host, port = flow.local
        request.insert_before("Record-Route", f"<sip:{token}@{host_text(host)}:{port};lr>")

    def _canonical(self, uri: str, user: str) -> str:
        """The address of record in place of an alias of it: what the applications and the documents speak of."""
        if not user or uri.endswith(f"@{self._domain.name}"):
            return uri
        return f"sip:{parse_uri(uri).user}@{self._domain.name}"


class NotifySender:
    """Sends the notifier's requests: `on_final(status)` once, 408 when nobody answered or nothing could be sent."""

    def __init__(self, layer: TransactionLayer) -> None:
        self._layer = layer

    def send(self, request: Request, flow: Flow, on_final: Callable[[int], None]) -> None:
        self._layer.send_request(request, flow, _Waiting(on_final))


class _Waiting:
    __slots__ = ("_on_final",)

    def __init__(self, on_final: Callable[[int], None]) -> None:
        self._on_final = on_final

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._on_final(response.status)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._on_final(408)
