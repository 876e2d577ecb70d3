"""The response context of a call to an application without which it may go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from b2bua.session_manager.response_context import ResponseContext
from b2bua.sip.message import Request, Response
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMER_C, Timer


class ApplicationContext(ResponseContext):
    """As `ResponseContext`, until the application has said anything, a 100 too: where that is a 503, or nothing at all in
    time, the call goes on without it, under a context of its own. What the application says later is not passed on, but a
    2xx; it is cancelled as soon as it speaks.

    A MESSAGE goes on, too, without an application that does not know the method (405, 501). For silence it is not skipped: what
    has no answer yet may have been delivered."""

    __slots__ = ("_without", "_silence", "_optional", "_is_invite")

    def __init__(
        self, layer: TransactionLayer, server: ServerTransaction, request: Request, tag: Callable[[], str],
        status_of_silence: int = 408, patience: float = TIMER_C,
    ) -> None:  # fmt: skip
        super().__init__(layer, server, request, tag, status_of_silence, patience)
        self._without: Callable[[str], None] | None = None
        self._silence: Timer | None = None
        self._optional = False
        self._is_invite = request.method == "INVITE"

    def otherwise(self, without: Callable[[str], None], seconds: float, optional: bool) -> None:
        """Go on by `without`, which hears why; when nothing has come within so many seconds (0: for no silence), too.
        `optional`: whether it may be done without where it fails."""
        if self._branches:  # it has not failed at once
            self._without = without
            self._optional = optional
            if seconds:
                self._silence = self._layer.timers.start(seconds, partial(self._go_on, "silent"))

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        status = response.status
        if self._without is not None:
            unknown = status in (405, 501) and not self._is_invite
            why = "method" if unknown else "silent" if status == 503 and self._optional else ""
            if why:
                self._branch_done(transaction)
                self._go_on(why)
                return
        if self._is_invite or status >= 200:
            self._heard()
        super().response_received(transaction, response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        if self._without is not None and self._optional and not self._cancelled and (self._is_invite or status != 408):
            self._branch_done(transaction)
            self._go_on("silent")
            return
        self._heard()
        super().transaction_failed(transaction, status)

    def cancel(self, *headers: tuple[str, str]) -> None:
        self._heard()  # nobody goes on with a call that the caller has given up
        super().cancel(*headers)

    def _heard(self) -> None:
        self._without = None
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _go_on(self, why: str) -> None:
        without = self._without
        self._heard()
        for branch in list(self._branches):
            if isinstance(branch, InviteClient):
                branch.cancel()
            self._branch_done(branch)
        self._finish()
        if without is not None:
            without(why)
