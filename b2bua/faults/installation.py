"""Where faults get in: both ends of the wire and the user of the transaction layer are exchanged while any fault can act. As
long as none can, nothing of them is on any message's way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from b2bua.faults.answering import Answering, ChallengeOf, OneAnswer
from b2bua.faults.faults import Check, Faults, Peer, anything
from b2bua.faults.wire import Deliver, Wire
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.observer import Observer
from b2bua.sip.flow import Flow, Put
from b2bua.trace.recorder import Recorder
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import Timers


class Listeners(Protocol):
    """What sends; `b2bua.transport.listener_set.ListenerSet` is one."""

    def interpose(self, between: Callable[[Put], Put]) -> Callable[[], None]: ...


class Place(Protocol):
    """The server that gets the faults."""

    layer: TransactionLayer
    """Session Manager's, or that of a feature server in a process of its own."""
    recorder: Recorder
    timers: Timers
    observer: Observer
    deliver: Deliver
    """Takes what the listeners read: looked up for each message."""

    @property
    def listeners(self) -> Listeners: ...


class Installation:
    """The faults of one server, in or out."""

    def __init__(
        self, place: Place, own: Callable[[Flow], bool], trunk: Callable[[Flow], str], challenge: ChallengeOf,
        dice: Callable[[int], Callable[[], float]], log: Callable[..., object], features: FeatureFaults, check: Check = anything,
        peer: Peer | None = None,
    ) -> None:  # fmt: skip
        """`own`: whether a flow is a feature server's link; `trunk`: the trunk on it; `dice`: seed → numbers from 0 to 1;
        `features`: the faults that features bring; `check`, `peer`: see `Faults`, without `peer` the trace's names."""
        self._place = place
        self._own = own
        self._challenge = challenge
        self._take_out: Callable[[], None] | None = None
        self._deliver = place.deliver
        name = place.recorder.directory.name
        self.faults = Faults(
            peer or (lambda flow, users: name(flow.remote, users)), trunk, dice, place.observer, log, self._changed, features,
            check,
        )  # fmt: skip

    @property
    def installed(self) -> bool:
        return self._take_out is not None

    def _changed(self, wanted: bool) -> None:
        if wanted and self._take_out is None:
            self._put_in()
        elif not wanted and self._take_out is not None:
            take_out, self._take_out = self._take_out, None
            take_out()

    def _put_in(self) -> None:
        place = self._place
        deliver, user = place.deliver, place.layer.user
        wire = Wire(self.faults, place.recorder, deliver, place.timers.start, self._own, self._answer_it)
        end = place.listeners.interpose(wire.between)
        place.deliver = wire.received
        place.layer.user = Answering(user, place.layer, self.faults, place.recorder, self._own, self._challenge)

        def take_out() -> None:
            end()
            place.deliver = deliver
            place.layer.user = user

        self._take_out = take_out
        self._deliver = deliver

    def _answer_it(self, status: int, data: bytes, flow: Flow) -> None:
        """Its transaction is made as any other's, so that copies get the same answer; nobody hears of it."""
        layer = self._place.layer
        user = layer.user
        layer.user = OneAnswer(user, layer, status)
        try:
            self._deliver(data, flow)
        finally:
            layer.user = user
