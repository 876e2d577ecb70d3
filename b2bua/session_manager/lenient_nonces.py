"""Nonces of the `avaya` profile, as seen of Avaya's Session Manager: 11 hex digits of milliseconds since 1970, then 32 more.

Each challenge has a new one, and old ones stay good: a phone goes on with the nonce that it has and counts its nc on over
all of them. So no count is kept and a replay passes, which RFC 7616 §3.4 and §5.4 forbid: the deviation is the profile's. Like
those of nonces.py they are made without a table and read by key, but by one that outlives the process: a phone is never told
that its nonce is stale, and some would give up on a challenge that does not say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

LIFETIME: Final = 86_400.0
"""Seconds for which one is good. Seen: for as long as anybody looked; a day bounds what a stolen one is worth."""

OPAQUE: Final = "6c656e69656e7421"
"""The same in every challenge; what comes back of it is not looked at (RFC 7616 §3.3 wants it unchanged, no more)."""

_FORM: Final = re.compile(r"[0-9a-f]{43}")
_TIME: Final = 11
_SERIAL: Final = 12
_MAC: Final = 10
"""Bytes of the keyed hash behind the serial."""
_SERIALS: Final = 1 << 48


class LenientNonces:
    """Makes and reads them. `key`: 16 to 64 bytes, the same after a restart. `wall` gives seconds. `first`: a random number
    from which the serials go on, so that no two starts make the same nonce."""

    def __init__(self, key: bytes, wall: Callable[[], float], first: int = 0) -> None:
        self._wall = wall
        self._mac = blake2b(key=key, digest_size=_MAC, person=b"lenient")
        self._serial = first % _SERIALS

    def make(self) -> str:
        """A new nonce."""
        self._serial = (self._serial + 1) % _SERIALS
        head = f"{int(self._wall() * 1000) & 0xFFF_FFFF_FFFF:011x}{self._serial:012x}"
        return head + self._sign(head)

    def is_good(self, nonce: str) -> bool:
        """Whether it was made under our key, within the last day."""
        if not _FORM.fullmatch(nonce):
            return False
        head = nonce[: _TIME + _SERIAL]
        if not compare_digest(self._sign(head), nonce[_TIME + _SERIAL :]):
            return False
        return 0 <= int(self._wall() * 1000) - int(nonce[:_TIME], 16) <= LIFETIME * 1000

    def _sign(self, head: str) -> str:
        mac = self._mac.copy()
        mac.update(head.encode("ascii"))
        return mac.hexdigest()
