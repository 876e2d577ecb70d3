"""What the next callee reads of those before: Diversion (RFC 5806) and History-Info (RFC 7044) of an INVITE sent elsewhere.

Nothing is added to a call that goes where its caller sent it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request
from b2bua.sip.privacy import privacy_levels

UNCONDITIONAL: Final = 181
"""Nobody was asked."""
DEFLECTED: Final = 302
BUSY: Final = 486
NO_ANSWER: Final = 408
UNREACHABLE: Final = 480
"""Why a call goes elsewhere: mostly the status that the callee sent."""

_REASONS: Final = {
    UNCONDITIONAL: "unconditional", DEFLECTED: "deflection", BUSY: "user-busy", NO_ANSWER: "no-answer",
    UNREACHABLE: "unavailable",
}  # fmt: skip
_INDEX: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
"""`index-val = number *( DOT number )` (RFC 7044 §5)."""
_HIDDEN: Final = frozenset(("header", "session", "history"))
"""Levels of Privacy that let nobody read where a call has been (RFC 7044 §10.1.1)."""


class Attempt(NamedTuple):
    """One callee that the call was for."""

    uri: str
    number: int
    """In the order in which they were made, from 1."""
    parent: int
    """Whose place it took: the number of that attempt, 0 for the callee that the caller called."""
    cause: int = 0
    """Why the call went on from there; 0 while it has not."""


def add_history(invite: Request, called: str, tried: Sequence[Attempt], now: Attempt) -> None:
    """Give an INVITE for `now` the headers that tell of `tried`, each with its cause; `called` is the Request-URI as it came.
    `invite` has what the caller's had of these headers."""
    if not _HIDDEN.isdisjoint(privacy_levels(invite)):
        return
    for attempt in tried:
        counted = f"<{attempt.uri}>;reason={_REASONS.get(attempt.cause, 'unknown')};counter=1"
        invite.insert_before("Diversion", counted)  # the newest is the topmost (RFC 5806 §9.2.3)
    entries = _entries_of(invite)
    root = _index_of(entries[-1]) if entries else ""
    if not root:
        root = "1"
        entries = [*entries, f"<{called}>;index={root}"]
    for attempt in (*tried, now):
        entries.append(_entry(attempt, root))
    invite.remove("History-Info")
    invite.append("History-Info", ", ".join(entries))


def _entry(attempt: Attempt, root: str) -> str:
    uri = attempt.uri
    # It has been there, and was answered so (RFC 7044 §10.2); only a SIP URI has headers.
    if attempt.cause and attempt.cause != UNCONDITIONAL and uri.startswith(("sip:", "sips:")):
        headers = "?" in uri.rpartition("@")[2]  # in the user part it may stand for itself
        uri += ("&" if headers else "?") + "Reason=" + quote(f"SIP;cause={attempt.cause}", safe="")
    if attempt.number == 1:
        return f"<{uri}>;index={root}.1;np={root}"
    parent = f"{root}.{attempt.parent}" if attempt.parent else root
    return f"<{uri}>;index={root}.{attempt.number};mp={parent}"


def _entries_of(invite: Request) -> list[str]:
    """Those that the call came with; none where they cannot be told apart: nothing could stand behind them then."""
    try:
        return invite.elements("History-Info")
    except MalformedValue:
        return []


def _index_of(entry: str) -> str:
    """The hi-index of an entry, "" where it has none that can be read."""
    try:
        index = parse_address(entry).parameter("index") or ""
    except MalformedValue:
        return ""
    return index if _INDEX.fullmatch(index) else ""
