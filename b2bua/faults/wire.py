"""Faults of the wire: what comes in and goes out is lost, late, doubled or changed, and told so in the trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from b2bua.faults.altered import padded, with_wrong_tag
from b2bua.faults.fault import ANSWER, DELAY, DROP, DUPLICATE, IN, OUT, PAD, Fault
from b2bua.faults.faults import Faults, Standing
from b2bua.sip.errors import MalformedMessage
from b2bua.sip.flow import Flow, Put
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from b2bua.sip.why import Why
from b2bua.trace.recorder import Recorder

Deliver = Callable[[bytes, Flow], None]
"""Takes the bytes of one message, and the flow that it came on."""


class Wire:
    """Stands between the transports and the core while there are faults.

    `deliver` takes what comes in, `later(seconds, function)` calls one, `own` tells a link of ours, which has none.
    """

    def __init__(
        self, faults: Faults, recorder: Recorder, deliver: Deliver, later: Callable[[float, Callable[[], None]], object],
        own: Callable[[Flow], bool],
    ) -> None:  # fmt: skip
        self._faults = faults
        self._recorder = recorder
        self._deliver = deliver
        self._later = later
        self._own = own

    # -- in ----------------------------------------------------------------------------------------------------

    def received(self, data: bytes, flow: Flow) -> None:
        """One message, which is in the trace already."""
        message = None if self._own(flow) else _parsed(data)
        hit = None if message is None else self._faults.on_wire(IN, message, flow)
        if hit is None or message is None:
            self._deliver(data, flow)
            return
        fault = hit.fault
        self._mark(hit, flow, data)
        if fault.action == DELAY:
            self._later(fault.seconds, partial(self._deliver, data, flow))
        elif fault.action == DUPLICATE:
            self._deliver(data, flow)
            self._deliver(data, flow)
        elif fault.action != DROP:
            self._deliver(_altered(fault, message), flow)

    # -- out ---------------------------------------------------------------------------------------------------

    def between(self, put: Put) -> Put:
        """What stands in the place of a listener's own way to send."""
        return partial(self._put, put)

    def _put(self, put: Put, flow: Flow, data: bytes, message: Message | None) -> bytes:
        parsed = _parsed(data)
        hit = None if parsed is None else self._faults.on_wire(OUT, parsed, flow)
        if hit is None or parsed is None:
            return put(flow, data, message)
        fault = hit.fault
        if fault.action == DELAY:
            self._later(fault.seconds, partial(self._put_late, put, hit, flow, data, message, self._recorder.withheld()))
            return data
        if fault.action in (DROP, ANSWER):
            self._record(flow, data, message)
            self._mark(hit, flow, data)
            if fault.action == ANSWER and isinstance(parsed, Request):
                self._later(0.0, partial(self._answer, hit, parsed, flow))
            return data
        if fault.action != DUPLICATE:
            data = _altered(fault, parsed)
        put(flow, data, message)
        self._mark(hit, flow, data)
        if fault.action == DUPLICATE:
            put(flow, data, None)
            self._mark(hit, flow, data)
        return data

    def _put_late(
        self, put: Put, hit: Standing, flow: Flow, data: bytes, message: Message | None, why: Why | None
    ) -> None:  # fmt: skip
        if why is not None:
            self._recorder.again(why)
        put(flow, data, message)
        self._mark(hit, flow, data)

    def _answer(self, hit: Standing, request: Request, flow: Flow) -> None:
        """In the place of whoever would have got the request. Its tag is the same for the same request."""
        response = response_to(request, hit.fault.code, tag=f"fault-{hit.number}")
        data = response.encode()
        self._recorder.received(flow, data)
        self._mark(hit, flow, data)
        self._deliver(data, flow)

    # -- the trace ---------------------------------------------------------------------------------------------

    def _record(self, flow: Flow, data: bytes, message: Message | None) -> None:
        if message is None:
            self._recorder.resent(flow, data)
        else:
            self._recorder.sent(flow, message, data)

    def _mark(self, hit: Standing, flow: Flow, data: bytes) -> None:
        self._recorder.mark(flow, told(hit))


def told(hit: Standing) -> str:
    """What the trace says of a message that a fault acted on."""
    fault = hit.fault
    what = {
        DROP: "dropped", DELAY: f"delayed by {fault.seconds:g} s", DUPLICATE: "duplicated",
        ANSWER: f"answered {fault.code}", PAD: f"padded to {fault.bytes} bytes",
    }.get(fault.action, "a wrong tag")  # fmt: skip
    return f"fault {hit.number}: {what}"


def _altered(fault: Fault, message: Request | Response) -> bytes:
    return (padded(message, fault.bytes) if fault.action == PAD else with_wrong_tag(message)).encode()


def _parsed(data: bytes) -> Request | Response | None:
    """None for what is no SIP: faults are for messages."""
    try:
        return parse_message(data)
    except MalformedMessage:
        return None
