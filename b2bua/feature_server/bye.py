"""Our BYE: any answer, and none, ends the leg and causes nothing more."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.message import Response
from b2bua.transaction.client import ClientTransaction


class ByeSent:
    """The user of its transaction; `over` is the leg's."""

    __slots__ = ("_over",)

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._over()

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._over()
