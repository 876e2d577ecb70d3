"""Branches, tags, Call-IDs and other names that must not repeat: a counter behind a random prefix.

The prefix (64 bits or more, handed in) makes them unique over space, time and restarts (RFC 3261 §8.1.1.7, §19.3); the
counter is cheap. Nothing here is a secret: what proves something is signed under a key (session_manager/tokens.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from b2bua.sip.loop_mark import loop_mark
from b2bua.sip.via import MAGIC_COOKIE


class Identifiers:
    """Makes identifiers for one element. Not thread-safe: one event loop owns it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._branch = f"{MAGIC_COOKIE}{prefix}"
        self._key = prefix.encode()[:64]
        self._counter: Iterator[int] = count(1)

    def branch(self) -> str:
        return f"{self._branch}{next(self._counter)}"

    def loop_mark(self, *values: str) -> str:
        """What to put behind a branch so that this element knows the request again. The prefix is key enough: it is no other
        element's, and whoever copies it out of a Via stops nothing but its own request."""
        return loop_mark(self._key, *values)

    def tag(self) -> str:
        return f"{next(self._counter)}{self._prefix}"

    def call_id(self) -> str:
        return f"{self._prefix}-{next(self._counter)}"

    def number(self) -> int:
        """A number that this element has not given out before: o= session ids, entity tags."""
        return next(self._counter)
