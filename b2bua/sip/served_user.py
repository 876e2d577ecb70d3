"""P-Served-User (RFC 5502 §4.2): on whose behalf, caller's or callee's, an application is invoked."""

from __future__ import annotations

from typing import Final

from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message

SERVED_USER: Final = "P-Served-User"


def served_user(uri: str, case: str) -> str:
    """The header's value; `case` is `orig` or `term`."""
    return f"<{uri}>;sescase={case}"


def who_is_served(message: Message) -> tuple[str, str]:
    """`orig` or `term`, and the address of record of the user; both "" where that is not said."""
    if SERVED_USER not in message.names:
        return "", ""
    try:
        address = parse_address(message.get(SERVED_USER) or "")
    except MalformedValue:
        return "", ""
    case = (address.parameter("sescase") or "").lower()
    return (case, address.uri) if case in ("orig", "term") else ("", "")
