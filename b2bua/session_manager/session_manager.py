"""Session Manager's core: every request takes the same visible chain, and leaves it at the first step that answers it.

    from a phone    screen → own Routes → in dialog? → challenge → owner? → registrar | event state | notifier | sequence
    from a link     screen → own Routes → in dialog? → event state | sequence → location

In dialog is only what a keyed Route token proves (own_routes.py); a To tag alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from b2bua.log.events import Say, quiet
from b2bua.observer import Observer
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.authenticator import Authenticator, Challenge, Passed, challenging
from b2bua.session_manager.bans import Bans
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.elsewhere import Elsewhere
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.event_packages.package import Answer
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.identity import caller_in, is_anonymous
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import Location
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.notifier import Notifier
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.session_manager.own_routes import OwnRouteReader
from b2bua.session_manager.proxy import Proxy, Users
from b2bua.session_manager.recovery import Calls, Recovery
from b2bua.session_manager.registrar import Registrar
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.screening import require_supported, screen
from b2bua.session_manager.sequencing import SEQUENCED, Sequencing
from b2bua.session_manager.source_limit import SourceLimit
from b2bua.session_manager.stateless_refusal import stateless_refusal
from b2bua.session_manager.subscription import Subscription
from b2bua.session_manager.tokens import Tokens
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.session_manager.trunks import FROM_TRUNKS, Trunks, check_arrived
from b2bua.session_manager.trusted_networks import TrustedNetworks, asserted_user
from b2bua.session_manager.waiting_invite import WaitingInvite
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, Flows, is_secure, own_uri
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.uri import is_sips
from b2bua.sip.why import Why
from b2bua.store.interface import Records
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, INFO, REFER, PRACK, UPDATE"
_new_tuple: Final = tuple.__new__
"""Makes a named tuple without the detour over its own constructor, which is written in Python."""
_NAMING_TARGET: Final = frozenset(("INVITE", "UPDATE", "SUBSCRIBE", "REFER"))
"""Methods whose Contact becomes the target of what we or others send later."""


RIGHT: Final = "digest: right, of {}"
NOT_ASKED: Final[Why] = (None, "challenge: this method is asked for none")
VOUCHED_FOR: Final = "trusted peer: a trusted network says that it is of {}, who is not challenged"
OF_TRUNK: Final = "trusted peer: of trunk {}, known by its address, which is not challenged"
OF_ENTITY: Final = "trusted peer: of trunk {}, known by its credentials"
REGISTERED: Final = "registrar: {} has {} bindings now (RFC 3261 §10.3)"
STORED: Final[Why] = (None, "event state: stored, whoever watches it is told (RFC 3903 §6)")
SUBSCRIBED: Final = "notifier: {} may watch {}, the state follows in a NOTIFY (RFC 6665 §4.2.1)"
UNSOLICITED: Final[Why] = (None, "notifier: nobody asked for this NOTIFY; it is taken, and passed on to nobody")
ASKED_US: Final[Why] = (None, "answered here: the question is to this server itself (RFC 3261 §11.2)")
NO_DIALOG: Final = "routing: no Route of ours proves that it is in a dialog"
NO_USER: Final = "routing: {} is no user of the domain"
NO_RELAY: Final = "routing: {} is neither of this domain nor served by a trunk"
NOT_THE_OWNER: Final = "owner: the credentials are of {}, the address {} is not"
BY_NO_TRUNK: Final = "routing rule {}: no way out ({})"


def _no_wall() -> float:
    return 0.0


def _is_vouched_for(arrival: Arrival) -> bool:
    """Whether it comes from a trusted network: who is behind it has been asked already. A trunk has rules of its own."""
    return arrival.trusted and arrival.entity is None


def _credentials(trunks: Trunks | None) -> list[TrunkCredentials]:
    found = () if trunks is None else (entity.credentials for entity in trunks.entities.all)
    return [credentials for credentials in found if credentials is not None]


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
    leg_continued: Callable[[str, str], None]
    """`leg_continued(call_id, other)`: for the trace, both Call-IDs belong to one call. Called for what comes over a
    network: a message on the link in process names its call itself."""
    admission: Admission
    requests_per_source: int = 0
    """Requests out of dialog that one address may send in a second; 0 = any number."""
    bans: Bans | None = None
    """Of sources whose credentials keep being wrong; None: nobody is banned."""
    records: Records | None = None
    """A store that outlives the process; None where there is none."""
    wall: Callable[[], float] = _no_wall
    """Unix seconds, for what is recorded."""
    trunks: Trunks | None = None
    """None: there are none, and nothing leaves the domain."""
    next_hops: NextHops | None = None
    """Finds where names lead; None: names are not looked up."""
    trusted: TrustedNetworks | None = None
    """None: there are none."""
    log: Say = quiet


class SessionManager:
    """The proxy core and the servers beside it; the user of its transaction layer."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer
        self._domain = parts.domain
        self._links = parts.links
        self._authenticator = parts.authenticator
        self._observer = parts.observer
        self._read_routes = OwnRouteReader(parts.domain, parts.tokens).read
        self._event_state = parts.event_state
        self._tag = parts.layer.identifiers.tag
        self._open_invites: OpenInvites | None = None
        if parts.records is not None:
            strip = parts.authenticator.strip
            self._open_invites = OpenInvites(parts.records, parts.wall, parts.layer.timers, parts.observer, strip)
        self._recovery: Recovery | None = None
        self._elsewhere = Elsewhere(parts.layer, parts.links)
        self._proxy = Proxy(
            parts.layer, parts.domain, parts.tokens, parts.links, parts.users, parts.location, parts.flows,
            parts.authenticator, self._open_invites, parts.next_hops, _credentials(parts.trunks),
        )  # fmt: skip
        self._source_limit: SourceLimit | None = None
        if parts.requests_per_source:
            now = parts.layer.timers.now
            self._source_limit = SourceLimit(parts.requests_per_source, now, parts.links, parts.observer, self._is_in_dialog)
        self._trunks = parts.trunks
        self._sequencing = Sequencing(
            parts.layer, parts.links, self._proxy, parts.domain, parts.observer, parts.trunks, self._forward_invite,
            self._past_the_last,
        )  # fmt: skip
        self._trusted = parts.trusted
        self._bans = parts.bans
        self._log = parts.log
        self._banned = {} if parts.bans is None else parts.bans.standing
        parts.layer.gate = self._verdict if parts.trunks is None else self._gate
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
            self._publish(transaction, request, link, self._user_in(request))
            return
        hops = screen(request, source)
        routes = self._read_routes(request)
        entity = None if self._trunks is None or link is not None else self._trunks.entities.of(source)
        trusted = self._is_trusted(source, entity) if link is None else False
        arrival = _new_tuple(Arrival, (transaction, request, source, link, routes, hops, entity, trusted))
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
            hops = screen(ack, flow)
            routes = self._read_routes(ack)
            self._proxy.forward_ack(Arrival(None, ack, flow, self._links.of(flow), routes, hops))
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
        answers an INVITE of the feature server in this process is its: nobody else can acknowledge it."""
        if self._recovery is None or not self._recovery.takes(response, flow):
            self._observer.message_dropped("stray response")

    def recover(self, calls: Calls) -> None:
        """After a restart, once: end or go on with what was open. `calls` are those of the feature server here, restored."""
        if self._open_invites is not None:
            parts = self._parts
            self._recovery = Recovery(
                self._open_invites, parts.layer, parts.domain, parts.links, parts.flows, calls, self._replay,
                self._elsewhere,
            )
            self._recovery.run()

    def _replay(self, request: Request, flow: Flow, owner: str) -> None:
        """A phone's INVITE that was authenticated before the restart, once more."""
        transaction = self._layer.take_up(request, flow)

        def work() -> None:
            entity = None if self._trunks is None else self._trunks.entities.of(flow)
            routes, hops = self._read_routes(request), screen(request, flow)
            arrival = Arrival(transaction, request, flow, None, routes, hops, entity, self._is_trusted(flow, entity))
            if request.to.tag:
                self._forward_invite(arrival, owner, partial(self._proxy.forward_in_dialog, arrival))
            else:
                self._sequencing.to_application(arrival, self._domain.user_in(request.uri) or "", owner)

        self._layer.resume(transaction, request, work)

    def _is_trusted(self, flow: Flow, entity: Entity | None) -> bool:
        """Whether a peer that is no feature server belongs to our trust domain; an entity does where it says so."""
        if entity is not None:
            return entity.trusted
        return self._trusted is not None and self._trusted.holds(flow)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self._parts.failed(error, message)

    def _gate(self, request: Request, flow: Flow) -> Response | bool | None:
        """From the transaction layer, before any state is made: whether a new request is taken."""
        verdict = self._verdict(request, flow)
        if self._trunks is not None and isinstance(verdict, Response) and self._trunks.entities.of(flow) is not None:
            refusal = stateless_refusal(request, trunk=True)
            refusal.why = verdict.why
            return refusal
        return verdict

    def _verdict(self, request: Request, flow: Flow) -> Response | bool | None:
        """First what its source may ask for, then what we can do."""
        if self._banned and self._is_shut_out(request, flow):
            self._observer.message_dropped("source banned")
            return None
        if self._source_limit is not None:
            verdict = self._source_limit.refusal(request, flow)
            if verdict is not True:
                return verdict
        return self._parts.admission.refusal(request, flow)

    def _is_shut_out(self, request: Request, flow: Flow) -> bool:
        """Whether a request is from a banned source, and in no dialog of a standing call."""
        assert self._bans is not None, "somebody is banned"
        if self._links.of(flow) is not None or not self._bans.holds(flow.remote[0]):
            return False
        return not request.to.tag or request.method == "REGISTER" or not self._is_in_dialog(request)

    def _is_in_dialog(self, request: Request) -> bool:
        try:
            return self._read_routes(request).first is not None
        except SipError:
            return False

    # -- the chain ---------------------------------------------------------------------------------------------

    def _from_phone(self, arrival: Arrival) -> None:
        request, method = arrival.request, arrival.request.method
        if request.to.tag and method != "REGISTER":
            if arrival.routes.first is not None:
                self._from_phone_in_dialog(arrival)
            elif method == "SUBSCRIBE":
                self._refresh_subscription(arrival)
            else:
                if self._source_limit is not None:
                    self._source_limit.charge(arrival.source)
                raise SipError(481).because(NO_DIALOG)
            return
        if method == "NOTIFY":
            # Unsolicited (message waiting, check-sync): taken, and never passed on to other phones.
            request.why = UNSOLICITED
            self._answer(arrival, 200)
            return
        user = self._domain.user_in(request.uri)
        if method == "OPTIONS":
            if user == "":
                self._answer_options(arrival)
                return
            if arrival.hops == 0:  # it would have to go on: said before anyone is asked who he is (RFC 3261 §16.3)
                raise SipError(483).because("refused: Max-Forwards is used up, it goes no further (RFC 3261 §16.3 step 3)")
        owner = self._challenge_passed(arrival, in_dialog=False, proxied=user is None)
        if owner is None:
            return
        entity = None if self._trunks is None else self._trunks.entities.authenticated(owner)
        if entity is not None and method in FROM_TRUNKS:
            request.why = (None, OF_ENTITY, entity.name)
            self._take_from_entity(arrival, entity)
            return
        if not _is_vouched_for(arrival):
            self._check_owner(request, owner)
        elif method == "PUBLISH" and not owner:
            raise SipError(403, "Not Your Address Of Record").because(
                "owner: nothing is published in nobody's name"
            )  # in nobody's name nothing is published
        self._check_contact(arrival)
        if self._trunks is not None and not owner:
            self._trunks.check_leave(request, user, caller_in(request, self._domain, False))
        if user is not None:
            self._serve(arrival, user, owner)
        elif self._trunks is None or self._trunks.departures(method, request.uri, None, "") is None:
            raise SipError(403, "No Relay To Other Domains").because(NO_RELAY, request.uri)
        elif method not in SEQUENCED or not self._sequencing.to_application(arrival, "", owner):
            self._leave(arrival, owner)

    def _from_entity(self, arrival: Arrival, entity: Entity) -> bool:
        """A request of a trunk, which is not challenged; False for what it may ask for no more than anybody else."""
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
        self._check_contact(arrival)
        check_arrived(arrival.request, entity, self._domain, user)
        if user:
            self._known(user)
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
            self._register(arrival, owner)
        elif method == "PUBLISH":
            if owner and owner != user:
                raise SipError(403, "Not Your Address Of Record").because("owner: who asks may publish for himself alone")
            self._publish(arrival.transaction, arrival.request, None, user)
        elif method == "SUBSCRIBE":
            if not self._parts.notifier.is_list(self._domain.aor(user)):
                self._known(user)
            self._subscribe(arrival, user, owner)
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
        watcher = self._challenge_passed(arrival, in_dialog=True)
        if watcher is not None:
            self._check_contact(arrival)
            self._subscribe(arrival, "", watcher)

    def _from_phone_in_dialog(self, arrival: Arrival) -> None:
        # What goes on from here, a SUBSCRIBE too, is challenged by a proxy: 407.
        if self._challenge_passed(arrival, in_dialog=True, proxied=True) is None:
            return
        self._go_on_in_dialog(arrival)

    def _go_on_in_dialog(self, arrival: Arrival) -> None:
        self._check_contact(arrival)
        if arrival.request.method == "INVITE":
            self._forward_invite(arrival, "", partial(self._proxy.forward_in_dialog, arrival))
        else:
            self._proxy.forward_in_dialog(arrival)

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
            self._proxy.forward_in_dialog(arrival)
            return
        user = self._user_in(request, method != "PUBLISH")
        if method == "PUBLISH":
            self._publish(arrival.transaction, request, arrival.link, user)
        elif method == "OPTIONS" and not user:
            assert arrival.link is not None
            arrival.link.heard()
            self._elsewhere.heard(arrival.link, request)
            self._answer_options(arrival)
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

    def _challenge_passed(self, arrival: Arrival, in_dialog: bool, proxied: bool = False) -> str | None:
        """The authenticated user ("" where none is asked for); None when the request has been answered here. Who is trusted is
        not challenged, and says who it is; but for REGISTER, which is the phone's own and always challenged."""
        request = arrival.request
        if _is_vouched_for(arrival) and request.method != "REGISTER":
            user = asserted_user(request, self._domain, self._parts.users)
            request.why = (None, VOUCHED_FOR, user or "nobody of the domain")
            return user
        verdict = self._authenticator.check(request, in_dialog, proxied)
        if isinstance(verdict, Passed):
            request.why = (None, RIGHT, verdict.user) if verdict.user else NOT_ASKED
            return verdict.user
        if isinstance(verdict, Challenge):
            response = challenging(request, verdict, self._tag())
            if verdict.wrong:
                self._credentials_wrong(arrival, verdict.user)
        else:
            response = response_to(request, verdict.status, verdict.reason, self._tag())
            response.why = verdict.why
        self._respond(arrival, response)
        return None

    def _credentials_wrong(self, arrival: Arrival, user: str) -> None:
        peer = arrival.source.remote
        self._log("credentials_wrong", user=user, peer=peer, method=arrival.request.method)
        if self._bans is not None:
            self._bans.failed(peer[0])

    def _check_owner(self, request: Request, owner: str) -> None:
        """The credentials' user owns the To of a REGISTER, and the From of all else."""
        if not owner:
            return
        if request.method == "REGISTER" and request.to.parsed_uri().scheme not in ("sip", "sips"):
            self._observer.registered("error")
            raise SipError(400, "To Is No SIP URI").because(
                "registrar: the To is no SIP URI, so no address of record (RFC 3261 §10.2)"
            )  # RFC 3261 §10.2: it is an address of record
        address = request.to if request.method == "REGISTER" else request.from_
        if is_anonymous(request):
            return  # who it is has been proven, and the applications are told (RFC 3325 §5)
        if self._domain.user_in(address.uri) != owner:
            if request.method == "REGISTER":
                self._observer.registered("forbidden")
            raise SipError(403, "Not Your Address Of Record").because(NOT_THE_OWNER, owner, address.uri)

    def _check_contact(self, arrival: Arrival) -> None:
        """A phone whose Contact is a listener of ours would have us call ourselves; one whose Contact is `sips` and who does
        not speak TLS could never be sent anything (RFC 5630 §5.1)."""
        request = arrival.request
        contact = request.contact() if request.method in _NAMING_TARGET else None
        if contact is None:
            return
        uri = contact.parsed_uri()
        if self._domain.is_listener(uri):
            raise SipError(403, "Contact Is This Server").because(
                "refused: Contact names this server itself, which would be a loop"
            )
        if uri.scheme == "sips" and not is_secure(arrival.source):
            raise SipError(400, "SIPS Contact Without TLS").because(
                "refused: a sips Contact on a connection that is not secure"
            )

    def _register(self, arrival: Arrival, owner: str) -> None:
        require_supported(arrival.request)

        def respond(response: Response) -> None:
            # The To tag comes in here: the registrar knows nothing of identifiers.
            if response.status == 200:
                response.why = (arrival.request.why, REGISTERED, owner, response.names.count("Contact"))
            self._respond(arrival, self._tagged(response))
            started = arrival.transaction.started if arrival.transaction is not None else None
            if response.status == 200 and started is not None:
                self._observer.register_answered(self._layer.timers.now() - started)

        self._parts.registrar.register(arrival.request, owner, arrival.source, respond)

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

    def _publish(
        self, transaction: ServerTransaction | None, request: Request, link: FeatureLink | None, user: str
    ) -> None:
        names = request.names
        if "Require" in names:
            require_supported(request)
        if link is None or "SIP-If-Match" not in names:
            # What a feature server keeps here it may change and take back, when the user is gone too.
            self._known(user)
        assert transaction is not None, "no ACK comes here"
        aor, respond = self._domain.aor(user), partial(self._published, transaction, request)
        if link is None:
            self._event_state.publish_durably(request, aor, "", False, respond)
        elif link.over_network:
            self._event_state.publish_durably(request, aor, link.name, True, respond)
        else:
            respond(self._event_state.publish(request, aor, link.name))

    def _published(self, transaction: ServerTransaction, request: Request, answer: Answer) -> None:
        if answer.call and not request.call:  # the message of a feature server elsewhere does not bring its call along
            self._parts.leg_continued(answer.call, request.call_id)
        response = response_to(request, answer.status, answer.reason, self._tag())
        response.extend(answer.headers)
        response.why = STORED if answer.status == 200 else answer.why
        self._layer.respond(transaction, response)

    def _subscribe(self, arrival: Arrival, user: str, watcher: str) -> None:
        """A SUBSCRIBE to us: the response leaves first, then the NOTIFY that each 2xx brings (RFC 6665 §4.2.1.2)."""
        request, source = arrival.request, arrival.source
        require_supported(request)
        contact = f"<{own_uri(source, '', is_sips(request.uri))}>"

        def respond(answer: Answer, subscription: Subscription | None) -> None:
            tag = subscription.dialog.local_tag if subscription is not None else self._tag()
            response = response_to(request, answer.status, answer.reason, tag)
            if subscription is not None:
                response.append("Contact", contact)
                response.why = (request.why, SUBSCRIBED, watcher, subscription.aor)
            elif answer.why is not None:
                response.why = (request.why, *answer.why[1:])
            for name, value in answer.headers:
                response.append(name, value)
            self._respond(arrival, response)
            if subscription is not None:
                subscription.notify_now()

        self._parts.notifier.subscribe(request, self._domain.aor(user), watcher, source, contact, respond)

    def _known(self, user: str) -> None:
        if not user or self._parts.users.user(user) is None:
            raise SipError(404).because(NO_USER, user or "the domain itself")

    def _answer(self, arrival: Arrival, status: int, *headers: tuple[str, str], reason: str = "") -> None:
        response = response_to(arrival.request, status, reason, self._tag())
        response.extend(headers)
        response.why = arrival.request.why
        self._respond(arrival, response)

    def _respond(self, arrival: Arrival, response: Response) -> None:
        assert arrival.transaction is not None, "an ACK is not answered"
        self._layer.respond(arrival.transaction, response)

    def _answer_options(self, arrival: Arrival) -> None:
        """OPTIONS to the server itself (RFC 3261 §11.2)."""
        require_supported(arrival.request)
        arrival.request.why = ASKED_US
        self._answer(
            arrival, 200, ("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", "path"), self._parts.allow_events
        )

    def _tagged(self, response: Response) -> Response:
        if not response.to.tag:
            response.replace("To", f"{response.get('To')};tag={self._tag()}")
        return response
