"""The response context of an application's request in a dialog: when the phone is not reached, the application must know."""

from __future__ import annotations

from b2bua.session_manager.response_context import ResponseContext
from b2bua.transaction.client import ClientTransaction


class DialogContext(ResponseContext):
    """As `ResponseContext`, but a transport error is 430 (RFC 5626 §5.3): the flow in the Route's token is gone.

    RFC 3261 §16.9 would make it a 503 and so, upstream, a 500. A phone's own answer can be that, too, and Communication
    Manager would take a phone that is gone for one that lives.
    """

    __slots__ = ()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        super().transaction_failed(transaction, 430 if status == 503 else status)
