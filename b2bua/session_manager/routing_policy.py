"""Routing policies: an entity, the times at which calls go by it, and when the next one is asked instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from b2bua.session_manager.entities import Entity
from b2bua.session_manager.time_range import TimeRange, WeekTime, any_holds

NEXT_ON: Final = frozenset((408, 500, 502, 504))
"""Answers of an entity upon which the next one is asked: it could not, and says nothing about who is called. So is 503, always
(RFC 3263 §4.3)."""


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """One entity of those that a dial pattern may go by."""

    name: str
    entity: Entity
    rank: int = 0
    """The lowest is tried first; equal ones as the dial pattern names them."""
    times: tuple[TimeRange, ...] = ()
    """When it is valid; none: always."""
    timeout: float = 0.0
    """Seconds in which it must have said anything to an INVITE, a 100 too; 0: as long as the transaction waits."""
    next_on: frozenset[int] | None = None
    """Failures upon which the next policy's entity is asked; None: `NEXT_ON`."""

    def valid(self, when: WeekTime) -> bool:
        return any_holds(self.times, when)
