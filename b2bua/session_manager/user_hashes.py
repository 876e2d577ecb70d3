"""Who hides behind a hashed user name (RFC 7616 §3.4.4): an index by hash, made anew when a hash is not in it.

Not at every such question: whoever sends made-up hashes would have us hash all names each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from b2bua.sip.digest_algorithms import DIGITS, HASHES

REBUILD_SECONDS: Final = 1.0
"""How soon a user that was added is found: as soon as the store itself finds it."""


class UserHashes:
    """`names` gives the user names of a realm, `now` seconds of a clock that never goes back."""

    def __init__(self, realm: str, names: Callable[[], Iterable[str]], now: Callable[[], float]) -> None:
        self._realm = realm
        self._names = names
        self._now = now
        self._index: dict[str, dict[str, str]] = {}
        """Algorithm → H(name:realm) in small hex digits → name."""
        self._made: dict[str, float] = {}

    def name_of(self, hashed: str, algorithm: str) -> str:
        """The user whose name has this hash, "" for nobody. `algorithm` is one of `HASHES`."""
        text = hashed.lower()
        if len(text) != DIGITS[algorithm]:
            return ""
        found = self._index.get(algorithm, {}).get(text)
        if found is None and self._now() >= self._made.get(algorithm, 0.0) + REBUILD_SECONDS:
            self._made[algorithm] = self._now()
            hash_of, realm = HASHES[algorithm], self._realm
            self._index[algorithm] = {hash_of(f"{name}:{realm}"): name for name in self._names()}
            found = self._index[algorithm].get(text)
        return found or ""
