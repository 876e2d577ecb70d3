"""SIP entities: trunks and gateways that no user stands behind. Who one is, is told by address and port, by certificate, or
by digest; never by a header.

Who asks whether a peer is trusted (RFC 3325 §5) asks `trusts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from b2bua.session_manager.adaptation import NONE, Adaptation
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Entity:
    """One trunk."""

    name: str
    uri: Uri
    """Where requests to it go: `sip:HOST[:PORT][;transport=…]` (RFC 3263)."""
    sources: tuple[HostPort, ...] = ()
    """What comes from these is its; port 0: from any port, on a TCP connection only, whose address is proven."""
    certificate: str = ""
    """The domain that its certificate stands for (RFC 5922), in small letters."""
    user: str = ""
    """The account that it authenticates as where nothing else tells it; "": none."""
    trusted: bool = False
    """Whether it belongs to our trust domain: what it asserts of identities is believed, and it is told them."""
    numbers: tuple[str, ...] = ()
    """It serves numbers with these prefixes."""
    domains: tuple[str, ...] = ()
    """It serves these domains, in small letters."""
    adaptation: Adaptation = NONE
    """How it wants numbers and headers."""
    credentials: TrunkCredentials | None = None
    """What it is answered when it asks who we are; None: it is not answered."""


def nobody(flow: Flow) -> frozenset[str]:
    """Where no connection proves anything."""
    return frozenset()


class Entities:
    """All entities. `identities`: the domains that the peer of a connection has proven by its certificate."""

    def __init__(self, entities: Iterable[Entity], identities: Callable[[Flow], frozenset[str]] = nobody) -> None:
        self.all = tuple(entities)
        self._identities = identities
        self._by_source = {source: entity for entity in self.all for source in entity.sources}
        self._by_certificate = {entity.certificate: entity for entity in self.all if entity.certificate}
        self._by_user = {entity.user: entity for entity in self.all if entity.user}

    def of(self, flow: Flow) -> Entity | None:
        """The entity that a message on this flow comes from; None for everybody else."""
        transport = flow.transport
        if transport == "udp":
            return self._by_source.get(flow.remote)
        if transport == "tcp":
            host, port = flow.remote
            return self._by_source.get((host, port)) or self._by_source.get((host, 0))
        if transport == "tls" and self._by_certificate:
            for identity in self._identities(flow):
                found = self._by_certificate.get(identity)
                if found is not None:
                    return found
        return None

    def authenticated(self, user: str) -> Entity | None:
        """The entity whose credentials these are."""
        return self._by_user.get(user) if user else None

    def trusts(self, flow: Flow) -> bool:
        """Whether the peer on this flow is an entity of our trust domain (RFC 3325 §1)."""
        entity = self.of(flow)
        return entity is not None and entity.trusted
