"""The response context of a stateful proxy (RFC 3261 §16.7): one request in, one or more branches out, one answer back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from b2bua.session_manager import branch_ends
from b2bua.session_manager.branch_ends import BEST, PASSED_BACK
from b2bua.session_manager.failover import Failover
from b2bua.session_manager.identity import ASSERTED, strip, withhold
from b2bua.session_manager.next_hops import FLOW_FAILED, TIMED_OUT, UNAVAILABLE, UNREACHABLE
from b2bua.session_manager.stateless_refusal import RETRY_AFTER
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.sip.best_response import rank
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.retry_after import retry_after
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.layer import OUR_MISTAKE, TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMER_C, Timer

_CHALLENGES: Final = ("WWW-Authenticate", "Proxy-Authenticate")


class ResponseContext:
    """Collects the responses of all branches and passes the right ones upstream through the server transaction."""

    __slots__ = ("_layer", "_server", "_request", "_branches", "_best", "_challenges", "_timers_c", "_given_up", "_cancelled",
                 "_tag", "_final", "_status_of_silence", "_patience", "_retry_after", "_unsent", "_failovers",
                 "_waiting", "_abandoned", "_again", "phones", "credentials", "status_of_no_way")  # fmt: skip

    def __init__(
        self, layer: TransactionLayer, server: ServerTransaction, request: Request, tag: Callable[[], str],
        status_of_silence: int = 408, patience: float = TIMER_C,
    ) -> None:  # fmt: skip
        self._layer = layer
        self._server = server
        self._request: Request | None = request
        self._branches: list[ClientTransaction] = []
        self._best: Response | None = None
        self._challenges: list[tuple[str, str]] = []
        self._timers_c: dict[ClientTransaction, Timer] = {}
        self._given_up: list[ClientTransaction] = []
        """Branches whose timer C fired: their 487 counts as 408."""
        self._retry_after: int | None = None
        """Of all 503s the seconds after which the first of those servers may be asked again."""
        self._cancelled = False
        self._unsent = 0
        """Branches whose request waits: for its record, or for the DNS."""
        self._tag = tag
        self._final = False
        self._status_of_silence = status_of_silence
        """The answer to a cancelled INVITE whose branches never came to an end: 487 to who cancelled it, 408 to a
        feature server, which must know that the far end may be gone."""
        self._patience = patience
        """Seconds of timer C, more than three minutes."""
        self.phones = False
        """Whether those who answer are phones, whose word for who they are is not taken (RFC 3325 §5)."""
        self._again: dict[ClientTransaction, Callable[[], bool]] | None = None
        """Branches on connections that may have died unnoticed, and how each is sent by another; None: there never was one."""
        self.status_of_no_way = 503
        """What a transport error counts as (RFC 3261 §16.9); it goes upstream as 500."""
        self.credentials: Sequence[TrunkCredentials] = ()
        """Of all trunks that may ask who we are."""
        self._failovers: dict[ClientTransaction, Failover] | None = None
        """The branches whose next hop has a name, by the transaction in use; None: there never was one."""
        self._waiting: list[Failover] = []
        """Those that have no transaction at the moment: the DNS is asked."""
        self._abandoned: list[ClientTransaction] | None = None
        """Those that said nothing for too long, while another hop was asked: of what they say later only a 2xx counts."""
        server.attached = self

    def add(self, branch: ClientTransaction, again: Callable[[], bool] | None = None) -> None:
        """A copy of the request went out by this client transaction, whose user this context is.

        `again`: a connection that dies when it is written to had died before, and nobody had told us: then it sends the copy
        once more, by another way, and says whether there is one. Only while nothing has come back by the first, or that the
        flow has failed (RFC 5626 §7).
        """
        self._branches.append(branch)
        if again is not None:
            if self._again is None:
                self._again = {}
            self._again[branch] = again
        if isinstance(branch, InviteClient):
            self._start_timer_c(branch)

    def expect(self) -> None:
        """A copy will go out: `add` or `not_sent` follows."""
        self._unsent += 1

    def sends(self) -> bool:
        """Whether the copy that was expected is to go out at all; if so, `add` follows."""
        self._unsent -= 1
        if self._cancelled:
            self._failed_here(487, branch_ends.GIVEN_UP)
        return not self._cancelled and not self._final

    def not_sent(self, status: int) -> None:
        """The copy that was expected does not go out: its branch counts as answered so."""
        self._unsent -= 1
        self._failed_here(status, branch_ends.NOBODY_SENT)

    def cancel(self, *headers: tuple[str, str]) -> None:
        """The caller gave up: CANCEL to each branch that still works (RFC 3261 §16.10); their answers decide."""
        self._cancelled = True
        for branch in self._branches:
            if isinstance(branch, InviteClient):
                branch.cancel(*headers, why=branch_ends.CALLER_LEFT)
        if self._waiting:
            self._give_up_waiting()
            self._failed_here(487, branch_ends.GIVEN_UP)

    # -- from branches whose next hop has a name ---------------------------------------------------------------

    def waits_for(self, failover: Failover) -> None:
        """`b2bua.session_manager.failover.Context`: this branch is not over, though it has no transaction."""
        self._unsent += 1
        self._waiting.append(failover)

    def goes_by(self, failover: Failover, transaction: ClientTransaction) -> None:
        """It goes on by this transaction; while it was made the caller may have given up."""
        self._unsent -= 1
        self._waiting.remove(failover)
        if self._failovers is None:
            self._failovers = {}
        self._failovers[transaction] = failover
        self.add(transaction)
        if failover.patience and isinstance(transaction, InviteClient) and not self._cancelled:
            failover.silence = self._layer.timers.start(failover.patience, partial(self._was_silent, transaction))

    def went_nowhere(self, failover: Failover, status: int, response: Response | None) -> None:
        """It has no target left."""
        self._unsent -= 1
        self._waiting.remove(failover)
        if response is not None:
            self._failed(response, response.status)
        else:
            self._failed_here(self._status_of_silence if status == 408 and self._cancelled else status, branch_ends.NO_TARGET)

    def went_wrong(self, failover: Failover, error: Exception) -> None:
        """As a mistake of ours in any other place: told, and this branch counts as 500."""
        if failover in self._waiting:
            self._unsent -= 1
            self._waiting.remove(failover)
        if self._request is not None:
            self._layer.mistaken(error, self._request)
        self._failed_here(500, OUR_MISTAKE)

    def _goes_on(self, transaction: ClientTransaction, why: int, response: Response | None = None) -> bool:
        """Whether this branch has another target to try; it hears that this one failed."""
        failover = None if self._failovers is None else self._failovers.pop(transaction, None)
        if failover is None:
            return False
        given_up = transaction in self._given_up
        self._branch_done(transaction)
        if self._cancelled or self._final or given_up or (why == TIMED_OUT and transaction.method != "INVITE"):
            failover.give_up()
        seconds = None if response is None else retry_after(response)
        return failover.failed(why, None if response is None else response.without_top_via(), seconds)

    def _next_is_asked(self, transaction: ClientTransaction, response: Response) -> bool:
        """Whether another target is asked, or another next hop, because this one answered so; not where nobody wants to know
        any more."""
        if response.status == 503:
            return self._goes_on(transaction, UNAVAILABLE, response)
        assert self._failovers is not None, "asked before"
        failover = self._failovers.get(transaction)
        if failover is None or self._cancelled or self._final or transaction in self._given_up:
            return False
        self._branch_done(transaction)
        return failover.refused(self._upstream(response))

    def _was_silent(self, transaction: InviteClient) -> None:
        """No response within `patience`: as after Timer B, but the transaction runs on until a 1xx lets it be cancelled (RFC
        3261 §9.1)."""
        failover = None if self._failovers is None else self._failovers.get(transaction)
        if failover is None or self._cancelled or self._final:
            return
        failover.silence = None
        self._abandoned = [*(self._abandoned or ()), transaction]
        transaction.cancel(why=branch_ends.SILENT)
        if not self._goes_on(transaction, TIMED_OUT):
            self._failed_here(408, branch_ends.SILENT)

    def _give_up_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._unsent -= len(waiting)
        for failover in waiting:
            failover.give_up()

    # -- from the transaction layer ----------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        status = response.status
        if self._again is not None and self._goes_elsewhere(transaction, status == FLOW_FAILED):
            return
        if self._abandoned is not None and not 200 <= status < 300 and transaction in self._abandoned:
            return
        if response.names.count("Via") < 2 and len(response.elements("Via")) < 2:
            # Ours alone: nobody is left to forward it to (§16.7 step 3). What the branch really wants to say is not known.
            if status >= 200:
                self._branch_done(transaction)
                self._failed_here(502, branch_ends.CUT_SHORT)
            return
        if status < 200:
            self._progressed(transaction, response)
        elif status < 300:
            # Every 2xx of an INVITE goes up at once, repeated and late ones too (§16.7 step 5); of another request the first.
            self._branch_done(transaction)
            if self._final and transaction.method != "INVITE":
                return
            self._finish()
            self._forward(response)
            self._cancel_others()
        elif self._failovers is not None and self._next_is_asked(transaction, response):
            return
        else:
            self._branch_done(transaction)
            if status == 487 and transaction in self._given_up:
                self._failed_here(408, branch_ends.RINGS_ON)
            elif status == FLOW_FAILED != self.status_of_no_way:
                dialog = self._request is not None and self._request.to.tag
                self._failed_here(500 if dialog else 480, branch_ends.FLOW_GONE)  # no endpoint gets 430 (RFC 5626 §11.5)
            elif status in (401, 407) and self.credentials:
                self._asked_who_we_are(transaction.flow, response)
            else:
                self._failed(self._upstream(response), status)

    def _progressed(self, transaction: ClientTransaction, response: Response) -> None:
        """1xx: 100 goes no further (§16.7 step 5), another starts Timer C anew (§16.7 step 2)."""
        status = response.status
        if self._failovers is not None and transaction in self._failovers:
            failover = self._failovers[transaction]
            failover.speaks()
            failover.heard = failover.heard or status > 100
        if status > 100 and not self._final:
            if transaction in self._timers_c:
                self._start_timer_c(transaction)
            self._forward(response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        if self._abandoned is not None and transaction in self._abandoned:
            return
        if self._failovers is not None and self._goes_on(transaction, TIMED_OUT if status == 408 else UNREACHABLE):
            return
        if self._again is not None and self._goes_elsewhere(transaction, status == 503):
            return
        self._branch_done(transaction)
        why: Why = branch_ends.NO_CONNECTION
        if status == 408:
            why = (None, branch_ends.NO_ANSWER, "B" if transaction.method == "INVITE" else "F")
            if self._cancelled:
                status = self._status_of_silence
        self._failed_here(self.status_of_no_way if status == 503 else status, why)

    # -- inside ------------------------------------------------------------------------------------------------

    def _goes_elsewhere(self, transaction: ClientTransaction, failed: bool) -> bool:
        """Whether the copy is sent once more, because its flow has `failed`; if not, it never will be."""
        assert self._again is not None, "asked before"
        again = self._again.pop(transaction, None)
        if again is None or not failed or self._cancelled or self._final or not again():
            return False
        self._branch_done(transaction)
        return True

    def _asked_who_we_are(self, flow: Flow, response: Response) -> None:
        """A challenge: one of a trunk's to us the feature server answers by sending its request again, or nobody hears of it."""
        forwarded = self._upstream(response)
        credentials = next((one for one in self.credentials if one.used_on(flow)), None)
        if credentials is None or (self._request is not None and credentials.hand_on(self._request, forwarded)):
            self._failed(forwarded, forwarded.status)
        else:
            self._failed_here(500, branch_ends.ASKED_TRUNK)

    def _failed_here(self, status: int, why: Why) -> None:
        """A branch counts as answered so, by nobody but us."""
        request = self._request
        if request is not None:
            response = response_to(request, status, tag=self._tag())
            response.why = why
            if status == 503 and request.to.tag:
                response.append("Retry-After", RETRY_AFTER)  # whoever asks once more may find another way, or another process
            self._failed(response, status)

    def _failed(self, response: Response, status: int) -> None:
        request = self._request
        if request is None:
            return
        if status == 408 and request.method != "INVITE":
            # RFC 4320 §4.2: nobody is waiting for a 408 any more; the client's own timer has fired, or will.
            if not self._branches and not self._unsent:
                self._send_best()
            return
        if status in (401, 407):
            for name in _CHALLENGES:
                self._challenges += [(name, value) for value in response.get_all(name)]
        elif status == 503:
            self._note_retry_after(response)
        if self._best is None or rank(response.status) < rank(self._best.status):
            self._best = response
        if status >= 600:
            self._cancel_others()
        if not self._branches and not self._unsent:
            self._send_best()

    def _send_best(self) -> None:
        best, request = self._best, self._request
        if request is None:
            return
        self._finish()
        if best is None:
            self._server.end(None)
            return
        if best.status == 503:
            # Another server's overload says nothing about us (§16.7 step 6), only when to ask for this again.
            response = response_to(request, 500, tag=self._tag())
            response.why = (best.why, branch_ends.OVERLOADED)
            if self._retry_after is not None:
                response.append("Retry-After", str(self._retry_after))
            self._layer.respond(self._server, response)
            return
        if best.status in (401, 407) and len(self._challenges) > 1:
            for name in _CHALLENGES:
                best.remove(name)
            for name, value in self._challenges:
                best.append(name, value)
        self._layer.forward_response(self._server, best)

    def _note_retry_after(self, response: Response) -> None:
        seconds = retry_after(response)
        if seconds is not None:
            self._retry_after = seconds if self._retry_after is None else min(self._retry_after, seconds)

    def _forward(self, response: Response) -> None:
        self._layer.forward_response(self._server, self._upstream(response))

    def _upstream(self, response: Response) -> Response:
        """What goes on of a response: our Via comes off, and what must not be told."""
        forwarded = response.without_top_via()
        if not ASSERTED.isdisjoint(forwarded.names):
            if self.phones:
                strip(forwarded)
            else:
                withhold(forwarded)
        forwarded.why = PASSED_BACK if forwarded.status < 300 else BEST
        return forwarded

    def _branch_done(self, transaction: ClientTransaction) -> None:
        if transaction in self._branches:
            self._branches.remove(transaction)
        if self._failovers is not None:
            failover = self._failovers.pop(transaction, None)
            if failover is not None:
                failover.speaks()
        timer = self._timers_c.pop(transaction, None)
        if timer is not None:
            timer.cancel()

    def _cancel_others(self) -> None:
        for branch in self._branches:
            if isinstance(branch, InviteClient):
                branch.cancel(why=branch_ends.ANOTHER_TOOK)
        if self._waiting:
            self._give_up_waiting()

    def _finish(self) -> None:
        self._final = True
        self._request = None
        for timer in self._timers_c.values():
            timer.cancel()
        self._timers_c.clear()

    def _start_timer_c(self, branch: ClientTransaction) -> None:
        """Each branch has its own, started anew by its own 101 to 199 (RFC 3261 §16.7 step 2)."""
        running = self._timers_c.get(branch)
        if running is not None:
            running.cancel()
        self._timers_c[branch] = self._layer.timers.start(self._patience, partial(self._timer_c_fired, branch))

    def _timer_c_fired(self, branch: ClientTransaction) -> None:
        """It rang for three minutes: CANCEL, and then it counts as 408, unless it is answered after all (RFC 3261 §16.8).

        A branch without any provisional response is not here any more: its timer B ended it as 408 long before.
        """
        del self._timers_c[branch]
        self._given_up.append(branch)
        if isinstance(branch, InviteClient):
            branch.cancel(why=branch_ends.RINGS_ON)
