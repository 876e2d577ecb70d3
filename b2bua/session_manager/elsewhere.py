"""INVITEs that are open at a feature server in a process of its own, when one of the two processes has died.

We died: phones' INVITEs are taken up, and wait for what the feature server says, which lives; a re-INVITE goes to it once
more, as it may never have got there. It died: it has forgotten them,
so they fail here, and whoever it made ring stops ringing. Which of the two it was its heartbeat tells: since when it lives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b2bua.session_manager.branch_ends import OVERLOADED
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.response_context import ResponseContext
from b2bua.session_manager.stateless_refusal import RETRY_AFTER
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.retry_after import retry_after
from b2bua.sip.why import Why
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.heartbeat import since
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT

RESTARTED: Final = "Server Restarted"
PASSED_BACK: Final[Why] = (None, "proxy: passed back to whoever asked before the restart")
BROKEN_OFF: Final[Why] = (None, "transaction: a restart broke it off, and what becomes of it elsewhere is not known")
MERGED: Final = 482
"""What a feature server says to a re-INVITE that it has (RFC 3261 §8.2.2.2): the answer is that to the first copy."""
KNOWN: Final = (MERGED, 500)
"""What it says to it once more: 500 where it has had a later request of the phone since (§12.2.2)."""
Identity = tuple[str, str, int]
"""Call-ID, From tag and CSeq of an INVITE."""


class Elsewhere:
    """What one Session Manager knows of the lives of its feature servers elsewhere."""

    def __init__(
        self, layer: TransactionLayer, links: Links, forwarded: Callable[[Request, Flow], tuple[Request, Flow]]
    ) -> None:
        """`forwarded` makes of a phone's request in dialog what goes on, and says by which flow; SipError where it cannot."""
        self._layer = layer
        self._forwarded = forwarded
        self._links = links
        self._waiting: dict[Identity, _Waiting] = {}

    def wait(self, link: FeatureLink, request: Request, flow: Flow, recorded_at: float) -> ServerTransaction:
        """A phone's INVITE that an earlier process handed to this feature server, recorded at `recorded_at` (Unix
        seconds)."""
        identity = request.call_id, request.from_.tag, request.cseq
        transaction = self._layer.take_up(request, flow)
        if request.to.tag:  # of an INVITE that may have had its 100 or not: who hears nothing gives the call up (timer B)
            self._layer.respond(transaction, response_to(request, 100))
        self._waiting[identity] = _Waiting(link, transaction, request, recorded_at)
        if link.since > recorded_at:
            self._give_up(identity)
        else:
            if link.since:
                self._ask_again(identity)
            self._layer.timers.start(TIMEOUT, lambda: self._give_up(identity))
        return transaction

    def takes(self, response: Response, flow: Flow) -> bool:
        """Whether a response that matches no transaction answers what an earlier process had sent for somebody: a feature
        server's goes to the phone that waits, a phone's to the feature server that asked."""
        link = self._links.of(flow)
        if link is None:
            return self._to_link(response)
        waiting = self._waiting.get((response.call_id, response.from_.tag, response.cseq))
        if waiting is None or waiting.link is not link or response.cseq_method != "INVITE":
            return False
        if response.status > 100 and response.status != MERGED:
            waiting.answer(self._layer, response)
        return True

    def _to_link(self, response: Response) -> bool:
        link = self._links.asked(response)
        if link is None or not link.over_network:
            return False
        link.flow.send(response.without_top_via())
        return True

    def heard(self, link: FeatureLink, request: Request) -> None:
        """A feature server asks whether we live, and says since when it does."""
        before, now = link.since, since(request)
        if now > before:
            link.since = now
            for identity in [identity for identity, one in self._waiting.items() if one.link is link]:
                if now > self._waiting[identity].recorded_at:
                    self._give_up(identity)
                else:
                    self._ask_again(identity)
            if before:
                self._forgotten(link)

    def _forgotten(self, link: FeatureLink) -> None:
        """It has died since we heard it last: what it had taken it does not answer any more, and nobody else stops what it
        had begun. A re-INVITE of its own goes on: it acknowledges the answer, and tells the phone what is agreed."""
        for transaction in self._layer.open_invites(link.flow):
            context, request = transaction.attached, transaction.request
            if isinstance(context, ResponseContext) and request is not None and not request.to.tag:
                context.cancel(("Reason", f'SIP;cause=480;text="{RESTARTED}"'))
        self._layer.forgotten(link.flow)

    def _ask_again(self, identity: Identity) -> None:
        """It lives: a re-INVITE that it has got it knows by its CSeq, one that was lost with us it hears now."""
        waiting = self._waiting[identity]
        if waiting.request.to.tag and not waiting.asked and not waiting.transaction.answered:
            waiting.asked = True
            try:
                request, flow = self._forwarded(waiting.request, waiting.transaction.flow)
            except SipError:
                return
            self._layer.send_request(request, flow, _AskedAgain(self._layer, waiting))

    def _give_up(self, identity: Identity) -> None:
        waiting = self._waiting.pop(identity, None)
        if waiting is not None and not waiting.transaction.answered:
            waiting.refuse(self._layer)


class _Waiting:
    """A phone's INVITE and the feature server that has it."""

    def __init__(self, link: FeatureLink, transaction: ServerTransaction, request: Request, recorded_at: float) -> None:
        self.link = link
        self.transaction = transaction
        self.request = request
        self.recorded_at = recorded_at
        self.asked = False
        """Whether it has been sent once more."""

    def answer(self, layer: TransactionLayer, response: Response) -> None:
        """What the feature server says, to the phone; never 503, which would speak of us (RFC 3261 §16.7 step 6)."""
        if response.status == 503:
            forwarded = response_to(self.request, 500, tag=layer.identifiers.tag())
            forwarded.why = (response.why, OVERLOADED)
            seconds = retry_after(response)
            if seconds is not None:
                forwarded.append("Retry-After", str(seconds))
        else:
            forwarded = response.without_top_via()
            forwarded.why = PASSED_BACK
        layer.respond(self.transaction, forwarded)

    def refuse(self, layer: TransactionLayer) -> None:
        """A call in set-up is over; a re-INVITE may come again."""
        known = bool(self.request.to.tag)
        response = response_to(self.request, 500 if known else 480, RESTARTED, layer.identifiers.tag())
        response.why = BROKEN_OFF
        if known:
            response.append("Retry-After", RETRY_AFTER)
        layer.respond(self.transaction, response)


class _AskedAgain:
    """The user of a re-INVITE that went to its feature server once more."""

    def __init__(self, layer: TransactionLayer, waiting: _Waiting) -> None:
        self._layer = layer
        self._waiting = waiting

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status >= 200 and response.status not in KNOWN:
            self._waiting.answer(self._layer, response)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        return
