"""The hash algorithms of digest authentication: MD5, SHA-256, SHA-512-256 (RFC 7616 §3.3, §6.1; RFC 8760 §2.1).

SHA-512-256 is SHA-512/256 of FIPS 180-4, with initial values of its own. The example of RFC 7616 §3.9.2 was computed with
a SHA-512 cut short; that is another function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Final

Hash = Callable[[str], str]
"""Text → small hex digits. Undecodable bytes of a message, which stand as surrogates, are hashed as they came."""

MD5: Final = "MD5"
SHA_256: Final = "SHA-256"
SHA_512_256: Final = "SHA-512-256"

STRENGTH: Final = (SHA_512_256, SHA_256, MD5)
"""All known algorithms, the strongest first: the order of the challenges (RFC 8760 §2.3)."""


def hash_md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def hash_sha_256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def hash_sha_512_256(text: str) -> str:
    """ValueError where `missing` names it: it comes from OpenSSL, not from Python itself."""
    return hashlib.new("sha512_256", text.encode("utf-8", "surrogateescape")).hexdigest()


HASHES: Final = MappingProxyType({MD5: hash_md5, SHA_256: hash_sha_256, SHA_512_256: hash_sha_512_256})
DIGITS: Final = MappingProxyType({MD5: 32, SHA_256: 64, SHA_512_256: 64})
"""Hex digits of a hash (RFC 8760 §2.2)."""


SESSION: Final = "-sess"
"""Behind an algorithm's name: its key is made of the first nonce and cnonce, too (RFC 7616 §3.4.2)."""


def plain(algorithm: str) -> str:
    """The algorithm by which H(A1) is stored: without `-sess`."""
    return algorithm[: -len(SESSION)] if algorithm[-len(SESSION) :] == SESSION else algorithm


def by_strength(names: Iterable[str]) -> tuple[str, ...]:
    """Each of these algorithms once, the strongest first."""
    wanted = set(names)
    return tuple(name for name in STRENGTH if name in wanted)


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Those of these algorithms that this Python's OpenSSL cannot compute."""
    found = []
    for name in names:
        try:
            HASHES[name]("")
        except ValueError:
            found.append(name)
    return tuple(found)
