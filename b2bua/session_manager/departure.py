"""A request on its way out of the domain: the entities that it may leave by, in order, and what it says there."""

from __future__ import annotations

from typing import NamedTuple

from b2bua.session_manager.dial_plan import Way


class Departure(NamedTuple):
    """By one entity."""

    way: Way
    uri: str
    """Its Request-URI there."""


class Departures(NamedTuple):
    """By the first that serves it; or, with none, what the caller hears."""

    ways: tuple[Departure, ...]
    status: int = 0
    reason: str = ""
    rule: str = ""
    """What led here: the name of a dial pattern, or which setting of an entity did."""
