"""The one secret of a server that outlives the process: the keys of what phones hold of ours are derived from it.

It opens what is in dialog (session_manager/tokens.py), so it must be the same after a restart. The nonces' key must not: their
use is remembered in memory alone, and one of an earlier start may have been used (session_manager/nonces.py).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from math import inf
from typing import Final

from b2bua.store.interface import Records

SECRET: Final = "secret"
_KEY: Final = "server"
_BYTES: Final = 32


def stored_secret(records: Records, make: Callable[[int], bytes]) -> bytes:
    """The secret as the store has it; made by `make(bytes)` and kept where there is none, or none that can be used."""
    for key, text in records.records(SECRET):
        if key != _KEY:
            continue
        try:
            known = bytes.fromhex(text)
        except ValueError:
            known = b""
        if len(known) == _BYTES:
            return known
        records.set_aside(SECRET, key, "no secret of ours")
    made = make(_BYTES)
    records.keep(SECRET, _KEY, made.hex(), inf)
    return made


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, of at most 16 characters."""
    return blake2b(key=secret, person=purpose.encode(), digest_size=32).digest()
