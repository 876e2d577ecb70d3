"""The console's sessions: who has logged in, until he logs out, 12 hours have passed, or his account is changed or removed.

In memory alone: after a restart of the server everybody logs in again, and nothing that was stolen from a disk opens anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from b2bua.http.grants import Answering, Grant
from b2bua.http.routes import Role

LIFE_SECONDS: Final = 12 * 3600.0
MAX_SESSIONS: Final = 100
"""Open at a time; one more ends the oldest."""


class _Session(NamedTuple):
    grant: Grant
    ends_at: float


class Sessions:
    """`now` gives monotonic seconds, `make` a random text that nobody guesses; only its hash is kept."""

    def __init__(self, now: Callable[[], float], make: Callable[[], str]) -> None:
        self._now = now
        self._make = make
        self._open: OrderedDict[bytes, _Session] = OrderedDict()
        """By the hash of its secret; the one that ends first stands first, as all live equally long."""

    def __len__(self) -> int:
        self.end_what_is_over()
        return len(self._open)

    def open(self, name: str, role: Role) -> str:
        """A new session; its secret, which the browser sends back."""
        self.end_what_is_over()
        if len(self._open) >= MAX_SESSIONS:
            self._end(next(iter(self._open)))
        secret = self._make()
        self._open[_hash(secret)] = _Session(Grant(name, role), self._now() + LIFE_SECONDS)
        return secret

    def find(self, secret: str) -> Grant | None:
        """Whose session this is; None for one that has ended or never was."""
        self.end_what_is_over()
        found = self._open.get(_hash(secret))
        return None if found is None else found.grant

    def close(self, secret: str, but: Answering | None = None) -> None:
        """Logged out; `but` is the request that says so."""
        if (key := _hash(secret)) in self._open:
            self._end(key, but)

    def close_of(self, name: str) -> None:
        """All sessions of one account."""
        for key in [key for key, session in self._open.items() if session.grant.name == name]:
            self._end(key)

    def end_what_is_over(self) -> None:
        """Called with every look, and once in a while for live views that nobody looks at."""
        now = self._now()
        while self._open:
            key = next(iter(self._open))
            if self._open[key].ends_at > now:
                return
            self._end(key)

    def _end(self, key: bytes, but: Answering | None = None) -> None:
        self._open.pop(key).grant.end(but)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
