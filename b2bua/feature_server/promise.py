"""A 2xx to INVITE that waits for the record of what it promises: nothing that was acknowledged is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.leg_messages import leg_response
from b2bua.sip.message import Request, Response
from b2bua.sip.why import NOT_STORED
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.leg import Leg


class Promise:
    """One answer of one leg, from the order of its record to the commit."""

    __slots__ = ("release", "_leg", "_transaction", "_response")

    def __init__(self, leg: Leg, transaction: ServerTransaction, response: Response) -> None:
        self.release: tuple[tuple[str, str], ...] | None = None
        """The headers with which the leg is to be released once this has left: the call has ended meanwhile."""
        self._leg = leg
        self._transaction = transaction
        self._response = response

    def kept(self, kept: bool) -> None:
        """The record is written, or could not be: no new call then, while one that stands goes on."""
        leg, request = self._leg, self._transaction.request
        leg.promise = None
        leg.other.acknowledge_unkept()
        if request is not None and leg.usage.server is self._transaction:
            if not kept and not request.to.tag:
                self._refuse(request)
                return
            leg.send_answer(request, self._response)
        if self.release is not None:
            leg.release(*self.release)

    def _refuse(self, invite: Request) -> None:
        leg = self._leg
        leg.answered = False
        leg.environment.observer.overload_rejected("store")
        leg.send_answer(invite, leg_response(leg, invite, 480, None, b"", "Store Unavailable", NOT_STORED))
        leg.over()
        leg.call.finish("failed", spare=leg)
