"""A phone's INVITE between its challenge and the feature server, while its record is written."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.observer import Observer
from b2bua.session_manager.arrival import Arrival
from b2bua.session_manager.open_invites import OpenInvites
from b2bua.session_manager.stateless_refusal import RETRY_AFTER
from b2bua.sip.errors import SipError
from b2bua.transaction.layer import TransactionLayer


class WaitingInvite:
    """Attached to the transaction meanwhile, so that a CANCEL finds it. `go_on` sends the INVITE on its way."""

    __slots__ = ("cancelled", "_layer", "_observer", "_arrival", "_go_on")

    def __init__(self, layer: TransactionLayer, observer: Observer, arrival: Arrival, go_on: Callable[[], None]) -> None:
        self.cancelled = False
        self._layer = layer
        self._observer = observer
        self._arrival = arrival
        self._go_on = go_on

    def keep(self, open_invites: OpenInvites, owner: str) -> None:
        """Order the record."""
        transaction = self._arrival.transaction
        assert transaction is not None, "an INVITE has one"
        transaction.attached = self
        open_invites.received(self._arrival, owner, self._kept)

    def _kept(self, kept: bool) -> None:
        transaction, request = self._arrival.transaction, self._arrival.request
        assert transaction is not None, "an INVITE has one"
        if not transaction.answered:
            transaction.attached = None
            self._layer.resume(transaction, request, self._on if kept or request.to.tag else self._refuse)

    def _on(self) -> None:
        if self.cancelled:
            raise SipError(487).because("cancelled: who asked has given up before its record was stored")
        self._go_on()

    def _refuse(self) -> None:
        """No new call that a restart would forget; one that stands goes on."""
        self._observer.overload_rejected("store")
        if self._arrival.entity is not None:
            raise SipError(503, "Store Unavailable", ("Retry-After", RETRY_AFTER)).because(
                "store: it takes no record of a new call now, and a restart would forget it"
            )
        raise SipError(480, "Store Unavailable").because(
            "store: it takes no record of a new call now, and a restart would forget it"
        )
