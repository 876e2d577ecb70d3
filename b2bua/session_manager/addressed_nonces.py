"""Nonces of the `asterisk` profile: the seconds since 1970, a slash and 32 hex digits, good for the address that they went to.

Asterisk makes them of the time, the address (without the port, which changes over TCP) and the realm: two challenges within one
second to one address have the same, and each is good for 32 s, for any method and call and with any `nc`. No count is kept, so
a replay passes, which RFC 7616 §3.4 and §5.4 forbid: the deviation is the profile's. They do not outlive the process: after a
restart they are stale, and the challenge says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from b2bua.sip.message import Request

LIFETIME: Final = 32
"""Seconds for which one is good: Asterisk's `nonce_lifetime` where nothing else is set."""

_FORM: Final = re.compile(r"([1-9][0-9]{0,11})/[0-9a-f]{32}")
_OPAQUE: Final = 8
"""Bytes."""


class AddressedNonces:
    """Makes and reads them. `key`: 16 to 64 bytes, of this process alone. `wall` gives seconds."""

    def __init__(self, key: bytes, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._mac = blake2b(key=key, digest_size=16, person=b"addressed")
        self._opaque = blake2b(key=key, digest_size=_OPAQUE, person=b"opaque")
        self._opaques = 0

    def make(self, request: Request) -> str:
        """That of this second for whoever sent this request."""
        return self._made(int(self._wall()), request)

    def opaque(self) -> str:
        """Another one with each challenge; what comes back of it is not looked at."""
        self._opaques += 1
        mac = self._opaque.copy()
        mac.update(str(self._opaques).encode("ascii"))
        return mac.hexdigest()

    def is_good(self, nonce: str, request: Request) -> bool:
        """Whether it was made under our key for whoever sent this request, and not long ago."""
        form = _FORM.fullmatch(nonce)
        if form is None or int(self._wall()) - int(form[1]) > LIFETIME:
            return False
        return compare_digest(self._made(int(form[1]), request), nonce)

    def _made(self, seconds: int, request: Request) -> str:
        mac = self._mac.copy()
        mac.update(f"{seconds}:{_address(request)}".encode("utf-8", "surrogateescape"))
        return f"{seconds}/{mac.hexdigest()}"


def _address(request: Request) -> str:
    """Where it came from: what the transaction layer wrote into its Via (RFC 3261 §18.2.1)."""
    via = request.top_via
    return (via.parameter("received") or via.host).strip("[]")
