"""What may pass between users and trunks. Nothing goes from one trunk to another, and out only in a proven user's name:
this server is no open relay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.session_manager.departure import Departure, Departures
from b2bua.session_manager.dial_plan import DialPlan, Route, Tell
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.entities import Entities, Entity
from b2bua.session_manager.number_rule import rule_of
from b2bua.session_manager.time_range import WeekTime
from b2bua.session_manager.users import Users
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.uri import Uri, parse_uri

FROM_TRUNKS: Final = frozenset(("INVITE", "MESSAGE"))
"""What a trunk may ask for out of dialog without being challenged; in anything else it is as anybody."""
TO_TRUNKS: Final = frozenset(("INVITE", "MESSAGE"))
"""What leaves the domain."""


NOBODY_PROVEN: Final = "trusted peer: nobody has proven who calls, so nothing leaves the domain"


class Trunks:
    """All entities, and what leads to them. `week_time` is the local time of the server."""

    def __init__(
        self, entities: Entities, users: Users, plan: DialPlan | None = None,
        week_time: Callable[[], WeekTime] = lambda: WeekTime(0, 0),
    ) -> None:  # fmt: skip
        self.entities = entities
        self._users = users
        self._week_time = week_time
        self._plan = DialPlan(entities.all) if plan is None else plan

    def follow(self, plan: DialPlan) -> None:
        """Go by another dial plan, of the same entities, from now on."""
        self._plan = plan

    def departures(
        self, method: str, uri: str, user: str | None, caller: str, tell: Tell | None = None
    ) -> Departures | None:
        """Where a request out of dialog leaves; None when it stays. `user` is that of the domain in the Request-URI, None in
        another domain; `caller` the user who calls, "" for one not known. A user with an account stands before any number."""
        if method not in TO_TRUNKS:
            return None
        if user is None:
            route = self._plan.of_domain(uri, tell)
            return None if route is None else Departures(tuple(Departure(way, uri) for way in route.ways), rule=route.rule)
        if not user or self._users.user(user) is not None:
            if tell is not None:
                tell(f"{user} is a user of the domain" if user else "no number at all: the domain itself")
            return None
        route = self._plan.of_number(user, caller, self._week_time, tell)
        if route is None:
            return None
        parsed = parse_uri(uri)
        if tell is not None:
            _tell_rules(route, user, tell)
        ways = tuple(Departure(way, number_at(way.entity, parsed)) for way in route.ways)
        return Departures(ways, route.status, route.reason, route.rule)

    def check_leave(self, request: Request, user: str | None, caller: str) -> None:
        """SipError 403 for a request that would leave, of somebody who has not proven to be the user that he says he is."""
        if self.departures(request.method, request.uri, user, caller) is not None:
            raise SipError(403, "Only Users Call Out").because(NOBODY_PROVEN)


def _tell_rules(route: Route, number: str, tell: Tell) -> None:
    for way in route.ways:
        adaptation = way.entity.adaptation
        if adaptation.called_out:
            rule = rule_of(adaptation.called_out, number)
            what = "no rule for this number" if rule is None else f"rule {rule.text}: {number} → {rule.apply(number)}"
            tell(f"adaptation {adaptation.name} of entity {way.entity.name}: {what}")


def number_at(entity: Entity, uri: Uri) -> str:
    """The Request-URI of a number as the entity knows it: adapted, its own host in place of ours."""
    there, uri = entity.uri, entity.adaptation.uri_out(uri)
    parameters = "" if uri.scheme == "sips" else there.parameters  # its transport is TLS, whatever the entity's is
    return str(Uri(uri.scheme, uri.user, there.host, there.port, parameters))


def check_arrived(request: Request, entity: Entity, domain: Domain, user: str | None) -> None:
    """SipError for what a trunk may not ask for: another domain, or, where it is not trusted, in the name of a user of ours.
    That the user exists is for others to check."""
    if user is None:
        raise SipError(403, "No Relay To Other Domains").because(
            "routing: what a trunk asks for is neither of this domain nor served by another trunk"
        )
    if not entity.trusted and domain.user_in(request.from_.uri) is not None:
        raise SipError(403, "Not Your Address Of Record").because(
            "owner: a trunk that is not trusted asks in the name of a user of this domain"
        )
