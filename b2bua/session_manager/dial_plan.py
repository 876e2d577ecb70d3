"""Where a number leads that is no user's: dial patterns → routing policies → entities; then the prefixes of entities.

`tell` takes each step of the decision as a sentence: `b2bua route` prints them, the server asks for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from b2bua.session_manager.dial_pattern import DialPattern
from b2bua.session_manager.entities import Entity
from b2bua.session_manager.entity_routing import EntityRouting
from b2bua.session_manager.routing_policy import NEXT_ON, RoutingPolicy
from b2bua.session_manager.time_range import WeekTime

Tell = Callable[[str], None]


class Way(NamedTuple):
    """One entity that a request may leave by."""

    entity: Entity
    timeout: float = 0.0
    """As in `RoutingPolicy`."""
    next_on: frozenset[int] = frozenset()


class Route(NamedTuple):
    """Where a number leads: ways in the order in which they are tried, or why there is none."""

    ways: tuple[Way, ...]
    status: int = 0
    """What the caller hears where there is no way."""
    reason: str = ""
    rule: str = ""
    """What decided it, for the trace."""


BARRED: Final = Route((), 403, "Number Barred")
NOT_NOW: Final = Route((), 480, "No Route At This Time")


class DialPlan:
    """Made once of the settings. Of several patterns that are for a call the most precise one decides, alone; of equals the
    first one named."""

    def __init__(self, entities: Iterable[Entity], patterns: Iterable[DialPattern] = ()) -> None:
        self._prefixes = EntityRouting(entities)
        self._patterns = sorted(patterns, key=lambda each: each.precision, reverse=True)  # stable: as named where equal

    def of_number(self, number: str, caller: str, when: Callable[[], WeekTime], tell: Tell | None = None) -> Route | None:
        """Where a number leads; None where nobody serves it. `caller` is a user's name, "" for one that is not known."""
        for pattern in self._patterns:
            why_not = pattern.why_not(number, caller)
            if not why_not:
                return _by_pattern(pattern, when, tell)
            if tell is not None:
                tell(f"dial pattern {pattern.name}: not for this call, {why_not}")
        entity = self._prefixes.of_number(number)
        if tell is not None:
            found = "no entity serves a prefix of it" if entity is None else f"entity {entity.name} serves its longest prefix"
            tell(f"numbers of entities: {found}")
        return None if entity is None else Route((Way(entity),), rule="numbers of entities")

    def of_domain(self, uri: str, tell: Tell | None = None) -> Route | None:
        """Where a URI of another domain leads."""
        entity = self._prefixes.of_domain(uri)
        if tell is not None:
            found = "no entity serves this domain" if entity is None else f"entity {entity.name} serves this domain"
            tell(f"domains of entities: {found}")
        return None if entity is None else Route((Way(entity),), rule="domains of entities")


def _by_pattern(pattern: DialPattern, when: Callable[[], WeekTime], tell: Tell | None) -> Route:
    if tell is not None:
        tell(f"dial pattern {pattern.name}: {pattern.pattern.text} is the most precise one for this call")
    if not pattern.policies:
        if tell is not None:
            tell("it has no routing policy: the number is barred")
        return BARRED._replace(rule=pattern.name)
    now = when()
    valid = [policy for policy in pattern.policies if policy.valid(now)]
    if tell is not None:
        _tell_policies(pattern, now, tell)
    if not valid:
        return NOT_NOW._replace(rule=pattern.name)
    return Route(tuple(_way(each) for each in _ranked(valid)), rule=pattern.name)


def _way(policy: RoutingPolicy) -> Way:
    return Way(policy.entity, policy.timeout, NEXT_ON if policy.next_on is None else policy.next_on)


def _ranked(policies: Iterable[RoutingPolicy]) -> list[RoutingPolicy]:
    """In the order in which they are tried, an entity once."""
    found: dict[str, RoutingPolicy] = {}
    for policy in sorted(policies, key=lambda each: each.rank):
        found.setdefault(policy.entity.name, policy)
    return list(found.values())


def _tell_policies(pattern: DialPattern, now: WeekTime, tell: Tell) -> None:
    for policy in sorted(pattern.policies, key=lambda each: each.rank):
        times = ", ".join(each.text for each in policy.times) or "always"
        verdict = "valid" if policy.valid(now) else "not valid"
        tell(f"routing policy {policy.name}: rank {policy.rank}, {times}: {verdict} at {now}, entity {policy.entity.name}")
