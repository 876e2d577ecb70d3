"""P-Served-User: for which party of a call an application is passed, where it is passed for each (RFC 5502 §4.2)."""

from __future__ import annotations

from typing import Final

from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message

SERVED_USER: Final = "P-Served-User"


def served_user(uri: str, case: str) -> str:
    """The header's value; `case` is `orig` or `term`."""
    return f"<{uri}>;sescase={case}"


def session_case(message: Message) -> str:
    """`orig`, `term`, or "" where neither is said."""
    if SERVED_USER not in message.names:
        return ""
    try:
        case = (parse_address(message.get(SERVED_USER) or "").parameter("sescase") or "").lower()
    except MalformedValue:
        return ""
    return case if case in ("orig", "term") else ""
