"""What may pass between users and trunks. Nothing goes from one trunk to another, and out only in a proven user's name:
this server is no open relay."""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.entities import Entities, Entity
from b2bua.session_manager.entity_routing import EntityRouting
from b2bua.session_manager.proxy import Users
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request
from b2bua.sip.uri import Uri

FROM_TRUNKS: Final = frozenset(("INVITE", "MESSAGE"))
"""What a trunk may ask for out of dialog without being challenged; in anything else it is as anybody."""
TO_TRUNKS: Final = frozenset(("INVITE", "MESSAGE"))
"""What leaves the domain."""


class Trunks:
    """All entities and what they serve."""

    def __init__(self, entities: Entities, users: Users) -> None:
        self.entities = entities
        self._users = users
        self._routing = EntityRouting(entities.all)

    def way_of(self, request: Request, user: str | None) -> tuple[Entity, str] | None:
        """The entity that a request leaves by, and its Request-URI there; None when it stays. `user` is that of the domain,
        None in another domain. A user with an account stands before any prefix."""
        if request.method not in TO_TRUNKS:
            return None
        if user is None:
            entity = self._routing.of_domain(request.uri)
            return None if entity is None else (entity, request.uri)
        entity = self._routing.of_number(user) if user and self._users.user(user) is None else None
        return None if entity is None else (entity, number_at(entity, request.parsed_uri()))

    def check_leave(self, request: Request, user: str | None, owner: str) -> None:
        """SipError 403 for a request that would leave, of somebody who has not proven to be a user (`owner`)."""
        if not owner and self.way_of(request, user) is not None:
            raise SipError(403, "Only Users Call Out")


def number_at(entity: Entity, uri: Uri) -> str:
    """The Request-URI of a number as the entity knows it: its own host in place of ours."""
    there = entity.uri
    parameters = "" if uri.scheme == "sips" else there.parameters  # its transport is TLS, whatever the entity's is
    return str(Uri(uri.scheme, uri.user, there.host, there.port, parameters))


def check_arrived(request: Request, entity: Entity, domain: Domain, user: str | None) -> None:
    """SipError for what a trunk may not ask for: another domain, or, where it is not trusted, in the name of a user of ours.
    That the user exists is for others to check."""
    if user is None:
        raise SipError(403, "No Relay To Other Domains")
    if not entity.trusted and domain.user_in(request.from_.uri) is not None:
        raise SipError(403, "Not Your Address Of Record")
