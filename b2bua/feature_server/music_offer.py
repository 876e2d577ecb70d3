"""The re-INVITE by which a held party is turned to music (RFC 7088), and back to nothing where nobody wants that any more.

A re-INVITE of the other party, or its UPDATE with an offer, the resume above all, waits for its answer; one of the held party
itself crosses it and gets 491 (RFC 3261 §14.2, RFC 3311 §5.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.feature_server.exchange import release_waiting
from b2bua.feature_server.own_offer import OwnOffer
from b2bua.sip.message import Response

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

    def describe(self) -> bytes:
        return self._describe()

    # -- re-INVITEs of the parties meanwhile -------------------------------------------------------------------

    def takes(self, leg: Leg) -> bool:
        """The other party's: the resume above all."""
        return leg is not self.leg

    # -- answers -----------------------------------------------------------------------------------------------

    def accepted(self, leg: Leg, response: Response) -> None:
        super().accepted(leg, response)
        release_waiting(leg.call)

    def refused(self, leg: Leg, status: int, response: Response | None) -> None:
        super().refused(leg, status, response)
        release_waiting(leg.call)
