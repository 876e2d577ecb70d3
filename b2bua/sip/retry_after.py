"""Retry-After: how long whoever refuses wants to be left alone (RFC 3261 §20.33)."""

from __future__ import annotations

from typing import Final

from b2bua.sip.message import Message

_NAME: Final = "Retry-After"


def retry_after(message: Message) -> int | None:
    """The seconds, whose comment and parameters stand behind them; None where there are none that can be read."""
    if _NAME not in message.names:
        return None
    digits = (message.get(_NAME) or "").partition(";")[0].partition("(")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
