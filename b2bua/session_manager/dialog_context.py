"""The response context of an application's request in a dialog: when the phone is not reached, the application must know."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.session_manager.response_context import ResponseContext
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMER_C


class DialogContext(ResponseContext):
    """As `ResponseContext`, but a transport error is 430 (RFC 5626 §5.3): the flow in the Route's token is gone.

    RFC 3261 §16.9 would make it a 503 and so, upstream, a 500. A phone's own answer can be that, too, and Communication
    Manager would take a phone that is gone for one that lives.
    """

    __slots__ = ("_again",)

    def __init__(
        self, layer: TransactionLayer, server: ServerTransaction, request: Request, tag: Callable[[], str],
        status_of_silence: int = 408, patience: float = TIMER_C,
    ) -> None:  # fmt: skip
        super().__init__(layer, server, request, tag, status_of_silence, patience)
        self._again: Callable[[], bool] | None = None

    def else_by(self, again: Callable[[], bool]) -> None:
        """A connection that dies when it is written to had died before, and nobody had told us: `again` sends the request
        once more, by another way, and says whether there is one. Only while the phone has said nothing to it."""
        self._again = again

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        self._again = None
        super().response_received(transaction, response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        again, self._again = self._again, None
        if status == 503 and again is not None and not self._cancelled and again():
            self._branch_done(transaction)
        else:
            super().transaction_failed(transaction, 430 if status == 503 else status)
