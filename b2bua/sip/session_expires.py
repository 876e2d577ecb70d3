"""Session-Expires (RFC 4028 §4): how long a session lives without a refresh, and which side of the transaction refreshes it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message
from b2bua.sip.uri import CACHED_LENGTH

UAC: Final = "uac"
UAS: Final = "uas"
_LONGEST: Final = 2**32 - 1
"""Of a delta-seconds (RFC 3261 §25.1 leaves it open; 136 years do)."""


class SessionExpires(NamedTuple):
    """`Session-Expires = delta-seconds *( SEMI ( "refresher" EQUAL ("uas" / "uac") / generic-param ) )`."""

    seconds: int
    refresher: str = ""
    """`uac` or `uas` of the transaction that carries it; "" where the header leaves it open."""

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


def session_expires(message: Message) -> SessionExpires | None:
    """The Session-Expires of a message, None when it has none; MalformedValue (400) when it is none that can be read."""
    value = message.get("Session-Expires") if "Session-Expires" in message.names else None
    if value is None:
        return None
    return _read(value) if len(value) <= CACHED_LENGTH else _read.__wrapped__(value)


@lru_cache(maxsize=256)
def _read(value: str) -> SessionExpires:
    digits, *parameters = value.split(";")
    digits = digits.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 40):
        raise MalformedValue("Session-Expires")
    refresher = ""
    for parameter in parameters:
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "refresher":
            refresher = given.strip().lower()
            if refresher not in (UAC, UAS):
                raise MalformedValue("Session-Expires")
    return SessionExpires(min(int(digits), _LONGEST), refresher)
