"""What the caller is told reliably on one early dialog (RFC 3262 §3): sent, repeated until its PRACK, held back, given up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final, NamedTuple

from b2bua.dialog.reliable_provisional import FIRST_BOUNDS, Action, ReliableSender, State
from b2bua.feature_server.contract import Environment
from b2bua.sip.message import Response
from b2bua.sip.rack import RAck
from b2bua.sip.rseq import RELIABLE
from b2bua.sip.why import Why
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import NEVER

MOST_WAITING: Final = 16
"""Responses that wait for a PRACK of the one before; a callee that sends more is not heard."""


REPEATED: Final[Why] = (None, "timer 100rel: no PRACK yet, sent again (RFC 3262 §3)")


class Told(NamedTuple):
    """One response of ours."""

    response: Response
    described: bool
    """Whether it has a session description."""
    source: Response | None
    """The callee's reliable response that it passes on, whose PRACK waits for the caller's."""


class ReliableAnswers:
    """The reliable responses to one INVITE with one To tag; it stands on the timer wheel itself."""

    __slots__ = ("tick", "_sender", "_environment", "_transaction", "_given_up", "_waiting", "_open")

    def __init__(self, environment: Environment, transaction: ServerTransaction, given_up: Callable[[], None]) -> None:
        """`given_up` is called once when 64·T1 pass without a PRACK: the INVITE is to be rejected."""
        self.tick = NEVER
        self._sender = ReliableSender(int(environment.uniform(*FIRST_BOUNDS)))
        self._environment = environment
        self._transaction = transaction
        self._given_up = given_up
        self._waiting: deque[Told] = deque()
        self._open: Told | None = None

    @property
    def undescribed(self) -> bool:
        """Whether no description stands in a response that has no PRACK: else a 2xx has to wait (§3, §5)."""
        return not ((self._open is not None and self._open.described) or any(told.described for told in self._waiting))

    @property
    def over(self) -> bool:
        """Whether nothing is sent or awaited any more."""
        return self._sender.state is State.OVER

    def send(self, told: Told) -> None:
        """Send a response, complete but for Require and RSeq, as soon as those before it are acknowledged."""
        action = self._sender.send(self._environment.layer.timers.now())
        if action is Action.SEND:
            self._send(told)
        elif action is Action.QUEUE and len(self._waiting) < MOST_WAITING:
            self._waiting.append(told)

    def acknowledged(self, rack: RAck, cseq: int) -> Told | None:
        """What a PRACK names, which is done with now; None when that is not what is open. `cseq` is the INVITE's."""
        told = self._open
        if told is None or not self._sender.matches(rack, cseq):
            return None
        self._open = None
        self.tick = NEVER
        if self._sender.acknowledged() is Action.NEXT and self._waiting:
            self.send(self._waiting.popleft())
        return told

    def final(self) -> None:
        """The INVITE is answered: nothing is repeated any more, no new one leaves."""
        self.tick = NEVER
        self._waiting.clear()
        self._sender.final()
        if self.over:
            self._open = None

    def expire(self) -> None:
        """From the timer wheel."""
        self.tick = NEVER
        action = self._sender.due(self._environment.layer.timers.now())
        if action is Action.REPEAT and self._open is not None:
            self._open.response.why = REPEATED
            self._environment.layer.respond(self._transaction, self._open.response)
            self._arm()
        elif action is Action.REJECT:
            self._open = None
            self._given_up()

    def _send(self, told: Told) -> None:
        response = told.response
        response.append("Require", RELIABLE)
        response.append("RSeq", str(self._sender.rseq))
        self._open = told
        self._environment.layer.respond(self._transaction, response)
        self._arm()

    def _arm(self) -> None:
        if self._sender.wake != inf:
            timers = self._environment.layer.timers
            timers.put(self, self._sender.wake - timers.now())
