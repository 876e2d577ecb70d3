"""The proxy in dialog: a request goes on along the route that its Route tokens prove, and the ACK of a 2xx as well."""

from __future__ import annotations

from functools import partial
from typing import Final

from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.failover import Failover
from b2bua.session_manager.forwarding import Forwarding
from b2bua.session_manager.identity import withhold
from b2bua.session_manager.links import FeatureLink
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.strict_routing import tightened
from b2bua.session_manager.tokens import BETWEEN, FlowToken
from b2bua.session_manager.ways import Ways
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, is_secure
from b2bua.sip.message import Request
from b2bua.sip.next_hop import named_host
from b2bua.sip.uri import Uri, is_sips
from b2bua.sip.why import Why

IN_DIALOG: Final = "routing: in a dialog, by the keyed token in our Route and the Request-URI"
ACK_ALONG: Final[Why] = (None, "routing: the ACK of a 2xx goes along the dialog's route (RFC 3261 §13.2.2.4)")


class InDialog:
    """By Route token and Request-URI, never by location (RFC 3261 §16.5 leaves a request in dialog its target)."""

    def __init__(self, forwarding: Forwarding, ways: Ways, next_hops: NextHops | None) -> None:
        self._forwarding = forwarding
        self._layer = forwarding.layer
        self._domain = forwarding.domain
        self._links = forwarding.links
        self._open_invites = forwarding.open_invites
        self._credentials = forwarding.credentials
        self._ways = ways
        self._next_hops = next_hops
        """None: names are not looked up."""

    def forward(self, arrival: Arrival) -> None:
        """SipError where its Routes lead nowhere."""
        if arrival.link is not None and self._next_hops is not None:
            name = _name_beyond(arrival)
            if name is not None:
                self._forward_to_name(arrival, name)
                return
        flow = self._target(arrival)
        self._send(arrival, self._start(arrival), flow)

    def once_more(self, arrival: Arrival) -> tuple[Request, Flow]:
        """A request in dialog as it goes on, and by which flow: for who hears its answers itself."""
        flow = self._target(arrival)
        return self._along_route(arrival, flow), flow

    def _start(self, arrival: Arrival) -> ResponseContext:
        """An application must know that the phone's flow is gone (RFC 5626 §5.3): a 500 can be the phone's own answer, and
        Communication Manager would take a phone that is gone for one that lives. An endpoint never gets 430 (§11.5)."""
        context = self._forwarding.start(arrival)
        if arrival.link is not None:
            context.status_of_no_way = 430
        return context

    def _send(self, arrival: Arrival, context: ResponseContext, flow: Flow) -> None:
        again = None
        if arrival.link is not None and self._ways.stands(flow):
            again = partial(self._send_another_way, arrival, context, flow)
        forwarded = self._along_route(arrival, flow)
        signed = self._open_invites is not None and arrival.link is not None and forwarded.method == "INVITE"
        branch = self._forwarding.branch(forwarded) if signed else ""
        context.add(self._layer.send_request(forwarded, flow, context, branch=branch), again)

    def _forward_to_name(self, arrival: Arrival, name: Uri) -> None:
        """The next hop is a name: the flow in the token first, which is the target of the dialog's last request there, and
        those that the name has when it fails (RFC 3263 §4.3) or is gone."""
        flow: Flow | None = None
        try:
            flow = self._target(arrival)
        except SipError as error:
            if error.status != 430:
                raise
        assert self._next_hops is not None
        context = self._start(arrival)
        build, send = partial(self._along_route, arrival), partial(self._forwarding.send_along, context, "")
        failover = Failover(context, self._next_hops, build, send, 430)
        if flow is None:
            failover.look_for(name)
        else:
            failover.begin_with(flow, name)

    def _along_route(self, arrival: Arrival, flow: Flow) -> Request:
        """A request in dialog as it goes on by this flow."""
        request = arrival.request
        forwarded = self._forwarding.copy(arrival, request.uri)
        forwarded.why = (request.why, IN_DIALOG)
        if arrival.link is not None:
            withhold(forwarded)
        if request.method == "INVITE":
            # No effect on the route set, but a recovering or strict peer wants it (RFC 3261 §16.6 step 4).
            sips = is_sips(request.uri)
            for text in reversed(arrival.routes.texts):
                self._forwarding.record_route(forwarded, flow if arrival.link is not None else arrival.source, text, sips)
        self._towards_strict_router(arrival, forwarded)
        if self._credentials and arrival.link is not None:
            credentials = self._forwarding.credentials_at(flow)
            if credentials is not None:
                credentials.complete(forwarded, flow)
        return forwarded

    def _send_another_way(self, arrival: Arrival, context: ResponseContext, gone: Flow) -> bool:
        """The connection is gone that a request was sent on: whether there is another, where it is sent (RFC 3263 §4.3)."""
        try:
            flow = self._target(arrival)
        except SipError:
            return False
        if flow is gone:
            return False
        self._send(arrival, context, flow)
        return True

    def forward_ack(self, arrival: Arrival) -> None:
        """The ACK of a 2xx goes where its Routes prove; SipError when they prove nothing."""
        if arrival.routes.first is None:
            raise SipError(481).because("routing: the ACK has no Route of ours that would prove where it belongs")
        target = self._target(arrival)
        if self._open_invites is not None:
            self._open_invites.acknowledged(arrival.request)
        ack = self._forwarding.copy(arrival, arrival.request.uri)
        ack.why = ACK_ALONG
        self._towards_strict_router(arrival, ack)
        if self._credentials and arrival.link is not None:
            credentials = self._forwarding.credentials_at(target)
            if credentials is not None:
                credentials.complete_ack(ack)
        self._layer.send_ack(ack, target)

    @staticmethod
    def _towards_strict_router(arrival: Arrival, forwarded: Request) -> None:
        """To a phone alone: to whom a feature server answers we go by our own knowledge of its link."""
        if arrival.link is not None or arrival.routes.second is not None:
            tightened(forwarded, arrival.routes.beyond)

    def _target(self, arrival: Arrival) -> Flow:
        """Where a request in dialog goes: the phone's flow when a link sends, else the link that the Request-URI names,
        else the other phone's flow."""
        first, second = arrival.routes.first, arrival.routes.second
        assert first is not None
        if first.direction == BETWEEN:
            return self._other_of_two(first, arrival.link)
        if arrival.link is not None:
            return self._flow_of(first, arrival)
        if second is not None:
            # One token twice, or behind one that leads to a link, would have us send wherever the Request-URI says.
            if first.link or first.direction == second.direction:
                raise SipError(403, "Routes Of Different Dialogs").because(
                    "routing: the two Routes of ours are not of one dialog"
                )
            return self._flow_of(second, arrival)
        foreign = self._links.named(first.link)
        if foreign is not None and foreign.foreign:
            return foreign.flow
        uri = arrival.request.parsed_uri()
        if self._domain.is_alias(uri.host, uri.port):
            # The token says it too: some phones lose the parameters of the Request-URI.
            link = self._links.named(uri.parameter("fs")) or self._links.named(first.link)
            if link is not None:
                return link.flow
        raise SipError(404).because("routing: nothing here is at this address of our own")

    def _other_of_two(self, token: FlowToken, sender: FeatureLink | None) -> Flow:
        """In a dialog between two feature servers: the one that did not send this."""
        calling, called = self._links.named(token.listener), self._links.named(token.link)
        if calling is None or called is None or sender not in (calling, called):
            raise SipError(403, "Route Of A Feature Server").because(
                "routing: the Route is one between two feature servers, and the sender is neither"
            )
        return called.flow if sender is calling else calling.flow

    def _flow_of(self, token: FlowToken, arrival: Arrival) -> Flow:
        beyond = arrival.routes.beyond
        flow = self._ways.to_phone(token.listener, token.remote, token.through_nat, arrival.request, beyond, token.gone)
        if flow is None or (is_sips(arrival.request.uri) and not is_secure(flow)):
            raise SipError(430).because(
                "location: the connection to the phone is gone, and there is no other way to it (RFC 5626 §5.3)"
            )
        return flow


def _name_beyond(arrival: Arrival) -> Uri | None:
    """The next hop of a feature server's request in dialog where that is a name to look up; an address mostly."""
    uri = arrival.routes.beyond or arrival.request.parsed_uri()
    if uri.host.replace(".", "").isdecimal():
        return None
    token = arrival.routes.first
    by_token = token is None or token.through_nat or token.direction == BETWEEN
    return None if by_token or not named_host(uri) else uri
