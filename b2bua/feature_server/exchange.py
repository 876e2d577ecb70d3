"""What is under way in a call, one at a time: `Setup`, `Reinvite`, `Refresh`, `OwnOffer` and their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from b2bua.feature_server.refusals import GAVE_UP
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class Exchange(Protocol):
    """Hears from the call what comes of either leg, until the call has another or none."""

    def progressed(self, leg: Leg, response: Response) -> None: ...

    def accepted(self, leg: Leg, response: Response) -> None: ...

    def refused(self, leg: Leg, status: int, response: Response | None) -> None: ...

    def acknowledged(self, leg: Leg, ack: Request) -> None: ...

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None: ...

    def abandoned(self) -> None:
        """The call ends by a BYE meanwhile."""


class IdleExchange:
    """An `Exchange` to which nothing that comes of the legs is news: what it does not override."""

    def progressed(self, leg: Leg, response: Response) -> None:
        return

    def accepted(self, leg: Leg, response: Response) -> None:
        return

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        return

    def acknowledged(self, leg: Leg, ack: Request) -> None:
        return

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        return

    def abandoned(self) -> None:
        return


class GivenWay(IdleExchange):
    """A party's re-INVITE, or UPDATE with an offer, from when the other one's makes room for it to the ACK of the 491 that
    says so (RFC 5407 §3.3.1). Until then the far party has not heard of it."""

    def __init__(self, origin: Leg, request: Request) -> None:
        self.origin = origin
        self._request = request

    def begin(self) -> None:
        """The other party knows that its own is over, or has had the time to."""
        call = self.origin.call
        if call.exchange is self:  # not answered meanwhile
            call.begin(self.origin, self._request)

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        self.origin.refuse(487, GAVE_UP)

    def answered_here(self, status: int) -> None:
        """It has its final response, and nothing is under way any more."""
        self.origin.call.exchange = None


class WaitingReinvite:
    """A re-INVITE of a party, or an UPDATE with an offer, that waits until an exchange of our own, which it has nothing to do
    with, has its answer."""

    __slots__ = ("_waits",)

    def __init__(self) -> None:
        self._waits: tuple[Leg, Request] | None = None

    @property
    def free(self) -> bool:
        """Whether there is none: a second one would be glare."""
        return self._waits is None

    def put(self, leg: Leg, request: Request) -> None:
        self._waits = leg, request

    def cancelled(self) -> None:
        """CANCEL of the one that waits, if there is one: the far party never heard of it."""
        if self._waits is not None:
            leg, _ = self._waits
            self._waits = None
            leg.refuse(487, GAVE_UP)

    def go_on(self) -> None:
        """It begins, unless its leg has answered it: an UPDATE whose time was over, or whatever the call ended with."""
        if self._waits is not None:
            leg, request = self._waits
            self._waits = None
            if leg.usage.server is not None or leg.update is not None:
                leg.call.begin(leg, request)
