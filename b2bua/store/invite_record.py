"""The record of an INVITE that has no final answer yet: what it takes to answer it, go on with it or cancel it."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from b2bua.store.records import BadRecord

RECEIVED: Final = "open_invite"
"""The kind of INVITEs of phones, on their way to a feature server."""
SENT: Final = "sent_invite"
"""The kind of INVITEs that make a phone ring; their key is the branch of our Via."""
INVITE_VERSION: Final = 1


class InviteRecord(msgspec.Struct, frozen=True):
    """One INVITE and its flow."""

    request: bytes
    """As on the wire, less credentials of our realm; a sent one without our Via and without its body."""
    transport: str
    listener: str
    host: str
    port: int
    owner: str = ""
    """The user that authenticated."""
    since: float = 0.0
    """Unix seconds at which it was recorded first; 0 in records of before this was kept."""
    answers: list[bytes] = []
    """The 2xx that we have acknowledged, or are about to, of a phone that must get BYE."""
    version: int = INVITE_VERSION


def encode_invite(record: InviteRecord) -> str:
    return msgspec.json.encode(record).decode()


def decode_invite(text: str) -> InviteRecord:
    """The inverse of `encode_invite`; BadRecord for anything else, an unknown version included."""
    try:
        values = json.loads(text)
        version = values.get("version") if isinstance(values, dict) else None
        if version != INVITE_VERSION:
            raise BadRecord(f"version {version!r}, not {INVITE_VERSION}")
        return msgspec.convert(values, InviteRecord)
    except (ValueError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise BadRecord(str(error)) from None
