"""Faults of the wire: what comes in and goes out is lost, late, doubled or changed, and told so in the trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from b2bua.faults.fault import IN, OUT
from b2bua.faults.faults import Faults, Hit
from b2bua.feature_server.strike import Answered, Delayed, Doubled
from b2bua.sip.flow import Flow, Put
from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.trace.recorder import Recorder

Deliver = Callable[[bytes, Flow], None]
"""Takes the bytes of one message, and the flow that it came on."""


class Wire:
    """Stands between the transports and the core while there are faults.

    `deliver` takes what comes in, `later(seconds, function)` calls one, `own` tells a link of ours, which has none;
    `answer_it` takes a request that comes in, and is to be answered with a status and to go no further.
    """

    def __init__(
        self, faults: Faults, recorder: Recorder, deliver: Deliver, later: Callable[[float, Callable[[], None]], object],
        own: Callable[[Flow], bool], answer_it: Callable[[int, bytes, Flow], None],
    ) -> None:  # fmt: skip
        self._faults = faults
        self._recorder = recorder
        self._deliver = deliver
        self._later = later
        self._own = own
        self._answer_it = answer_it

    # -- in ----------------------------------------------------------------------------------------------------

    def received(self, data: bytes, flow: Flow) -> None:
        """One message, which is in the trace already."""
        message = None if self._own(flow) else _parsed(data)
        hit = None if message is None else self._faults.on_wire(IN, message, flow)
        if hit is None:
            self._deliver(data, flow)
            return
        self._mark(hit, flow)
        effect = hit.effect
        if isinstance(effect, Delayed):
            self._later(effect.seconds, partial(self._deliver, data, flow))
        elif isinstance(effect, Doubled):
            self._deliver(data, flow)
            self._deliver(data, flow)
        elif isinstance(effect, Answered):
            self._answer_it(effect.status, data, flow)
        elif effect is not None:
            self._deliver(_bytes(effect), flow)

    # -- out ---------------------------------------------------------------------------------------------------

    def between(self, put: Put) -> Put:
        """What stands in the place of a listener's own way to send."""
        return partial(self._put, put)

    def _put(self, put: Put, flow: Flow, data: bytes, message: Message | None) -> bytes:
        parsed = _parsed(data)
        hit = None if parsed is None else self._faults.on_wire(OUT, parsed, flow)
        if hit is None:
            return put(flow, data, message)
        effect = hit.effect
        if isinstance(effect, Delayed):
            self._later(effect.seconds, partial(self._put_late, put, hit, flow, data, message, self._recorder.withheld()))
            return data
        if effect is None or isinstance(effect, Answered):
            self._record(flow, data, message)
            self._mark(hit, flow)
            if isinstance(effect, Answered) and isinstance(parsed, Request):
                self._later(0.0, partial(self._answer, hit, effect.status, parsed, flow))
            return data
        if not isinstance(effect, Doubled):
            data = _bytes(effect)
        put(flow, data, message)
        self._mark(hit, flow)
        if isinstance(effect, Doubled):
            put(flow, data, None)
            self._mark(hit, flow)
        return data

    def _put_late(
        self, put: Put, hit: Hit, flow: Flow, data: bytes, message: Message | None, why: Why | None
    ) -> None:  # fmt: skip
        if why is not None:
            self._recorder.again(why)
        put(flow, data, message)
        self._mark(hit, flow)

    def _answer(self, hit: Hit, status: int, request: Request, flow: Flow) -> None:
        """In the place of whoever would have got the request. Its tag is the same for the same request."""
        response = response_to(request, status, tag=f"fault-{hit.standing.number}")
        data = response.encode()
        self._recorder.received(flow, data)
        self._mark(hit, flow)
        self._deliver(data, flow)

    # -- the trace ---------------------------------------------------------------------------------------------

    def _record(self, flow: Flow, data: bytes, message: Message | None) -> None:
        if message is None:
            self._recorder.resent(flow, data)
        else:
            self._recorder.sent(flow, message, data)

    def _mark(self, hit: Hit, flow: Flow) -> None:
        self._recorder.mark(flow, f"fault {hit.standing.number}: {hit.what}")


def _bytes(effect: Request | Response | bytes) -> bytes:
    return effect if isinstance(effect, bytes) else effect.encode()


def _parsed(data: bytes) -> Request | Response | None:
    """None for what is no SIP: faults are for messages."""
    try:
        return parse_message(data)
    except MalformedMessage:
        return None
