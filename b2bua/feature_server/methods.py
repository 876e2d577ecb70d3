"""What a call of Communication Manager takes from its parties, whatever features there are."""

from __future__ import annotations

from typing import Final

ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE, PRACK, UPDATE"
NO_REFER_SUB: Final = "norefersub"
"""The option tag of a REFER without a subscription (RFC 4488 §4)."""
