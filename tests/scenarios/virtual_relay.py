"""rtpengine without a process: puts an address of its own into descriptions, and remembers what it was asked."""

from __future__ import annotations

import re
from collections.abc import Callable

from b2bua.transaction.timers import Timers

ADDRESS, AGAIN = "198.51.100.7", "198.51.100.8"
"""Whose ports it gives; after a restart others."""


class VirtualRelay:
    """`asked`: each command with the tags and protocol, in order, such as `offer a → b RTP/AVP`."""

    def __init__(self, timers: Timers, needed: bool) -> None:
        self.needed = needed
        self.up = True
        self.address = ADDRESS
        self.seconds = 0.0
        """How long it thinks."""
        self.about = ""
        """What about; "" is everything."""
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        """The descriptions that came, in order."""
        self.calls: set[str] = set()
        """That it has ports for."""
        self._timers = timers

    def offer(
        self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Callable[[bytes | None], None]
    ) -> None:
        if self.up:
            self.calls.add(call)
        self._answer(f"offer {offerer} → {answerer} {protocol}", body, protocol, done)

    def answer(
        self, call: str, offerer: str, answerer: str, body: bytes, protocol: str, done: Callable[[bytes | None], None]
    ) -> None:
        self._answer(f"answer {answerer} → {offerer} {protocol}", body, protocol, done)

    def knows(self, call: str, done: Callable[[bool | None], None]) -> None:
        done(call in self.calls if self.up else None)

    def restart(self) -> None:
        """It is another, at other ports, and has no call."""
        self.calls.clear()
        self.address = AGAIN

    def forget(self, call: str) -> None:
        self.calls.discard(call)

    def _answer(self, what: str, body: bytes, protocol: str, done: Callable[[bytes | None], None]) -> None:
        self.asked.append(what)
        self.bodies.append(body)
        changed = re.sub(rb"IN IP4 [0-9.]+(?=\r\nt=)", b"IN IP4 " + self.address.encode(), body)
        changed = re.sub(rb"(?m)^(m=audio [0-9]+) \S+", rb"\1 " + protocol.encode(), changed)
        result = changed if self.up else None
        if self.seconds and self.about in what:
            self._timers.start(self.seconds, lambda: done(result))
        else:
            done(result)
