"""SIPp's part of a soak: hold calls between two of its phones, one round after the other, on a network that loses nothing, by
UDP or by TCP."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Final

from tests.interop.script import Callee, Caller
from tests.interop.server import free_port
from tests.interop.sipp import Phone, Sipp

ROUND: Final = 10
"""Calls a round."""


class SippCalls:
    """Runs in a thread of its own; `calls` and `failed` are read afterwards."""

    def __init__(self, folder: Path, server: str, host: str, users: dict[str, str], transport: str = "udp") -> None:
        self.calls = self.failed = 0
        self.transport = transport
        self._folder = folder / f"sipp-{transport}"
        self._server = server
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self._phones = [
            Phone(name, password, host, free_port(host, kind), transport=transport) for name, password in users.items()
        ]
        self._runs = 0

    def run(self, seconds: float) -> None:
        """Rounds of calls for so long; SippError for the first that fails."""
        ends_at = time.monotonic() + seconds
        caller, callee = self._phones
        for phone in self._phones:
            self._start(Caller().register(), phone, 1).finish()
        try:
            while time.monotonic() < ends_at:
                held = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
                holder = Caller(callee.user).dial().reinvite("sendonly").pause(100).reinvite("sendrecv").bye()
                far, near = self._start(held, callee, ROUND), self._start(holder, caller, ROUND)
                for run in (near, far):
                    self.failed += run.finish().failed
                self.calls += ROUND
        finally:
            for phone in self._phones:
                self._start(Caller().register(expires=0), phone, 1).finish()

    def _start(self, script: Caller | Callee, phone: Phone, calls: int) -> Sipp:
        self._runs += 1
        return Sipp(self._folder / str(self._runs), self._server, script, [phone], calls, rate=5)
