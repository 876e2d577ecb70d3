"""PJSIP and baresip phones for the tests of one module, made when first needed; one that died is made anew."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.interop.baresip import Baresip
from tests.interop.pjsip import Pjsip
from tests.interop.server import Server

STANDING: list[Phones] = []
"""All that have phones now."""


class Phones:
    """One registered phone of each program, transport and timer. `stack` ends them."""

    def __init__(self, server: Server, directory: Path, host: str, stack: ExitStack) -> None:
        self.server = server
        self._directory = directory
        self._host = host
        self._all: list[Pjsip | Baresip] = []
        stack.callback(self._close)
        STANDING.append(self)
        self._pjsip: dict[tuple[str, int], Pjsip] = {}
        self._baresip: dict[str, Baresip] = {}
        self._twins: tuple[Pjsip, Baresip] | None = None

    def pjsip(self, transport: str, timer: int = 0) -> Pjsip:
        found = self._pjsip.get((transport, timer))
        if found is None or found.process.poll() is not None:
            found = self._pjsip[transport, timer] = self.new_pjsip(transport, timer)
        return found

    def baresip(self, transport: str) -> Baresip:
        found = self._baresip.get(transport)
        if found is None or found.process.poll() is not None:
            found = self._baresip[transport] = self.new_baresip(transport)
        return found

    def twins(self) -> tuple[Pjsip, Baresip]:
        """Two phones of one user."""
        if self._twins is None:
            user = self.server.next_user()
            self._twins = self.new_pjsip("tcp", user=user), self.new_baresip("udp", user)
        return self._twins

    def new_pjsip(self, transport: str, timer: int = 0, user: str = "", reliable: str = "none") -> Pjsip:
        """One that no other test uses, by default of a user of its own."""
        user = user or self.server.next_user()
        folder = self._directory / f"pjsip-{transport}-{user}"
        phone = Pjsip(folder, self.server.address, user, self.server.users[user], self._host, transport, timer, reliable)
        self._all.append(phone)
        phone.registered()
        return phone

    def new_baresip(self, transport: str, user: str = "") -> Baresip:
        user = user or self.server.next_user()
        folder = self._directory / f"baresip-{transport}-{user}"
        phone = Baresip(folder, self.server.address, user, self.server.users[user], self._host, transport)
        self._all.append(phone)
        phone.registered()
        return phone

    def clear(self) -> None:
        """End what calls they have; a phone that cannot is ended itself."""
        for phone in self._all:
            if phone.process.poll() is None:
                try:
                    phone.clear()
                except (AssertionError, OSError):
                    phone.close()

    def _close(self) -> None:
        """All say goodbye at once: each takes a second for it."""
        STANDING.remove(self)
        for phone in self._all:
            phone.leave()
        for phone in self._all:
            phone.close()
