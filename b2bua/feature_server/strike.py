"""A feature's own fault on one message: what the feature is given, and what it may make of it.

Which messages are struck the line of the fault says (`b2bua fault add NAME method=NOTIFY nth=2`); what becomes of each is the
feature's to say (`Feature.message_struck`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from b2bua.sip.message import Request, Response


@dataclass(frozen=True, slots=True)
class Strike:
    """One message at the edge of the server, about to be taken in or sent."""

    fault: str
    """The name in `Feature.faults`."""
    message: Request | Response
    """Not to be edited in place: `copy()` first."""
    outgoing: bool
    """Whether it is to leave; else it has come."""
    number: int
    """The how-manieth that this fault strikes, from 1."""
    argument: str
    """What stands behind `argument=` of the fault; "" where nothing does."""
    draw: Callable[[], float]
    """The next number from 0 to 1 of the fault's seed: the same ones in each run."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """It comes or leaves so many seconds later, to the next 0.05 s; 3600 at most."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Doubled:
    """It comes or leaves twice."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request goes no further, and this final status comes back: to whoever sent it, or to us from whoever would have got
    it. Neither ACK nor CANCEL."""

    status: int


Effect = Request | Response | bytes | Delayed | Doubled | Answered | None
"""What becomes of a struck message. A message: that one in its place, the same one untouched. Bytes: those, SIP or not.
None: it is lost."""
