"""The record of a mailbox: what was set of the messages that wait for a user."""

from __future__ import annotations

from typing import Final

import msgspec

MAILBOX: Final = "mailbox"
"""The kind of these records; their key is the user."""
MAILBOX_VERSION: Final = 1


class MailboxRecord(msgspec.Struct, frozen=True):
    """How many voice messages a user has."""

    user: str
    new: int
    old: int
    version: int = MAILBOX_VERSION
