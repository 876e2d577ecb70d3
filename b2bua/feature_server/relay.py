"""Requests in dialog that are not INVITE or BYE: passed to the other party, its answer passed back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.feature_server.call_state import EARLY
from b2bua.feature_server.carried import foreign_challenges
from b2bua.feature_server.hooks import always, status_of
from b2bua.feature_server.refusals import CALL_OVER, NOBODY_ANSWERED
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

NOBODY_BEHIND: Final[Why] = (None, "B2BUA: the other party is media of our own, to which nothing can be passed")
RELAYED: Final = frozenset(("INFO", "MESSAGE"))
"""Methods whose meaning lies with the parties. Others change dialog or session and want a feature of their own."""


def relay(call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
    """Pass a request on, in an early dialog too; SipError 405 for a method that we do not (RFC 3261 §8.2.1).

    481 only where the other party is gone: it would end the dialog of whoever asked (RFC 3261 §12.2.1.2). Where no dialog
    stands with that party yet the request may be tried again.
    """
    if request.method not in RELAYED:
        raise SipError(405, "", ("Allow", call.hooks.allow)).because(
            "B2BUA: this method is not passed to the other party (RFC 3261 §8.2.1)"
        )
    other = leg.other
    if other.source:
        # Nobody is there to understand it; who sends INFO (keys pressed, a picture wanted) need not know that.
        leg.answer(transaction, request, 200 if request.method == "INFO" else 405, why=NOBODY_BEHIND)
        return
    if other.ended and call.handover is None:
        raise SipError(481).because("B2BUA: the other party is gone")
    if other.ended or (not other.answered and not (call.state == EARLY and other.dialog.remote_tag)):
        raise SipError(500, "", ("Retry-After", "1")).because(
            "B2BUA: no dialog stands with the other party yet: it may be tried again"
        )
    passing = _Passing(call, leg, transaction, request)
    call.run_hooks("request_received", leg, request, passing.forward, passing.failed, always)


class _Passing:
    """One relayed request."""

    __slots__ = ("_call", "_leg", "_transaction", "_request")

    def __init__(self, call: Call, leg: Leg, transaction: ServerTransaction, request: Request) -> None:
        self._call = call
        self._leg = leg
        self._transaction = transaction
        self._request = request

    def forward(self, request: Request | Response) -> None:
        assert isinstance(request, Request)
        if self._leg.other.ended:  # while a feature let it wait
            self._leg.answer(self._transaction, self._request, 481, why=CALL_OVER)
            return
        early = self._leg.early
        self._leg.other.request(request, self, early.across(self._leg, self._request) if early is not None else None)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._call.run_hooks("response_received", self._leg.other, response, self._pass_back, self.failed, always)

    def _pass_back(self, response: Response | Request) -> None:
        assert isinstance(response, Response)
        status = response.status
        if status in (401, 407) and not foreign_challenges(response, self._call.environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        elif status == 430:
            status = 500  # the connection of the other phone is gone; no endpoint gets a 430 (RFC 5626 §11.5)
        self._leg.answer(self._transaction, self._request, status, response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """RFC 4320 §4.2: a time-out is not told, nobody waits for it any more."""
        if status == 408:
            self._transaction.end(None)
        else:
            self._leg.answer(self._transaction, self._request, 500, why=(None, NOBODY_ANSWERED, status))

    def failed(self, error: BaseException) -> None:
        refusal = status_of(error)
        if refusal is not error:
            self._call.hook_failed(error)
        layer = self._call.environment.layer
        response = response_to(self._request, refusal.status, refusal.reason, self._leg.dialog.local_tag)
        response.why = refusal.why
        layer.respond(self._transaction, response)
