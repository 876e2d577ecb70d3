"""Music on hold (RFC 5359 §2.3, RFC 7088): who is held hears something, by the wish of whoever holds.

The hold itself goes as without it, and first; only that its answer tells the holder to send nothing, which would come to the
same port as the music. Then the held party is asked to listen. When it does not want to, the plain hold stays. The resume
brings both parties together again.
"""

from __future__ import annotations

from functools import partial

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CONFIRMED
from b2bua.feature_server.carried import is_sdp
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.media_source import ECHO, check_source
from b2bua.feature_server.music import Music
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.sdp import with_direction

SETTING = "music_on_hold"
OFF = "off"


class MusicOnHold(Feature):
    """Behind `hold`, which finds out who holds."""

    settings = {SETTING: "what others hear while this user holds: melody, file:PATH, tone:HERTZ, off"}  # noqa: RUF012

    def __init__(self, environment: Environment) -> None:
        self._users = environment.users
        self._music: dict[Leg, Music | None] = {}
        """By the leg of whoever hears it; None: that party will not have it, until it is held anew."""
        self._offering: set[Leg] = set()
        """Legs whose offer has no answer yet."""

    @classmethod
    def check_setting(cls, name: str, value: str) -> None:
        if value != OFF and check_source(value) == ECHO:
            raise ValueError("who is held hears no echo")

    def call_changed(self, call: Call) -> None:
        """Restored, or held by other means than an exchange; else its end comes soon."""
        if call.exchange is None:
            self._settle(call)

    def request_received(self, call: Call, leg: Leg, request: Request) -> Request:
        if request.method in ("INVITE", "UPDATE") and request.body:
            self._offering.add(leg)
        return request

    def response_received(self, call: Call, leg: Leg, response: Response) -> Response:
        """The held party's answer to a hold: what the holder is told of it."""
        holder = leg.other
        answers = holder in self._offering and holder.holding and 200 <= response.status < 300 and is_sdp(response)
        if not answers or leg.holding or not self._source(leg):
            return response
        quiet = response.copy()
        quiet.body = with_direction(response.body, "inactive")
        return quiet

    def exchange_ended(self, call: Call, leg: Leg, status: int) -> None:
        self._offering.discard(leg)
        self._settle(call)

    def call_joined(self, call: Call, offerer: Leg) -> None:
        self._settle(call)

    def call_ended(self, call: Call) -> None:
        for leg in (call.caller, call.callee):
            self._offering.discard(leg)
            self._stop(leg)

    def _source(self, leg: Leg) -> str:
        """What the party of this leg hears while the other one holds; "" for nothing."""
        source = "" if leg.source else self._users.value(leg.other.party, SETTING)
        return "" if source == OFF else source

    def _settle(self, call: Call) -> None:
        for leg in (call.caller, call.callee):
            music = self._music.get(leg)
            if not (call.state == CONFIRMED and leg.other.holding and not leg.holding):
                self._stop(leg)
            elif leg not in self._music or (music is not None and not music.stands):
                self._stop(leg)
                self._start(leg)

    def _start(self, leg: Leg) -> None:
        source = self._source(leg)
        if not source:
            return
        try:
            music = Music(leg, source, partial(self._refused, leg))
        except SipError:
            return  # the log has it: no port is free, no file there
        self._music[leg] = music
        music.start()

    def _refused(self, leg: Leg, status: int) -> None:
        if leg in self._music:
            self._music[leg] = None

    def _stop(self, leg: Leg) -> None:
        music = self._music.pop(leg, None)
        if music is not None:
            music.stop()
