"""Watches one trunk: asks each of its targets by OPTIONS whether it is there (RFC 3261 §11), every so many seconds.

Any final answer means that it is, but 503: that one is there and serves nobody. Calls ask a target that is silent after all
others, and a trunk all of whose targets are after the next one (next_hops.py, failover.py), until it answers again: where
nothing else is left it is still better than nothing. That a name leads to several targets, and what else takes one out of
turn for a while, stays as RFC 3263 §4.3 has it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from b2bua.session_manager.entities import Entity
from b2bua.session_manager.next_hops import NextHops
from b2bua.sip.flow import own_address
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request, Response
from b2bua.sip.next_hop import Target
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import Timer

PATIENCE: Final = 8.0
"""Seconds in which an answer must come: the question has been sent five times by then over UDP (RFC 3261 §17.1.2.2)."""


class TrunkWatch:
    """`interval`: seconds from one round of questions to the next. `sender`: our From. `report` is the log.

    Before its first answer, or its first silence, a trunk counts as there.
    """

    def __init__(
        self, layer: TransactionLayer, hops: NextHops, entity: Entity, interval: float, sender: str,
        report: Callable[..., object],
    ) -> None:  # fmt: skip
        self.up = True
        self.rtt: float | None = None
        """Seconds that the last answer took; None before the first one."""
        self.layer = layer
        self.hops = hops
        self.entity = entity
        self.sender = sender
        self.patience = min(interval, PATIENCE)
        self._interval = interval
        self._report = report
        self._call_id = ""
        self._cseq = 0
        self._questions: dict[Target, _Question] = {}
        """Of the round under way, those that have no answer."""
        self._targets: tuple[Target, ...] = ()
        self._any = False
        """Whether a target of this round has answered."""
        self._timer: Timer | None = None
        self._running = False

    def start(self) -> None:
        """Ask now, and then for ever."""
        self._running = True
        self._call_id = self.layer.identifiers.call_id()
        self._ask()

    def stop(self) -> None:
        """Ask no more; what is under way changes nothing."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for question in self._questions.values():
            question.forget()
        self._questions.clear()

    def asked(self) -> int:
        """How many timers run: for leak tests."""
        return (self._timer is not None) + len(self._questions)

    # -- a round -----------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._timer = self.layer.timers.start(self._interval, self._ask)
        for question in tuple(self._questions.values()):
            question.overdue()
        self._any = False
        self.hops.locate(self.entity.uri, self._located)

    def _located(self, targets: tuple[Target, ...]) -> None:
        if not self._running:
            return
        targets = tuple(self.hops.ordered(targets))
        for gone in set(self._targets).difference(targets):
            self.hops.heard(gone)  # the name does not lead there any more
        self._targets = targets
        self._questions = {target: _Question(self, target) for target in targets}
        for question in tuple(self._questions.values()):
            question.ask()
        self._look()

    def request(self, local: str) -> Request:
        """One question; `local` is our address on the way there."""
        self._cseq += 1
        uri = str(self.entity.uri)
        made = Request("OPTIONS", uri, [], [])
        made.extend((
            ("Max-Forwards", MAX_FORWARDS), ("From", f"{self.sender};tag={self.layer.identifiers.tag()}"), ("To", f"<{uri}>"),
            ("Call-ID", self._call_id), ("CSeq", f"{self._cseq} OPTIONS"), ("Contact", f"<sip:{local}>"),
            ("Accept", "application/sdp"), ("Content-Length", "0"),
        ))  # fmt: skip
        return made

    def answered(self, target: Target, took: float) -> None:
        """A target is there."""
        self._questions.pop(target, None)
        self.rtt = took
        self._any = True
        self.hops.heard(target)
        self._found(True)

    def silent(self, target: Target) -> None:
        """It is not."""
        self._questions.pop(target, None)
        self.hops.silent(target)
        self._look()

    def _look(self) -> None:
        """Whether the round is over without an answer; a name that leads nowhere is no trunk either."""
        if not self._questions and not self._any:
            self._found(False)

    def _found(self, up: bool) -> None:
        if up is not self.up:
            self.up = up
            self._report("trunk_found" if up else "trunk_lost", entity=self.entity.name)


class _Question:
    """One OPTIONS to one target; the user of its transaction."""

    __slots__ = ("_watch", "_target", "_timer", "_sent_at", "_open")

    def __init__(self, watch: TrunkWatch, target: Target) -> None:
        self._watch = watch
        self._target = target
        self._timer: Timer | None = None
        self._sent_at = 0.0
        self._open = True

    def ask(self) -> None:
        watch = self._watch
        flow = watch.hops.flow(self._target)
        if flow is None:
            self.overdue()
            return
        timers = watch.layer.timers
        self._sent_at = timers.now()
        self._timer = timers.start(watch.patience, partial(self.overdue))
        watch.layer.send_request(watch.request(own_address(flow)), flow, self)

    def forget(self) -> None:
        """Nobody wants to know any more."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def overdue(self) -> None:
        """No answer in time, or nobody there at all."""
        if self._open:
            self.forget()
            self._watch.silent(self._target)

    # -- from the transaction layer ----------------------------------------------------------------------------

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        if response.status < 200 or not self._open:
            return
        if response.status == 503:
            self.overdue()
        else:
            self.forget()
            self._watch.answered(self._target, self._watch.layer.timers.now() - self._sent_at)

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self.overdue()
