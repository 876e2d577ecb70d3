"""What Session Manager answers itself, as the server that a request is for (UAS core, RFC 3261 §6): REGISTER, PUBLISH, SUBSCRIBE,
OPTIONS. Who asks is known already; the registrar, the compositor and the notifier beside it know what it means."""

from __future__ import annotations

from functools import partial
from typing import Final

from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.event_packages.package import Answer
from b2bua.session_manager.links import FeatureLink
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.screening import require_supported
from b2bua.session_manager.subscription import Subscription
from b2bua.session_manager.users import check_known
from b2bua.sip.address import parse_address
from b2bua.sip.flow import own_uri
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.rlmi import EVENTLIST
from b2bua.sip.uri import is_sips
from b2bua.sip.why import Why
from b2bua.transaction.server import ServerTransaction

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, INFO, REFER, PRACK, UPDATE"
REGISTERED: Final = "registrar: {} has {} bindings now (RFC 3261 §10.3)"
STORED: Final[Why] = (None, "event state: stored, whoever watches it is told (RFC 3903 §6)")
SUBSCRIBED: Final = "notifier: {} may watch {}, the state follows in a NOTIFY (RFC 6665 §4.2.1)"
UNSOLICITED: Final[Why] = (None, "notifier: nobody asked for this NOTIFY; it is taken, and passed on to nobody")
ASKED_US: Final[Why] = (None, "answered here: the question is to this server itself (RFC 3261 §11.2)")


class UasCore:
    """Between the chain and the servers beside the proxy."""

    def __init__(self, parts: Parts) -> None:
        self._layer = parts.layer
        self._domain = parts.domain
        self._users = parts.users
        self._registrar = parts.registrar
        self._event_state = parts.event_state
        self._notifier = parts.notifier
        self._allow_events = parts.allow_events
        self._observer = parts.observer
        self._leg_continued = parts.leg_continued
        self._tag = parts.layer.identifiers.tag

    def register(self, arrival: Arrival, owner: str) -> None:
        require_supported(arrival.request)

        def respond(response: Response) -> None:
            # The To tag comes in here: the registrar knows nothing of identifiers.
            if response.status == 200:
                response.why = (arrival.request.why, REGISTERED, owner, response.names.count("Contact"))
            self.respond(arrival, self._tagged(response))
            started = arrival.transaction.started if arrival.transaction is not None else None
            if response.status == 200 and started is not None:
                self._observer.register_answered(self._layer.timers.now() - started)

        self._registrar.register(arrival.request, owner, arrival.source, respond)

    def publish(
        self, transaction: ServerTransaction | None, request: Request, link: FeatureLink | None, user: str
    ) -> None:
        names = request.names
        if "Require" in names:
            require_supported(request)
        if link is None or "SIP-If-Match" not in names:
            # What a feature server keeps here it may change and take back, when the user is gone too.
            check_known(user, self._users)
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
            self._leg_continued(answer.call, request.call_id)
        response = response_to(request, answer.status, answer.reason, self._tag())
        response.extend(answer.headers)
        response.why = STORED if answer.status == 200 else answer.why
        self._layer.respond(transaction, response)

    def subscribe(self, arrival: Arrival, user: str, watcher: str) -> None:
        """A SUBSCRIBE to us: the response leaves first, then the NOTIFY that each 2xx brings (RFC 6665 §4.2.1.2)."""
        request, source = arrival.request, arrival.source
        require_supported(request, EVENTLIST)
        contact = f"<{own_uri(source, '', _is_secured(request))}>"

        def respond(answer: Answer, subscription: Subscription | None) -> None:
            tag = subscription.dialog.local_tag if subscription is not None else self._tag()
            response = response_to(request, answer.status, answer.reason, tag)
            if subscription is not None:
                for route in request.get_all("Record-Route"):  # of proxies that stay on the way (RFC 3261 §12.1.1)
                    response.append("Record-Route", route)
                response.append("Contact", contact)
                response.why = (request.why, SUBSCRIBED, watcher, subscription.aor)
            elif answer.why is not None:
                response.why = (request.why, *answer.why[1:])
            for name, value in answer.headers:
                response.append(name, value)
            self.respond(arrival, response)
            if subscription is not None:
                subscription.notify_now()

        self._notifier.subscribe(request, self._domain.aor(user), watcher, source, contact, respond)

    def take_unsolicited(self, arrival: Arrival) -> None:
        """A NOTIFY that nobody asked for (message waiting, check-sync): taken, and never passed on to other phones."""
        arrival.request.why = UNSOLICITED
        self._answer(arrival, 200)

    def answer_options(self, arrival: Arrival) -> None:
        """OPTIONS to the server itself (RFC 3261 §11.2)."""
        require_supported(arrival.request)
        arrival.request.why = ASKED_US
        self._answer(
            arrival, 200, ("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", "path"), self._allow_events
        )

    def _answer(self, arrival: Arrival, status: int, *headers: tuple[str, str], reason: str = "") -> None:
        response = response_to(arrival.request, status, reason, self._tag())
        response.extend(headers)
        response.why = arrival.request.why
        self.respond(arrival, response)

    def respond(self, arrival: Arrival, response: Response) -> None:
        assert arrival.transaction is not None, "an ACK is not answered"
        self._layer.respond(arrival.transaction, response)

    def _tagged(self, response: Response) -> Response:
        if not response.to.tag:
            response.replace("To", f"{response.get('To')};tag={self._tag()}")
        return response


def _is_secured(request: Request) -> bool:
    """Whether our Contact in the dialog that a request asks for is `sips` (RFC 3261 §12.1.1): as its Request-URI, else the
    topmost Record-Route, else its Contact, where there is none."""
    if is_sips(request.uri):
        return True
    routes = request.elements("Record-Route")
    nearest = parse_address(routes[0]) if routes else request.contact()
    return nearest is not None and is_sips(nearest.uri)
