"""The INVITE usage of one dialog (RFC 3261 §13, §14): who may send an INVITE now, 2xx until ACK, ACK for each 2xx.

It serves both sides of a call and both kinds of user agent, the feature server's leg and the scripted phone. What the
messages mean is the owner's business; that they are sent as often and in such order as the RFC wants is done here.
"""

from __future__ import annotations

from typing import Final, Protocol

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.reliable_provisional import ReliableReceiver
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.why import Why
from b2bua.transaction.client import NOBODY, ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.machine import Event, State
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import NEVER, T1, T2, TICK, TIMEOUT

_NO_TAGS: Final[frozenset[str]] = frozenset()
"""One for all: an empty set of its own has 216 bytes."""

_BARE_ACK: Final[tuple[bytes, str, tuple[tuple[str, str], ...]]] = (b"", "", ())
"""What most ACKs carry: one for all dialogs."""


ONE_OPEN: Final = "glare: an INVITE of the same side is not answered yet (RFC 3261 §14.2)"
GLARE: Final = "glare: an INVITE of ours is open on this leg (RFC 3261 §14.2)"
REPEATED: Final = "timer: no ACK within {:g} s, the 2xx is sent again (RFC 3261 §13.3.1.4)"
ACKNOWLEDGED: Final[Why] = (None, "dialog: each 2xx is acknowledged by who asked (RFC 3261 §13.2.2.4)")


class InviteOwner(Protocol):
    """Who owns the usage. Called at most once per event, never for a retransmission."""

    def invite_progressed(self, response: Response) -> None:
        """A provisional response above 100 to our INVITE."""

    def invite_accepted(self, response: Response) -> None:
        """The first 2xx to our INVITE; the owner calls `acknowledge` when it has what the ACK carries."""

    def invite_refused(self, status: int, response: Response | None) -> None:
        """Our INVITE failed; no response: 408 for a time-out, 503 for a transport error."""

    def acknowledged(self, ack: Request) -> None:
        """The ACK of our 2xx came."""

    def ack_missing(self) -> None:
        """Nobody acknowledged our 2xx within 64·T1: the dialog is to be ended with BYE (RFC 3261 §13.3.1.4)."""


