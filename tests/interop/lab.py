"""The bench of one test: phones around a server, each test with users that no other test of the module has."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.interop.script import Caller, Script
from tests.interop.server import Server, free_port
from tests.interop.sipp import Phone, Sipp


class Lab:
    """Makes phones and runs SIPp for them; `close` ends what still runs."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self._runs: list[Sipp] = []

    def phone(self, user: str = "", transport: str = "udp", host: str = "") -> Phone:
        """A phone of the next user, or of this one; not registered."""
        name = user or self.server.next_user()
        host = host or self.server.host
        port = free_port(host, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
        return Phone(name, self.server.users[name], host, port, transport=transport)

    def phones(self, count: int, transport: str = "udp", host: str = "") -> list[Phone]:
        """That many registered phones (REGISTER, 401, REGISTER, 200 of SIPp each)."""
        made = [self.phone("", transport, host) for _ in range(count)]
        self.register(*made)
        return made

    def register(self, *phones: Phone) -> None:
        runs = [self.start(Caller().register(), phone) for phone in phones]
        for run in runs:
            run.finish()

    def start(self, script: Script, *phones: Phone, calls: int = 1, rate: float = 10.0) -> Sipp:
        """A scenario at the first phone's address; with several phones each call takes the next one's user."""
        directory = self.directory / f"{len(self._runs)}-{phones[0].user}"
        # The server listens at one port, and on the phone's own loopback address where that is another.
        host = phones[0].host
        server = f"[{host}]:{self.server.port}" if ":" in host else self.server.address
        run = Sipp(directory, server, script, list(phones), calls, rate)
        self._runs.append(run)
        return run

    def call(self, caller: Phone, caller_script: Script, callee: Phone, callee_script: Script) -> tuple[Sipp, Sipp]:
        """Both sides of one call, to their ends; SippError when either went otherwise than its ladder."""
        far = self.start(callee_script, callee)
        near = self.start(caller_script, caller)
        near.finish()
        far.finish()
        return near, far

    def close(self) -> None:
        for run in self._runs:
            run.stop()

    def story(self) -> str:
        """What every phone saw, and the end of the server's log without our own questions."""
        log = [line for line in self.server.log_text().splitlines() if "http request" not in line]
        return "\n".join([run.said() for run in self._runs] + log[-40:])
