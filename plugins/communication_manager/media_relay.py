"""Media relay: media go through rtpengine, so that phones behind NAT, and browsers with plain phones, hear each other.

Every offer and answer of a call passes it on its way to the other party. It is asked whether it knows the calls still that it
relays, one every two seconds: what it has forgotten, as it was started anew, is set up again.

Stands behind all other features, which see what the phones really said: a media relay as of RFC 7092 §3.2.1. A call joined of two
(a transfer) has what its parties said to each other from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from b2bua.feature_server.call import Call
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature, Passed, PassedResponse
from b2bua.feature_server.hooks import Pause
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.relay_again import RelayAgain, can_be_asked
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.sdp import protocol_of

SETTING: Final = "media"
LOOK: Final = 2.0
"""Seconds between two looks at calls that it knows."""
NEXT: Final = 0.02
"""Seconds until the next look behind one that it has forgotten: mostly it has forgotten all."""
WEB: Final = "UDP/TLS/RTP/SAVPF"
PROTOCOLS: Final = {"rtp": "RTP/AVP", "srtp": "RTP/SAVP", "webrtc": WEB}
Done = Callable[[bytes | None], None]


class _Open(NamedTuple):
    """An offer that has no answer yet."""

    leg: Leg
    protocol: str


class MediaRelay(Feature):
    """Where there is no rtpengine it does nothing."""

    settings = {SETTING: "what this user's phones speak: rtp, srtp, webrtc (browsers)"}  # noqa: RUF012

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users
        self._relay = environment.relay
        self._open: dict[str, _Open] = {}
        """By call."""
        self._calls: dict[str, Call] = {}
        """Those that it relays, the one that was looked at last behind all others."""
        self._timers = environment.layer.timers
        self._looks = False

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if value not in PROTOCOLS:
            raise ValueError(f"{value!r} is none of {', '.join(PROTOCOLS)}")

    def call_offered(self, call: Call, invite: Request) -> Passed:
        return self._request(call, call.caller, invite, True)

    def request_received(self, call: Call, leg: Leg, request: Request) -> Passed:
        return self._request(call, leg, request, request.method in ("INVITE", "UPDATE") or not self._answers(call, leg))

    def response_received(self, call: Call, leg: Leg, response: Response) -> PassedResponse:
        final = response.status >= 200
        if leg.other.stand_in is not None:
            return response  # nobody is there: it goes to a party of another call, as it is
        if self._relay is None or response.status >= 300 or not response.body or not is_sdp(response):
            if final and response.status < 300 and self._answers(call, leg):
                del self._open[call.id]  # answered before, reliably
            return response
        return self._changed_response(call, leg, response, final)

    def exchange_ended(self, call: Call, leg: Leg, status: int) -> None:
        """A refused offer has left no trace at the phones, and is to leave none at the relay."""
        found = self._open.pop(call.id, None)
        theirs, others = leg.descriptions.theirs, leg.other.descriptions.theirs
        if found is not None and found.leg is leg and status >= 300 and theirs and others and call.stands():
            again = partial(self._answer, call, leg.other, others, protocol_of(theirs), _ignore)
            self._offer(call, leg, theirs, lambda body: again())

    def call_ended(self, call: Call) -> None:
        self._open.pop(call.id, None)
        self._calls.pop(call.id, None)
        if self._relay is not None:
            self._relay.forget(call.id)

    # -- whether it knows the calls ----------------------------------------------------------------------------

    def _relays(self, call: Call) -> None:
        """It does, from here on."""
        if not call.stands():
            return
        self._calls.setdefault(call.id, call)
        if not self._looks:
            self._looks = True
            self._timers.start(LOOK, self._look)

    def _look(self) -> None:
        """At the next call."""
        self._looks = bool(self._calls)
        if self._relay is not None and self._calls:
            name = next(iter(self._calls))
            call = self._calls[name] = self._calls.pop(name)
            self._relay.knows(name, partial(self._found, call))

    def _found(self, call: Call, known: bool | None) -> None:
        forgotten = known is False and call.id not in self._open and can_be_asked(call)
        if forgotten:
            protocol = protocol_of(call.caller.descriptions.theirs)
            answer = partial(self._answer_again, call, protocol)
            RelayAgain(call, partial(self._offer, call), answer).start()
        self._timers.start(NEXT if forgotten else LOOK, self._look)

    def _answer_again(self, call: Call, protocol: str, leg: Leg, body: bytes, done: Done) -> None:
        self._answer(call, leg, body, protocol, done)

    # -- messages ----------------------------------------------------------------------------------------------

    def _answers(self, call: Call, leg: Leg) -> bool:
        """Whether the other party's offer waits for this one's answer."""
        found = self._open.get(call.id)
        return found is not None and found.leg is not leg

    def _request(self, call: Call, leg: Leg, request: Request, offers: bool) -> Passed:
        if self._relay is None or not request.body or not is_sdp(request):
            return request
        return self._changed_request(call, leg, request, offers)

    async def _changed_request(self, call: Call, leg: Leg, request: Request, offers: bool) -> Request:
        changed = request.copy()
        changed.body = await self._relayed(call, leg, request.body, offers, True)
        return changed

    async def _changed_response(self, call: Call, leg: Leg, response: Response, final: bool) -> Response:
        changed = response.copy()
        changed.body = await self._relayed(call, leg, response.body, not self._answers(call, leg), final)
        return changed

    async def _relayed(self, call: Call, leg: Leg, body: bytes, offers: bool, final: bool) -> bytes:
        """The description as it goes on to the other party."""
        heard: list[bytes | None] = []
        if offers:
            self._open[call.id] = _Open(leg, protocol_of(body))
            ask = partial(self._offer, call, leg, body)
        else:
            ask = partial(self._answer, call, leg, body, self._open[call.id].protocol)
            if final:
                del self._open[call.id]
        await Pause(partial(_ask, ask, heard.append))
        relayed = heard[0]
        if relayed is None and self._relay is not None and self._relay.needed:
            raise SipError(480, "No Media Relay")
        if relayed is None:
            self._calls.pop(call.id, None)
            return body
        self._relays(call)
        return relayed

    # -- the relay ---------------------------------------------------------------------------------------------

    def _offer(self, call: Call, leg: Leg, body: bytes, done: Done) -> None:
        """Before the first answer nobody knows which callee it will be."""
        assert self._relay is not None
        other = leg.other
        known = other.descriptions.theirs
        answerer = other.dialog.call_id if known else ""
        protocol = protocol_of(known) if known else self._protocol(other, protocol_of(body))
        self._relay.offer(call.id, leg.dialog.call_id, answerer, body, protocol, done)

    def _answer(self, call: Call, leg: Leg, body: bytes, protocol: str, done: Done) -> None:
        """`protocol`: the offerer's."""
        assert self._relay is not None
        self._relay.answer(call.id, leg.other.dialog.call_id, leg.dialog.call_id, body, protocol, done)

    def _protocol(self, leg: Leg, offered: str) -> str:
        """What a party speaks that has said nothing yet: by its user's setting, else what is offered, but for browsers'."""
        chosen = PROTOCOLS.get(self._users.value(leg.party, SETTING))
        return chosen or ("RTP/AVP" if offered == WEB else offered)


def _ask(ask: Callable[[Done], None], found: Done, resume: Callable[[], None]) -> None:
    """Ask, and go on once there is an answer."""

    def done(body: bytes | None) -> None:
        found(body)
        resume()

    ask(done)


def _ignore(body: bytes | None) -> None:
    return
