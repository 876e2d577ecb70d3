"""The Privacy header (RFC 3323 §4.2, RFC 3325 §9.3)."""

from __future__ import annotations

from b2bua.sip.message import Message


def privacy_levels(message: Message) -> frozenset[str]:
    """The levels of privacy that a message asks for, in small letters; empty for `none`, which forbids any change (RFC 3323
    §5)."""
    if "Privacy" not in message.names:
        return frozenset()
    levels = frozenset(part.strip().lower() for value in message.get_all("Privacy") for part in value.split(";")) - {""}
    return frozenset() if "none" in levels else levels
