"""rtpengine at the other end of a UDP socket: asks it, asks again, and knows whether it is there.

It is asked for a sign of life all the time. While it gives none, whoever wants something of it hears so at once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.protocol import DatagramProtocol

from b2bua.media import ng_protocol
from b2bua.media.bencode import MalformedBencode
from b2bua.media.ng_protocol import Answer, Fields

WAITS: Final = (0.2, 0.4, 0.8)
"""Seconds until the next try, and behind the last one until it counts as gone."""
LOOK: Final = 2.0
"""Seconds between two pings."""

Done = Callable[[bytes | None], None]
"""Called once with the description, or None where there is none to be had."""


class _Asked:
    """One request under way."""

    def __init__(self, data: bytes, done: Callable[[Answer | None], None]) -> None:
        self.data = data
        self.done = done
        self.tries = 0
        self.timer: Any = None


class Rtpengine(DatagramProtocol):
    """Implements `MediaRelay` of feature_server/contract.py. `start` opens its socket, `stop` closes it."""

    def __init__(
        self, reactor: Any, address: tuple[str, int], needed: bool, deliver: Callable[..., object], log: Callable[..., object]
    ) -> None:
        """`needed`: see `MediaRelay.needed`. `deliver(function, argument)` calls what an answer is for; `log`: log/events.py."""
        self.up = False
        self.needed = needed
        self._reactor = reactor
        self._address = address
        self._deliver = deliver
        self._log = log
        self._port: Any = None
        self._look: Any = None
        self._asked: dict[bytes, _Asked] = {}
        self._prefix = secrets.token_hex(4).encode()
        self._number = 0
        self._told = False

    def start(self) -> None:
        """Look whether it is there, from now on."""
        loopback = self._address[0] if self._address[0].startswith("127.") or self._address[0] == "::1" else ""
        interface = loopback or ("::" if ":" in self._address[0] else "0.0.0.0")
        self._port = self._reactor.listenUDP(0, self, interface=interface)
        self._ping()

    def stop(self) -> None:
        """Ask nothing any more, and answer nobody. May be called twice, and before `start`."""
        for timer in (self._look, *(asked.timer for asked in self._asked.values())):
            if timer is not None and timer.active():
                timer.cancel()
        self._asked.clear()
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    # -- what features ask -------------------------------------------------------------------------------------

    def offer(self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Done) -> None:
        """See `MediaRelay.offer`."""
        self._describe(ng_protocol.offer(call, offerer, answerer, body, protocol), done)

    def answer(self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Done) -> None:
        """See `MediaRelay.answer`."""
        self._describe(ng_protocol.answer(call, offerer, answerer, body, protocol), done)

    def knows(self, call: str, done: Callable[[bool | None], None]) -> None:
        """See `MediaRelay.knows`."""

        def answered(answer: Answer | None) -> None:
            done(None if answer is None else answer.ok or answer.reason != ng_protocol.UNKNOWN)

        if self.up:
            self._ask(ng_protocol.query(call), answered)
        else:
            done(None)

    def forget(self, call: str) -> None:
        """See `MediaRelay.forget`."""
        if self.up:
            self._ask(ng_protocol.delete(call), lambda answer: None)

    def _describe(self, fields: Fields, done: Done) -> None:
        if not self.up:
            done(None)
            return

        def answered(answer: Answer | None) -> None:
            if answer is not None and not answer.ok:
                self._log("rtpengine_refuses", command=fields["command"], call=fields["call-id"], reason=answer.reason)
            done(answer.body if answer is not None and answer.ok and answer.body else None)

        self._ask(fields, answered)

    # -- the wire ----------------------------------------------------------------------------------------------

    def _ask(self, fields: Fields, done: Callable[[Answer | None], None]) -> None:
        self._number += 1
        cookie = b"%s_%d" % (self._prefix, self._number)
        asked = self._asked[cookie] = _Asked(ng_protocol.datagram(cookie, fields), done)
        self._try(cookie, asked)

    def _try(self, cookie: bytes, asked: _Asked) -> None:
        if self._port is None:
            return
        if asked.tries == len(WAITS):
            del self._asked[cookie]
            self._gone()
            self._deliver(asked.done, None)
            return
        try:
            self._port.write(asked.data, self._address)
        except OSError as error:  # no route, or too long for a datagram: as if nobody answered
            self._log("rtpengine_unreachable", reason=error.strerror or str(error))
        asked.timer = self._reactor.callLater(WAITS[asked.tries], self._try, cookie, asked)
        asked.tries += 1

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if addr[:2] != self._address:
            return
        try:
            answer = ng_protocol.read_answer(datagram)
        except MalformedBencode as error:
            self._log("rtpengine_unreadable", reason=str(error))
            return
        asked = self._asked.pop(answer.cookie, None)
        if asked is not None:
            asked.timer.cancel()
            self._deliver(asked.done, answer)

    # -- whether it is there -----------------------------------------------------------------------------------

    def _ping(self) -> None:
        self._ask(ng_protocol.ping(), self._pinged)

    def _pinged(self, answer: Answer | None) -> None:
        if answer is not None and not self.up:
            self.up = self._told = True
            self._log("rtpengine_found")
        self._look = self._reactor.callLater(LOOK, self._ping)

    def _gone(self) -> None:
        if self.up or not self._told:
            self.up, self._told = False, True
            self._log("rtpengine_lost")
