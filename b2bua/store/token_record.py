"""The record of a token for the API: what a program shows in place of a log-in."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

import msgspec

TOKEN: Final = "token"
"""The kind of these records; their key is the name."""
TOKEN_VERSION: Final = 1


class TokenRecord(msgspec.Struct, frozen=True):
    """One token. It is 256 random bits, so a plain hash tells nobody anything of it."""

    name: str
    role: Literal["read-only", "operator"]
    hash: str
    """SHA-256 of the token, in hex."""
    version: int = TOKEN_VERSION


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
