"""Hold (RFC 5359 §2.1; RFC 3264 §8.4): who wants no media, seen in what each party offers and answers.

The hold shows as soon as it is accepted for forwarding (the lamp is published before the far end hears of it), and is
taken back when the far end refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.sip import sdp
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.rseq import rseq_of

_OFFERING: Final = frozenset(("INVITE", "UPDATE", "PRACK"))
_ANSWERING: Final = frozenset(("ACK", "PRACK"))


class Hold(Feature):
    """Keeps `leg.holding` true to the session descriptions."""

    def __init__(self, environment: object) -> None:
        self._before: dict[Leg, bool] = {}
        self._offers: dict[Leg, Sequence[sdp.Stream]] = {}
        self._early: dict[Leg, Sequence[sdp.Stream]] = {}
        """Answers in reliable responses to INVITEs that are not answered yet."""

    def call_offered(self, call: Call, invite: Request) -> Request:
        """The first offer: what the callee's answer is measured by."""
        streams = _streams(invite)
        if streams:
            self._offered(call, call.caller, streams)
        return invite

    def request_received(self, call: Call, leg: Leg, request: Request) -> Request:
        """The offer of a re-INVITE, UPDATE or PRACK, or the answer in ACK or PRACK to what the other party offered."""
        streams = _streams(request)
        method = request.method
        if method in _OFFERING and (method != "PRACK" or (streams and leg.other not in self._offers)):
            self._forget_offers(leg)
            if streams:
                self._before[leg] = leg.holding
                self._offered(call, leg, streams)
        elif streams and method in _ANSWERING:
            self._answered(call, leg, streams)
        return request

    def response_received(self, call: Call, leg: Leg, response: Response) -> Response:
        """The far party's answer; or its offer, when the INVITE had none."""
        if response.status < 200:
            if "RSeq" in response.names:
                self._described_early(call, leg, response)
            return response
        streams = _streams(response)
        if response.status < 300 and response.cseq_method in _OFFERING:
            if self._early and response.cseq_method == "INVITE":
                streams = streams or self._early.get(leg, ())
                self._early.pop(leg, None)
            if streams and leg.other in self._offers:
                self._answered(call, leg, streams)
                if response.cseq_method == "INVITE":
                    self._forget_offers(leg)
            elif streams:
                self._offered(call, leg, streams)
        return response

    def _described_early(self, call: Call, leg: Leg, response: Response) -> None:
        """A description that need not come again (RFC 3262 §5). Before the answer media often goes one way only: what is
        answered here is no hold until the call stands."""
        streams = _streams(response) if rseq_of(response) else ()
        if streams and leg.other in self._offers:
            self._early[leg] = streams
        elif streams:
            self._offered(call, leg, streams)

    def exchange_ended(self, call: Call, leg: Leg, status: int) -> None:
        """A refused hold or resume changes nothing: what was shown is taken back."""
        self._forget_offers(leg)
        before = self._before.pop(leg, None)
        if before is not None and status >= 300:
            self._set(call, leg, before)

    def call_joined(self, call: Call, offerer: Leg) -> None:
        """Two parties who have just agreed, one of them new to the call: its first exchange, so to speak."""
        for leg in (offerer, offerer.other):
            self._before.pop(leg, None)
            self._forget_offers(leg)
        offered, answered = _described(offerer.descriptions.theirs), _described(offerer.other.descriptions.theirs)
        offerer.other.holding = False
        self._offered(call, offerer, offered)
        self._answered(call, offerer.other, answered)
        self._forget_offers(offerer)

    def callee_left(self, call: Call, leg: Leg) -> None:
        """What it offered, or answered before it had the call, means nothing."""
        self._forget(leg)

    def call_ended(self, call: Call) -> None:
        for leg in (call.caller, call.callee):
            self._forget(leg)

    def _forget(self, leg: Leg) -> None:
        self._before.pop(leg, None)
        self._offers.pop(leg, None)
        self._early.pop(leg, None)

    def _forget_offers(self, leg: Leg) -> None:
        self._offers.pop(leg, None)
        self._offers.pop(leg.other, None)
        if self._early:
            self._early.pop(leg, None)
            self._early.pop(leg.other, None)

    def _offered(self, call: Call, leg: Leg, streams: Sequence[sdp.Stream]) -> None:
        self._offers[leg] = streams
        self._set(call, leg, sdp.holds(streams))

    def _answered(self, call: Call, leg: Leg, streams: Sequence[sdp.Stream]) -> None:
        """Who answers that it wants media does not hold. Who wants none holds only if the other wanted to talk both ways:
        to a hold some phones answer `inactive`, and to `recvonly` nothing but `sendonly` or `inactive` is legal."""
        if not sdp.holds(streams):
            self._set(call, leg, False)
        elif any(stream.receives and stream.direction == "sendrecv" for stream in self._offers.get(leg.other, ())):
            self._set(call, leg, True)

    def _set(self, call: Call, leg: Leg, holding: bool) -> None:
        leg.holding = holding
        call.changed()


def _streams(message: Message) -> Sequence[sdp.Stream]:
    return _described(message.body) if message.body and is_sdp(message) else ()


def _described(body: bytes) -> Sequence[sdp.Stream]:
    try:
        return sdp.parse_streams(body)
    except MalformedValue:
        return ()
