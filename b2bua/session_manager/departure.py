"""A request on its way out of the domain: the entities that it may leave by, in order, and what it says there."""

from __future__ import annotations

from typing import NamedTuple

from b2bua.session_manager.dial_plan import Way


class Departure(NamedTuple):
    """One way out: a trunk and the Request-URI there."""

    way: Way
    uri: str
    """Its Request-URI there."""


class Departures(NamedTuple):
    """Ways out in order; if none, the status for the caller."""

    ways: tuple[Departure, ...]
    status: int = 0
    reason: str = ""
    rule: str = ""
    """What led here: the name of a dial pattern, or which setting of an entity did."""