class InviteUsage:
    """INVITEs in one dialog, in both directions. `dialog` is set by the owner as soon as there is one."""

    __slots__ = (
        "dialog", "client", "server", "owes_ack", "_layer", "_flow", "_owner", "_ack", "_acked_cseq",
        "_accepted", "_accepted_cseq", "_answered", "tick", "_interval", "_until", "_ended", "_client_cseq",
        "_ended_forks", "cancelled", "answered_cseq", "patience", "received",
    )  # fmt: skip

    def __init__(self, layer: TransactionLayer, flow: Flow, owner: InviteOwner) -> None:
        self.dialog: Dialog | None = None
        self.client: InviteClient | None = None
        """Our INVITE that has no final response yet."""
        self.server: ServerTransaction | None = None
        """The peer's INVITE that we have not answered yet."""
        self.owes_ack = False
        """A 2xx to our INVITE came and has not been acknowledged: the answer to its offer is not known yet."""
        self.cancelled = False
        """Whether our newest INVITE was given up by `cancel`."""
        self.answered_cseq = 0
        """CSeq of the peer's INVITE that was answered 2xx last, where its owner records that."""
        self.patience = TIMEOUT
        """Seconds for which our next 2xx is repeated and its ACK waited for."""
        self.received: ReliableReceiver | None = None
        """Of our open INVITE in a standing dialog: the reliable provisional responses, if there was one."""
        self._layer = layer
        self._flow = flow
        self._owner = owner
        self._client_cseq = 0
        self._ack: tuple[bytes, str, tuple[tuple[str, str], ...]] | None = None
        """What our last ACK carried. Not the message: a standing call would keep it to its end."""
        self._acked_cseq = 0
        self._accepted: Response | None = None
        self._accepted_cseq = 0
        self._answered: ServerTransaction | None = None
        self.tick = NEVER
        """The usage stands on the timer wheel itself while a 2xx is repeated: one timer for that and for the end of it."""
        self._interval = T1
        self._until = 0.0
        self._ended = False
        self._ended_forks = _NO_TAGS

    def resume(self, invited_cseq: int, answered_cseq: int) -> None:
        """Go on after a restart: what was agreed by then is acknowledged again when it is repeated."""
        self._client_cseq = self._acked_cseq = invited_cseq
        self.answered_cseq = answered_cseq
        self._ack = _BARE_ACK

    @property
    def is_carried(self) -> bool:
        """Whether our open INVITE has had a provisional response (no longer retransmitted, RFC 3261 §17.1.1.2)."""
        return self.client is not None and self.client.state is State.PROCEEDING

    @property
    def invited_cseq(self) -> int:
        """CSeq of our last INVITE that has its final answer."""
        return self._client_cseq if self.client is None else self._acked_cseq

    # -- as client ---------------------------------------------------------------------------------------------

    def invite(self, request: Request, mark: str = "") -> None:
        """Send an INVITE or re-INVITE of ours. One at a time, and none while the peer's is open (§14.1).

        `mark` goes behind its branch (sip/loop_mark.py).
        """
        assert self.client is None, "one INVITE at a time (RFC 3261 §14.1)"
        self._client_cseq = request.cseq
        self.cancelled = False
        self.received = None
        transaction = self._layer.send_request(request, self._flow, self, mark)
        assert isinstance(transaction, InviteClient)
        self.client = transaction

    def cancel(self, *headers: tuple[str, str], why: Why | None = None) -> None:
        """CANCEL our open INVITE: leaves once a 1xx has come (§9.1)."""
        self.cancelled = True
        if self.client is not None:
            self.client.cancel(*headers, why=why)

    def forget(self) -> None:
        """Abandon our open INVITE: its next hop is gone. A late 2xx is a stray (`acknowledge_stray`)."""
        client, self.client = self.client, None
        if client is not None:
            client.user = NOBODY
            client.fire(Event.TRANSPORT_ERROR)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """From the transaction layer."""
        status = response.status
        if status < 200:
            if status > 100:
                self._owner.invite_progressed(response)
            return
        if status >= 300:
            self.client = None
            self._owner.invite_refused(status, response)
            return
        dialog = self.dialog
        if transaction is self.client:
            self.client = None
            self._ack = None
            self.owes_ack = True
            self._owner.invite_accepted(response)
        elif dialog is not None and response.to.tag != dialog.remote_tag:
            self._end_fork(response)
        elif self._ack is not None and self._acked_cseq == response.cseq:
            self._send_ack(*self._ack)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        """From the transaction layer."""
        self.client = None
        self._owner.invite_refused(status, None)

    def acknowledge(self, body: bytes = b"", content_type: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """ACK the 2xx that was reported last, and every repetition of it (§13.2.2.4)."""
        self._ack = (body, content_type, headers) if body or headers else _BARE_ACK
        self._acked_cseq = self._client_cseq
        self.owes_ack = False
        self._send_ack(body, content_type, headers)

    def acknowledge_stray(self, response: Response) -> None:
        """ACK a 2xx to an INVITE sent before a restart: its sender repeats it until then (§13.3.1.4)."""
        known, self._acked_cseq = self._acked_cseq, response.cseq
        self._send_ack(b"", "", ())
        self._acked_cseq = known

    def _send_ack(self, body: bytes, content_type: str, headers: tuple[tuple[str, str], ...]) -> None:
        dialog = self.dialog
        assert dialog is not None
        ack = dialog.make_request("ACK", self._acked_cseq)
        ack.append("Max-Forwards", MAX_FORWARDS)
        ack.why = ACKNOWLEDGED
        for name, value in headers:
            ack.append(name, value)
        if body:
            ack.set_body(body, content_type)
        else:
            ack.append("Content-Length", "0")
        dialog.forget_lines()
        self._layer.send_ack(ack, self._flow)

    def _end_fork(self, response: Response) -> None:
        """A second callee answered: acknowledged and sent BYE at once, this call is taken (§13.2.2.4)."""
        dialog = self.dialog
        assert dialog is not None
        fork = Dialog(dialog.call_id, dialog.local, dialog.local_tag, dialog.remote, dialog.remote_target, dialog.contact)
        fork.local_cseq = dialog.local_cseq
        fork.establish(response)
        # Each of its repeated 2xx is acknowledged again; one BYE is enough, its transaction repeats it.
        requests = [("ACK", response.cseq)]
        if response.to.tag not in self._ended_forks:
            self._ended_forks |= {response.to.tag}
            requests.append(("BYE", 0))
        for method, cseq in requests:
            request = fork.make_request(method, cseq)
            request.append("Max-Forwards", MAX_FORWARDS)
            request.append("Content-Length", "0")
            if method == "ACK":
                self._layer.send_ack(request, self._flow)
            else:
                self._layer.send_request(request, self._flow, NOBODY)

    # -- as server ---------------------------------------------------------------------------------------------

    def invite_received(self, transaction: ServerTransaction, retry_after: int) -> None:
        """Take an INVITE from the peer, or refuse it by SipError (RFC 3261 §14.2): 500 + Retry-After (0–10 s, the caller
        draws it) while theirs is open, 491 while ours is."""
        if self.server is not None and not self.server.answered:
            raise SipError(500, "", ("Retry-After", str(retry_after))).because(ONE_OPEN)
        if self.client is not None:
            raise SipError(491).because(GLARE)
        self.server = transaction

    def respond(self, response: Response) -> None:
        """Answer the peer's INVITE: a 2xx is repeated until its ACK (§13.3.1.4), anything else is the transaction's work."""
        transaction = self.server
        if transaction is None or transaction.answered:
            return
        if response.status >= 200:
            self.server = None
        self._layer.respond(transaction, response)
        if 200 <= response.status < 300:
            self._accepted, self._accepted_cseq, self._answered = response, response.cseq, transaction
            self._interval = T1
            timers = self._layer.timers
            self._until = timers.now() + self.patience
            self.patience = TIMEOUT
            # Also over the link and over TCP: the ACK travels end to end and so must its lack be noticed end to end.
            timers.put(self, T1)

    def ack_received(self, ack: Request) -> bool:
        """An ACK in this dialog; whether it was the first one for our last 2xx."""
        if self._accepted is None or ack.cseq != self._accepted_cseq:
            return False
        self._stop_repeating()
        self._owner.acknowledged(ack)
        return True

    @property
    def unacknowledged(self) -> bool:
        """Whether a 2xx of ours still waits for its ACK."""
        return self._accepted is not None

    @property
    def busy(self) -> bool:
        """Whether an INVITE of either side is open, or a 2xx of either has no ACK yet: a new one would cross it (§14.1)."""
        return self.client is not None or self.server is not None or self.owes_ack or self._accepted is not None

    def expire(self) -> None:
        """From the timer wheel: the 2xx once more, or nobody has acknowledged it in time."""
        self.tick = NEVER
        transaction, response = self._answered, self._accepted
        if transaction is None or response is None:
            return
        timers = self._layer.timers
        left = self._until - timers.now()
        if left < TICK / 2:
            self._stop_repeating()
            self._owner.ack_missing()
            return
        response.why = (None, REPEATED, self._interval)
        self._layer.respond(transaction, response)
        self._interval = min(self._interval * 2, T2)
        timers.put(self, min(self._interval, left))

    def _stop_repeating(self) -> None:
        self.tick = NEVER
        self._accepted = self._answered = None

    def leave(self) -> None:
        """The owner leaves the call: media of our own end (media_usage.py). A 2xx without its ACK is repeated until then all
        the same (§13.3.1.4), so there is nothing to do here."""

    def end(self) -> None:
        """The dialog ended: nothing is repeated any more, except the ACK of a 2xx that is already sent."""
        self._stop_repeating()
