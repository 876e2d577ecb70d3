"""The record of a user of the web console: who may log in, and in which role."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

CONSOLE_USER: Final = "console user"
"""The kind of these records; their key is the name."""
CONSOLE_USER_VERSION: Final = 1


class ConsoleUserRecord(msgspec.Struct, frozen=True):
    """One account. It has nothing to do with a user of the SIP domain."""

    name: str
    role: Literal["read-only", "operator"]
    hash: str
    """Of the password, as passlib writes it."""
    version: int = CONSOLE_USER_VERSION
