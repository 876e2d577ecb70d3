"""The re-INVITE by which a held party is turned to music (RFC 7088), and back to nothing where nobody wants that any more.

A re-INVITE of the other party, the resume above all, waits for its answer; one of the held party itself crosses it and gets
491 (RFC 3261 §14.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.feature_server.own_offer import OwnOffer
from b2bua.feature_server.refusals import GAVE_UP
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class MusicOffer(OwnOffer):
    """As `OwnOffer`; `describe` gives the offer when it leaves."""

    def __init__(
        self, leg: Leg, describe: Callable[[], bytes], accepted: Callable[[Response], None],
        refused: Callable[[int, Response | None], None],
    ) -> None:  # fmt: skip
        super().__init__(leg, accepted, refused)
        self._describe = describe
        self._waiting: tuple[Leg, Request] | None = None

    def describe(self) -> bytes:
        return self._describe()

    # -- re-INVITEs of the parties meanwhile -------------------------------------------------------------------

    def takes(self, leg: Leg) -> bool:
        """Whether a re-INVITE of this leg's party may wait for our end; else it is glare."""
        return self._waiting is None and leg is not self.leg

    def then(self, leg: Leg, request: Request) -> None:
        """Begin this re-INVITE when ours has its answer."""
        self._waiting = leg, request

    def cancelled(self, reasons: tuple[tuple[str, str], ...]) -> None:
        """CANCEL of the re-INVITE that waits: the held party never heard of it."""
        if self._waiting is not None:
            leg, _ = self._waiting
            self._waiting = None
            leg.refuse(487, GAVE_UP)

    # -- answers -----------------------------------------------------------------------------------------------

    def accepted(self, leg: Leg, response: Response) -> None:
        super().accepted(leg, response)
        self._next()

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        super().refused(leg, status, response)
        self._next()

    def _next(self) -> None:
        """What waited goes on; where the call is over its leg has answered it."""
        if self._waiting is not None:
            leg, request = self._waiting
            self._waiting = None
            leg.call.begin(leg, request)
