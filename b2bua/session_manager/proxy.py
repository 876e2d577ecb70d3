"""The stateful proxy (RFC 3261 §16) out of dialog: where a request goes on to, and what it looks like when it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from b2bua.session_manager.application_context import ApplicationContext
from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.departure import Departure
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.failover import Failover, Hop
from b2bua.session_manager.forwarding import Forwarding
from b2bua.session_manager.identity import strip, withhold
from b2bua.session_manager.links import FeatureLink
from b2bua.session_manager.location import Binding, Location, behind_nat
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.screening import no_sips
from b2bua.session_manager.sequences import Position
from b2bua.session_manager.tokens import CALLEE, CALLER, Tokens
from b2bua.session_manager.users import Users
from b2bua.session_manager.ways import Ways
from b2bua.sip.errors import SipError
from b2bua.sip.feature_name import FEATURE_NAME, feature_name
from b2bua.sip.flow import Flow, Flows, is_secure, own_uri
from b2bua.sip.loop_mark import bears
from b2bua.sip.max_breadth import breadth_of, split
from b2bua.sip.message import Request
from b2bua.sip.served_user import SERVED_USER, served_user
from b2bua.sip.uri import Uri, host_text, is_sips, parse_uri

TO_APPLICATION: Final = "sequence: {} is next ({}, the sequence of {})"
APPLICATION_DOWN: Final = "sequence: {} is next and does not answer its heartbeat"
TO_CONTACT: Final = "location: {} is registered at {}"
NO_CONTACT: Final = "location: {} is registered nowhere that can be reached"
NO_USER: Final = "location: {} is no user of the domain"
TO_ENTITY: Final = "routing rule {}: out by trunk {}, there {}"


class Target(NamedTuple):
    """A contact that is to get a request."""

    binding: Binding
    flow: Flow | None
    """None: by its name alone."""
    name: Uri | None
    """To be looked up; None: by its flow."""


class Proxy:
    """Passes requests on: to an application of the sequence, to a user's contacts, or out by a trunk."""

    def __init__(
        self, forwarding: Forwarding, tokens: Tokens, users: Users, location: Location, flows: Flows, ways: Ways,
        next_hops: NextHops | None = None,
    ) -> None:  # fmt: skip
        self._forwarding = forwarding
        self._layer = forwarding.layer
        self._domain = forwarding.domain
        self._links = forwarding.links
        self._open_invites = forwarding.open_invites
        self._tokens = tokens
        self._users = users
        self._location = location
        self._flows = flows
        self._ways = ways
        self._next_hops = next_hops
        """None: names are not looked up."""

    # -- where to -----------------------------------------------------------------------------------------------

    def to_application(
        self, arrival: Arrival, user: str, owner: str, link: FeatureLink, position: Position, served: str,
        without: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Hand the request to this application, the first that is left at this position; its Route brings it back behind it.
        `served` is the user that it is passed for, "" where for both; `without` lets it go on when the application does not
        answer, or knows no MESSAGE: it is told why."""
        if not link.up:  # known now, and not after 64·T1 of silence
            raise SipError(480, "Feature Server Unreachable").because(APPLICATION_DOWN, link.name)
        request = arrival.request
        sips = is_sips(request.uri)
        if sips and not is_secure(link.flow):
            raise no_sips("Feature Server Without TLS")
        context = self._forwarding.start(arrival, ResponseContext if without is None else ApplicationContext)
        forwarded = self._forwarding.copy(arrival, self._canonical(request.uri, user))
        forwarded.why = (request.why, TO_APPLICATION, link.name, position.phase, position.served or "everybody")
        self._route_by(forwarded, arrival, user, link, position)
        if served:
            forwarded.append(SERVED_USER, served_user(self._domain.aor(served), position.phase))
        if arrival.link is None:
            self._assert_identity(forwarded, owner)
        if request.method == "INVITE":  # nothing comes after another one
            self._record_route(forwarded, arrival, link, sips)
        context.add(self._layer.send_request(forwarded, link.flow, context))
        if without is not None and isinstance(context, ApplicationContext):
            optional = link.name in self._links.sequences.optional
            context.otherwise(without, self._links.patience if request.method == "INVITE" else 0.0, optional)

    def _record_route(self, forwarded: Request, arrival: Arrival, link: FeatureLink, sips: bool) -> None:
        """Stay on the way between this application and who asks, towards both where a network is between (RFC 5658 §5)."""
        if arrival.link is None:
            token = self._tokens.flow(arrival.source, forwarded.call_id, CALLER, _through_nat(arrival), link.name)
            self._forwarding.record_route(forwarded, arrival.source, token, sips)
        else:
            token = self._tokens.between(arrival.link.name, link.name, forwarded.call_id)
            self._forwarding.record_route(forwarded, arrival.source, token)
        if link.over_network:
            self._forwarding.record_route(forwarded, link.flow)

    def _route_by(self, request: Request, arrival: Arrival, user: str, link: FeatureLink, position: Position) -> None:
        """The Routes to an application and back. A foreign one sends to the address that the Route back names: its link's."""
        sips = is_sips(request.uri)
        host, port = link.flow.remote
        transport = f";transport={link.flow.transport}" if link.flow.transport in ("tcp", "tls") else ""
        token = self._tokens.position(position.over(), request.call_id)
        back = "" if link.foreign else self._uri_towards(user, token)
        there, done = (f";phase=ims{position.phase}", f";phase={position.phase}done") if self._links.told else ("", "")
        back = back or own_uri(link.flow if link.foreign else arrival.source, token, sips)
        request.insert_before("Route", f"<{back};lr{done}>")
        request.insert_before("Route", f"<sip:{host_text(host)}:{port}{transport};lr{there}>")

    def _uri_towards(self, user: str, token: str) -> str:
        """Our URI as a phone of the callee knows us: an application puts that address into its Contact on that leg."""
        for binding in self._location.bindings(user):
            flow = binding.flow(self._flows)
            if flow is not None:
                self._domain.local_address_seen(flow.local)
                return own_uri(flow, token, is_sips(binding.uri))
        return ""

    def to_location(self, arrival: Arrival, user: str) -> None:
        """Past the last application: to every phone of the user at once, whatever the q of its contact (RFC 3261 §16.5, §16.6
        allow it), 404 or 480 where there is none."""
        if not user or self._users.user(user) is None:
            raise SipError(404).because(NO_USER, user or "the domain itself")
        bindings = self._location.reachable(user)
        sips = is_sips(arrival.request.uri)
        targets = self._one_of_each_instance(self._targets(bindings, sips))
        if sips and bindings and not targets:
            raise no_sips("No Secure Contact")
        if not targets:
            raise SipError(480).because(NO_CONTACT, user)
        mark = self._fork_mark(arrival) if len(targets) > 1 else ""
        shares = split(breadth_of(arrival.request), len(targets))
        context = self._forwarding.start(arrival)
        for (binding, flow, name), share in zip(targets, shares, strict=True):
            share_text = str(share) if mark else ""
            if name is None and flow is not None:
                self._send_to_contact(arrival, context, binding, flow, share_text, mark)
            elif name is not None and self._next_hops is not None:
                build = partial(self._to_contact, arrival, binding, share_text)
                send = partial(self._forwarding.send_along, context, mark)
                Failover(context, self._next_hops, build, send, 480, flow).look_for(name)

    def _targets(self, bindings: Sequence[Binding], sips: bool) -> list[Target]:
        """Those of these that can be reached, and how."""
        targets = []
        for binding in bindings:
            flow = binding.flow(self._flows)
            if (sips or is_sips(binding.uri)) and flow is not None and not is_secure(flow):
                flow = None  # RFC 3261 §16.6 step 7
            name = None if self._next_hops is None else binding.name_to_look_up(flow)
            if flow is not None or name is not None:
                named = name._replace(scheme="sips") if sips and name is not None else name
                targets.append(Target(binding, flow, named))
        return targets

    def _one_of_each_instance(self, targets: list[Target]) -> list[Target]:
        """Never two contacts of one phone at a time (RFC 5626 §7): the newest, before it one whose connection stands. The others
        are its other flows, or what it was reached at before it started anew."""
        if len(targets) < 2:
            return targets
        chosen: dict[str | int, Target] = {}
        for number, target in enumerate(targets):
            phone = target.binding.instance or number
            before = chosen.get(phone)
            if before is None or (not self._is_open(before.flow) and self._is_open(target.flow)):
                chosen[phone] = target
        return list(chosen.values())

    def _is_open(self, flow: Flow | None) -> bool:
        """Whether nothing has to be opened to send by it."""
        return flow is not None and (not flow.reliable or self._ways.stands(flow))

    def _send_to_contact(
        self, arrival: Arrival, context: ResponseContext, binding: Binding, flow: Flow, share: str, mark: str,
        tried: Sequence[Binding] = (),
    ) -> None:  # fmt: skip
        """`tried`: other contacts of this phone to which it was sent in vain."""
        forwarded = self._to_contact(arrival, binding, share, flow)
        again = None
        stands = self._ways.stands(flow)  # it may have died unnoticed; what is opened for this request is the last way
        if stands or self._others_of(binding, tried):
            again = partial(self._send_elsewhere, arrival, context, binding, flow, share, mark, tried, stands)
        if self._open_invites is not None and arrival.request.method == "INVITE":
            context.expect()
            self._forwarding.send_when_kept(
                self._open_invites, forwarded, flow, context, mark, context.sends,
                lambda transaction: context.add(transaction, again), lambda: context.not_sent(480),
            )  # fmt: skip
            return
        context.add(self._layer.send_request(forwarded, flow, context, mark), again)

    def _send_elsewhere(
        self, arrival: Arrival, context: ResponseContext, binding: Binding, gone: Flow, share: str, mark: str,
        tried: Sequence[Binding], stood: bool,
    ) -> bool:  # fmt: skip
        """The flow to a phone is gone that a request was sent on: whether it is reached by another, at its Contact, or at one of
        its other contacts (RFC 5626 §7). `stood`: the flow was one that was there before."""
        left, same = self._others_of(binding, tried), None
        if stood:
            way = binding.uri, binding.reg_id
            known = self._location.bindings(binding.aor)
            same = next((one for one in known if (one.uri, one.reg_id) == way), binding)
            left.insert(0, same)
        tried = (*tried, binding)
        for one in left:
            flow = one.flow(self._flows)
            if flow is gone and (one is same or not self._is_open(gone)):
                continue  # behind one edge there may be another flow
            sips = is_sips(arrival.request.uri) or is_sips(one.uri)
            if flow is not None and not (sips and not is_secure(flow)):
                self._send_to_contact(arrival, context, one, flow, share, mark, tried)
                return True
        return False

    def _others_of(self, binding: Binding, tried: Sequence[Binding]) -> list[Binding]:
        """The other contacts of the same phone that are left, the newest first."""
        if not binding.instance:
            return []
        before = [(one.uri, one.reg_id) for one in (binding, *tried)]
        return [
            one
            for one in self._location.reachable(binding.aor)
            if one.instance == binding.instance and (one.uri, one.reg_id) not in before
        ]

    def _fork_mark(self, arrival: Arrival) -> str:
        """Loop detection, which whoever forks owes the network (RFC 5393 §4): what goes behind the branches; SipError 482
        when the request has been here with the same Request-URI, by the same way and with the same Routes of ours."""
        request = arrival.request
        link = arrival.link.name if arrival.link is not None else ""
        routes = request.elements("Route")[: arrival.routes.count]
        mark = self._layer.identifiers.loop_mark(request.uri, link, *routes, request.call_id, str(request.cseq))
        if bears(request, mark):
            raise SipError(482).because("routing: it has been here before, just so: a loop (RFC 3261 §16.3 step 4)")
        return mark

    def _to_contact(self, arrival: Arrival, binding: Binding, share: str, flow: Flow) -> Request:
        request = arrival.request
        forwarded = self._forwarding.copy(arrival, binding.uri)
        forwarded.why = (request.why, TO_CONTACT, binding.aor, binding.uri)
        withhold(forwarded)
        if share:
            forwarded.replace("Max-Breadth", share)
        for route in reversed(binding.path):
            forwarded.insert_before("Route", route)
        if request.method == "INVITE":
            self._record_both_sides(forwarded, arrival, flow, binding.by_flow, is_sips(binding.uri))
        return forwarded

    def _record_both_sides(self, forwarded: Request, arrival: Arrival, flow: Flow, by_flow: bool, sips: bool) -> None:
        """Record-Route for the side it came from and for the one it goes to (RFC 5658)."""
        request = arrival.request
        if arrival.link is None:
            # Both sides are phones: a Record-Route for each, the one of the caller's side first.
            token = self._tokens.flow(arrival.source, request.call_id, CALLER, _through_nat(arrival), "")
            self._forwarding.record_route(forwarded, arrival.source, token, is_sips(request.uri))
        name = arrival.link.name if arrival.link is not None else ""
        if arrival.link is not None and arrival.link.over_network:
            self._forwarding.record_route(forwarded, arrival.source)
        token = self._tokens.flow(flow, request.call_id, CALLEE, by_flow, name)
        self._forwarding.record_route(forwarded, flow, token, sips)

    def to_entities(self, arrival: Arrival, departures: Sequence[Departure], rule: str) -> None:
        """Out by a trunk, as this rule says, by the next one where that does not serve. The Request-URI of a number becomes the
        trunk's own; that of a foreign domain stays."""
        assert self._next_hops is not None, "whoever has trunks has a way to find them"
        context = self._forwarding.start(arrival)
        secure = is_sips(arrival.request.uri)
        hops = []
        for departure in departures:
            way = departure.way
            there = way.entity.uri._replace(scheme="sips") if secure else way.entity.uri
            build = partial(self._for_entity, arrival, way.entity, departure.uri, rule)
            hops.append(Hop(there, build, way.timeout, way.next_on))
        send = partial(self._forwarding.send_along, context, "")
        Failover(context, self._next_hops, hops[0].build, send, 480 if secure else 503).try_each(hops)

    def _for_entity(self, arrival: Arrival, entity: Entity, uri: str, rule: str, flow: Flow) -> Request:
        request = arrival.request
        forwarded = self._forwarding.copy(arrival, uri)
        forwarded.why = (request.why, TO_ENTITY, rule, entity.name, uri)
        if not entity.trusted:
            strip(forwarded)  # RFC 3325 §5: told within the trust domain only
        entity.adaptation.to_trunk(forwarded)
        if request.method == "INVITE":
            self._record_both_sides(forwarded, arrival, flow, False, is_sips(uri))
        if entity.credentials is not None:
            entity.credentials.complete(forwarded, flow)
        return forwarded

    # -- building ----------------------------------------------------------------------------------------------

    def _assert_identity(self, request: Request, owner: str) -> None:
        """Tell the applications whom we authenticated (RFC 3325 §5)."""
        if owner and "P-Asserted-Identity" not in request.names:  # who is trusted may have said it
            request.append("P-Asserted-Identity", f"<{self._domain.aor(owner)}>")

    def _canonical(self, uri: str, user: str) -> str:
        """The address of record in place of an alias of it: what the applications and the documents speak of."""
        if not user or uri.endswith(f"@{self._domain.name}"):
            return uri
        parsed = parse_uri(uri)
        named = feature_name(parsed)
        return f"{parsed.scheme}:{parsed.user}@{self._domain.name}" + (f";{FEATURE_NAME}={named}" if named else "")


def _through_nat(arrival: Arrival) -> bool:
    """Whether the phone that sent this is reached only where it came from."""
    contact, via, source = arrival.request.contact(), arrival.request.top_via, arrival.source
    return contact is None or behind_nat(contact, via, source.remote, source.reliable)
