"""Which entity a request leaves by: the one with the longest prefix of the number, or the one that serves the domain.

This is all the routing there is to trunks. Patterns, time of day and alternatives belong here.
"""

from __future__ import annotations

from collections.abc import Iterable

from b2bua.session_manager.entities import Entity
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri


class EntityRouting:
    """Made once of all entities; where two serve the same, the first one named does."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._by_prefix: dict[str, Entity] = {}
        self._by_domain: dict[str, Entity] = {}
        for entity in entities:
            for prefix in entity.numbers:
                self._by_prefix.setdefault(prefix, entity)
            for domain in entity.domains:
                self._by_domain.setdefault(domain, entity)
        self._longest = max(map(len, self._by_prefix), default=0)

    def of_number(self, number: str) -> Entity | None:
        """The entity that serves a number (the user part of an address of record, unescaped)."""
        for length in range(min(self._longest, len(number)), 0, -1):
            entity = self._by_prefix.get(number[:length])
            if entity is not None:
                return entity
        return None

    def of_domain(self, uri: str) -> Entity | None:
        """The entity that serves the domain of this URI; None for one that is no SIP URI, too."""
        try:
            parsed = parse_uri(uri)
        except MalformedValue:
            return None
        return self._by_domain.get(parsed.bare_host.rstrip(".")) if parsed.scheme in ("sip", "sips") else None
