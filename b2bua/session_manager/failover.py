"""One branch of a proxy whose next hop has a name: its targets in order, a client transaction each (RFC 3263 §4.3).

The next one is tried when one does not answer (Timer B; of a non-INVITE nobody waits so long, RFC 4320), answers 503, or
cannot be reached. Where there are several next hops, the next of them is tried when the targets of one are used up, and
earlier by what its `Hop` says. The response context sees one branch; CANCEL follows the target in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from b2bua.session_manager.next_hops import TIMED_OUT, UNAVAILABLE, NextHops
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.next_hop import Target
from b2bua.sip.uri import Uri
from b2bua.transaction.client import ClientTransaction, ClientUser
from b2bua.transaction.timers import Timer

Build = Callable[[Flow], Request]
"""Makes the request for a flow: Route and Record-Route depend on it."""
Send = Callable[[Request, Flow, "Failover"], None]
"""Sends it, now or later while it is `wanted`, and calls `sent` or `not_sent`."""


class Hop(NamedTuple):
    """One of several next hops that may serve a request."""

    uri: Uri
    build: Build
    patience: float = 0.0
    """Seconds in which a target must have said anything to an INVITE; 0: Timer B's."""
    next_on: frozenset[int] = frozenset()
    """Failures that are this hop's own, so that the next one is asked; a 503 always is."""


class Context(ClientUser, Protocol):
    """The response context that a branch belongs to."""

    def waits_for(self, failover: Failover) -> None:
        """The branch has no transaction at the moment."""

    def goes_by(self, failover: Failover, transaction: ClientTransaction) -> None:
        """The branch has one again."""

    def went_nowhere(self, failover: Failover, status: int, response: Response | None) -> None:
        """No target is left: what the last one answered, or the status that stands for all of them."""

    def went_wrong(self, failover: Failover, error: Exception) -> None:
        """A mistake of ours came up on the way to the next target."""


class Failover:
    """`status`: what counts as the answer when there was none at all. `last`: a way to try behind all targets."""

    def __init__(
        self, context: Context, hops: NextHops, build: Build, send: Send, status: int = 503, last: Flow | None = None
    ) -> None:
        self._context = context
        self._hops = hops
        self._build: Build | None = build
        self._send = send
        self._status = status
        self._last = last
        self._uri: Uri | None = None
        """Not looked for yet."""
        self._targets: list[Target] = []
        self._target: Target | None = None
        """In use; None: a flow that was given."""
        self._flow: Flow | None = None
        self._answer: Response | None = None
        """The newest 503."""
        self.heard = False
        """The target in use has said something: it works on the request."""
        self.patience = 0.0
        """Seconds of silence after which the target in use is given up; 0: as long as its transaction waits."""
        self.silence: Timer | None = None
        """Runs while nothing has come from it."""
        self._next_on: frozenset[int] = frozenset()
        self._left: list[Hop] = []
        """Other next hops, in order."""
        self._resting: list[Hop] = []
        """Those of them whose targets all failed lately: tried behind the others."""
        self._hop: Hop | None = None

    def try_each(self, hops: Sequence[Hop]) -> None:
        """Try the targets of these, one hop after the other."""
        self._left = list(hops)
        self._context.waits_for(self)
        self._next_hop()

    def look_for(self, uri: Uri) -> None:
        """Find the targets of this URI, and try them."""
        self._context.waits_for(self)
        self._hops.locate(uri, self._located)

    def begin_with(self, flow: Flow, uri: Uri) -> None:
        """Go by this flow, and by the targets of the URI only when that fails."""
        self._uri = uri
        self._context.waits_for(self)
        self._go(flow)

    def give_up(self) -> None:
        """Nobody wants the answer any more."""
        self._build = None
        self.speaks()

    def speaks(self) -> None:
        """Something has come from the target in use, or nobody waits for that any more."""
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None

    @property
    def wanted(self) -> bool:
        """Whether it is still worth sending."""
        return self._build is not None

    def sent(self, transaction: ClientTransaction) -> None:
        """The request is on its way to the target in use."""
        self._context.goes_by(self, transaction)

    def not_sent(self, status: int) -> None:
        """It could not be sent, for a reason of ours: no other target helps."""
        self._build = None
        self._context.went_nowhere(self, status, None)

    def failed(self, status: int, answer: Response | None = None, seconds: int | None = None) -> bool:
        """The target in use did not serve the request; whether this branch goes on (it may have come to its end meanwhile).

        `status` is as in `next_hops`.
        """
        self.speaks()
        if self._target is not None:
            self._hops.failed(self._target, status, seconds)
        if self._build is None or (self.heard and status != UNAVAILABLE):
            return False
        if answer is not None:
            self._answer = answer
        self._status = TIMED_OUT if status == TIMED_OUT else self._status
        self._context.waits_for(self)
        if self._uri is not None:
            uri, self._uri = self._uri, None
            self._hops.locate(uri, self._located)
        else:
            self._next()
        return True

    def refused(self, answer: Response) -> bool:
        """The target in use answered so; whether the next hop is asked in its place."""
        if self._build is None or answer.status not in self._next_on or not (self._left or self._resting):
            return False
        self.speaks()
        self._answer = answer
        self._targets = []
        self._context.waits_for(self)
        self._next()
        return True

    # -- inside ------------------------------------------------------------------------------------------------

    def _next_hop(self) -> None:
        hop = self._hop = self._left.pop(0) if self._left else self._resting.pop(0)
        self._build, self.patience, self._next_on = hop.build, hop.patience, hop.next_on
        self._flow = None
        self._hops.locate(hop.uri, self._located)

    def _located(self, targets: tuple[Target, ...]) -> None:
        used = self._flow
        self._targets = [
            target
            for target in self._hops.ordered(targets)
            if used is None or (target.transport, target.address) != (used.transport, used.remote)
        ]
        if self._hop is not None and self._left and self._targets and all(map(self._hops.rests, self._targets)):
            self._resting.append(self._hop)
            self._targets = []
        self._next()

    def _next(self) -> None:
        try:
            self._try_next()
        except Exception as error:
            # Whatever it is: the DNS may have answered in a turn of its own, where nobody else would answer the request.
            self._build = None
            self._context.went_wrong(self, error)

    def _try_next(self) -> None:
        while self._build is not None:
            if self._targets:
                self._target = self._targets.pop(0)
                flow = self._hops.flow(self._target)
            elif self._left or self._resting:
                self._target = None
                self._next_hop()
                return
            else:
                self._target = None
                flow, self._last = self._last, None
                if flow is None:
                    self._build = None
                    self._context.went_nowhere(self, self._status, self._answer)
                    return
            if flow is not None and flow is not self._flow:
                self._go(flow)
                return

    def _go(self, flow: Flow) -> None:
        build = self._build
        assert build is not None, "not given up"
        self._flow = flow
        self.heard = False
        try:
            request = build(flow)
        except SipError as error:
            self._build = None
            self._context.went_nowhere(self, error.status, None)
            return
        self._send(request, flow, self)
