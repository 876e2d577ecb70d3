"""Faults of requests: what a phone asks is answered before Session Manager sees it."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.faults.fault import ANSWER
from b2bua.faults.faults import Faults
from b2bua.sip.flow import Flow
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from b2bua.trace.recorder import Recorder
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.transaction_user import TransactionUser

ChallengeOf = Callable[[Request, bool], Response]
"""Request, and whether stale: the 401 or 407 that asks for credentials with a new nonce."""


class Answering:
    """Stands before the user of a transaction layer: retransmissions and ACKs of what it answers are the transactions' work."""

    def __init__(
        self, user: TransactionUser, layer: TransactionLayer, faults: Faults, recorder: Recorder,
        own: Callable[[Flow], bool], challenge: ChallengeOf,
    ) -> None:  # fmt: skip
        self.user = user
        """Whose work goes on."""
        self._layer = layer
        self._faults = faults
        self._recorder = recorder
        self._own = own
        self._challenge = challenge

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        flow = transaction.source
        hit = None if flow.transport == "memory" or self._own(flow) else self._faults.on_request(request, flow)
        if hit is None:
            self.user.request_received(transaction, request)
            return
        fault = hit.fault
        if fault.action == ANSWER:
            response = response_to(request, fault.code, tag=self._layer.identifiers.tag())
            what = f"answered {fault.code}"
        else:
            response = self._challenge(request, fault.stale)
            what = f"challenged {'as' if fault.stale else 'not as'} stale"
        response.why = (None, "fault {}: {} on purpose", hit.number, what)
        self._recorder.mark(flow, f"fault {hit.number}: {what}")
        self._layer.respond(transaction, response)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self.user.cancel_received(transaction, cancel)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        self.user.ack_received(ack, flow)

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        self.user.response_unmatched(response, flow)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self.user.internal_error(error, message)


class OneAnswer:
    """The user of a layer while the one request is delivered that a fault of a feature answers."""

    def __init__(self, user: TransactionUser, layer: TransactionLayer, status: int) -> None:
        self._user = user
        self._layer = layer
        self._status = status

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        response = response_to(request, self._status, tag=self._layer.identifiers.tag())
        response.why = (None, "fault: answered {} on purpose, by a feature", self._status)
        self._layer.respond(transaction, response)

    def cancel_received(self, transaction: ServerTransaction, cancel: Request) -> None:
        self._user.cancel_received(transaction, cancel)

    def ack_received(self, ack: Request, flow: Flow) -> None:
        self._user.ack_received(ack, flow)

    def response_unmatched(self, response: Response, flow: Flow) -> None:
        self._user.response_unmatched(response, flow)

    def internal_error(self, error: BaseException, message: Message) -> None:
        self._user.internal_error(error, message)
