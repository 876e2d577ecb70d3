"""What is under way in a call, one at a time: `Setup`, `Reinvite`, `Refresh`, `OwnOffer` and their like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
