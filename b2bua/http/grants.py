"""Who may do what for how long: a grant is what a log-in, a token or a place on this machine opens, until it ends."""

from __future__ import annotations

from typing import Protocol

from b2bua.http.routes import Role


class Answering(Protocol):
    """A request whose answer is under way, as twisted.web has it."""

    def loseConnection(self) -> None: ...


class Grant:
    """One who asks. Answers that are under way are known, so that live views end with the grant, too."""

    __slots__ = ("_under_way", "name", "role")

    def __init__(self, name: str, role: Role) -> None:
        self.name = name
        self.role = role
        self._under_way: set[Answering] = set()

    def began(self, request: Answering) -> None:
        """An answer begins."""
        self._under_way.add(request)

    def finished(self, request: Answering) -> None:
        """It has ended, one way or the other."""
        self._under_way.discard(request)

    def end(self, but: Answering | None = None) -> None:
        """No more for this one: whatever still runs is cut off, all but the request that asked for it."""
        for request in [one for one in self._under_way if one is not but]:
            request.loseConnection()
