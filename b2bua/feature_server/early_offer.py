"""An offer before the call is answered, in an UPDATE (RFC 3311) or a PRACK (RFC 3262 §5): a hold in early media, for one.

It goes to the other party in the same early dialog, and its answer comes back in our 2xx. One at a time; the 2xx to the
INVITE waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.carried import foreign_challenges, is_sdp
from b2bua.feature_server.hooks import status_of
from b2bua.feature_server.leg_messages import leg_response
from b2bua.feature_server.refusals import CALL_OVER, NOBODY_ANSWERED
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from b2bua.feature_server.branch import Branch
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.early_dialogs import EarlyDialogs
    from b2bua.feature_server.leg import Leg


class EarlyOffer:
    """One offer of the party of `leg`; the user of the request that takes it to the other."""

    def __init__(
        self, early: EarlyDialogs, call: Call, branch: Branch, leg: Leg, transaction: ServerTransaction, request: Request,
        acknowledges: Response | None,
    ) -> None:  # fmt: skip
        self.branch = branch
        self.leg = leg
        self.acknowledges = acknowledges
        """The callee's response that our PRACK with this offer acknowledges; None: it goes in an UPDATE."""
        self._early = early
        self._call = call
        self._transaction: ServerTransaction | None = transaction
        self._request = request
        self._body = b""

    def start(self) -> None:
        try:
            self.leg.descriptions.check_offer(self._request.body)
        except SipError as error:
            self._refuse(error)
            return
        self._call.run_hooks("request_received", self.leg, self._request, self._forward, self._failed, self._under_way)

    def _forward(self, request: Request | Response) -> None:
        assert isinstance(request, Request)
        if self._transaction is not None:
            self._body = self._early.far(self.branch, self.leg).render(request)
            self._early.send_offer(self, request, self._body)

    # -- the other party's answer ------------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200:
            self._call.run_hooks(
                "response_received", self._early.far(self.branch, self.leg), response, self._pass_back, self._failed,
                self._under_way,
            )  # fmt: skip

    def _pass_back(self, response: Response | Request) -> None:
        assert isinstance(response, Response)
        if self._transaction is None:
            return
        leg, status, body = self.leg, response.status, b""
        if status < 300:
            body = leg.render(response, self._request.body)
            self._complete(response, body)
        elif status in (401, 407) and not foreign_challenges(response, self._call.environment.domain):
            status = 403  # only our own realm's challenge was in it: it never crosses
        elif status == 430:
            status = 500  # the connection of the other phone is gone; no endpoint gets a 430 (RFC 5626 §11.5)
        self._finish(status, response, body)

    def _complete(self, response: Response, body: bytes) -> None:
        leg, call, early = self.leg, self._call, self._early
        if response.cseq_method == "UPDATE":
            early.target_refreshed(self.branch, early.far(self.branch, leg), response)
        if self._request.method == "UPDATE":
            early.target_refreshed(self.branch, leg, self._request)
        if not is_sdp(response):
            return
        near, far = (self._request.body, body), (response.body, self._body)
        caller, callee = (near, far) if leg is call.caller else (far, near)
        self.branch.complete(call.caller, caller, callee)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """RFC 4320 §4.2: a time-out is not told, nobody waits for it any more."""
        if status != 408:
            self._finish(500, None, b"", why=(None, NOBODY_ANSWERED, status))
        elif self._transaction is not None:
            self._transaction.end(None)
            self._over(408)

    def abandoned(self) -> None:
        """The INVITE has its final response, or the call is over. A PRACK that names what it acknowledges is never refused
        (RFC 3262 §3)."""
        if self._request.method != "UPDATE":
            self._finish(200, None, b"")
        elif self._transaction is not None:
            self._finish(487, None, b"", why=CALL_OVER)

    # -- inside ------------------------------------------------------------------------------------------------

    def _under_way(self) -> bool:
        return self._transaction is not None

    def _failed(self, error: BaseException) -> None:
        refusal = status_of(error)
        if refusal is not error:
            self._call.hook_failed(error)
        self._refuse(refusal)

    def _refuse(self, error: SipError) -> None:
        self._finish(error.status, None, b"", error.reason, *error.headers, why=error.why)

    def _finish(
        self, status: int, source: Response | None, body: bytes, reason: str = "", *headers: tuple[str, str],
        why: Why | None = None,
    ) -> None:  # fmt: skip
        """Answer the party; features have put right what they show when it arrives."""
        transaction = self._transaction
        if transaction is None:
            return
        self._transaction = None
        self._tell(status)
        response = leg_response(self.leg, self._request, status, source, body, reason, why)
        response.extend(headers)
        self._call.environment.layer.respond(transaction, response)
        self._early.offer_ended(self, status)

    def _over(self, status: int) -> None:
        self._transaction = None
        self._tell(status)
        self._early.offer_ended(self, status)

    def _tell(self, status: int) -> None:
        call = self._call
        call.hooks.tell("exchange_ended", call.hook_failed, call, self.leg, status)
