"""Passwords of console users: scrypt (RFC 7914) by passlib. Hashing takes tens of milliseconds, so never on the reactor."""

from __future__ import annotations

from typing import Final

from passlib.hash import scrypt

ROUNDS: Final = 14
"""Logarithm of scrypt's cost: 16 MiB, some 50 ms."""
SHORTEST: Final = 8
LONGEST: Final = 1024
"""Characters of a password."""
_NOBODY: Final = "$scrypt$ln=14,r=8,p=1$cY7xnvP+f6/VOse41zpHaA$nSHXzQwimu5ctiGHhvu9tNk8MHqiuJPmxWtFg1KtwuU"
"""The hash for a user that does not exist: checking takes as long as for one that does, and no result counts."""


def hashed(password: str) -> str:
    """A new hash with a salt of its own; ValueError for a password that is none."""
    if len(password) < SHORTEST:
        raise ValueError(f"the password is too short: {SHORTEST} characters at least")
    if len(password) > LONGEST or "\0" in password:
        raise ValueError(f"no password: {LONGEST} characters at most, and no NUL among them")
    return str(scrypt.using(rounds=ROUNDS).hash(password))


def is_right(password: str, known: str | None) -> bool:
    """Whether the password belongs to this hash; never for None, nor for a hash that cannot be read."""
    try:
        right = bool(scrypt.verify(password, known or _NOBODY))
    except (ValueError, TypeError):
        return False
    return right and known is not None
