"""The one dialog a subscription is restricted to: parameters of `Event: dialog` (RFC 4235 §3.2)."""

from __future__ import annotations

from typing import NamedTuple

from b2bua.sip.address import split_parameters
from b2bua.sip.errors import MalformedValue


class WatchedDialog(NamedTuple):
    """By the tags as the watched party has them."""

    call_id: str
    local_tag: str
    remote_tag: str = ""
    """Empty: every dialog of that INVITE."""

    def has(self, key: tuple[str, str, str]) -> bool:
        """Whether a dialog of this Call-ID, local and remote tag is meant."""
        return key[:2] == self[:2] and self.remote_tag in ("", key[2])


def parse_watched_dialog(event: str) -> WatchedDialog | None:
    """Out of the value of Event; None where it names no dialog. MalformedValue (400) for half of one: Call-ID and To tag, which
    is the local one, go together, a From tag stands with both only."""
    _, semicolon, rest = event.partition(";")
    if not semicolon:
        return None
    found: dict[str, str] = {}
    for name, value in split_parameters(rest):
        if name in ("call-id", "to-tag", "from-tag"):
            if not value or name in found:
                raise MalformedValue("Event")
            found[name] = value
    if not found:
        return None
    if "call-id" not in found or "to-tag" not in found:
        raise MalformedValue("Event")
    return WatchedDialog(found["call-id"], found["to-tag"], found.get("from-tag", ""))
