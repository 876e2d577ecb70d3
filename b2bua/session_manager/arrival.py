"""A request on its way through Session Manager, with what is known of it before anyone asks what it wants."""

from __future__ import annotations

from typing import NamedTuple

from b2bua.session_manager.entities import Entity
from b2bua.session_manager.links import FeatureLink
from b2bua.session_manager.own_routes import OwnRoutes
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.transaction.server import ServerTransaction


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
    entity: Entity | None = None
    """The trunk it came from, if any."""
    trusted: bool = False
    """Whether who sent it belongs to our trust domain: what is asserted in it is believed (RFC 3325)."""
