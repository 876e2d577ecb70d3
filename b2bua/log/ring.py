"""The newest entries of the log, for the console and `b2bua logs`: bounded by number, each bounded by the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from b2bua.log.events import AREAS, LEVELS
from b2bua.log.line import Entry

KEPT: Final = 2000
"""Entries that are kept: an hour of a lab, a minute of a bad day."""
SHOWN: Final = 500
"""Of those at most so many are given at once."""


class Ring:
    """Kept on the reactor's thread. Entries are numbered from 1 on, so that a reader goes on where it was."""

    def __init__(self, most: int = KEPT) -> None:
        self.number = 0
        """That of the newest; 0 before the first."""
        self._entries: deque[Entry] = deque(maxlen=most)
        self._listeners: list[Callable[[], None]] = []

    def keep(self, entry: Entry) -> None:
        self.number += 1
        self._entries.append({"number": self.number, **entry})
        for heard in tuple(self._listeners):
            heard()

    def listen(self, heard: Callable[[], None]) -> None:
        """`heard()` from now on for each entry."""
        self._listeners.append(heard)

    def leave(self, heard: Callable[[], None]) -> None:
        self._listeners.remove(heard)

    def find(self, wanted: Mapping[str, str]) -> list[Entry]:
        """What matches, the oldest first, the newest `SHOWN` of it. `wanted`: `area`, `level` (and above), `call`, `user`,
        `peer`, `event`, `text` (anywhere), `after` (a number). ValueError for a level, area or number that is none."""
        after, least = wanted.get("after", "0"), wanted.get("level", LEVELS[0])
        if not after.isdecimal():
            raise ValueError(f"after={after}: a number is wanted")
        if (area := wanted.get("area", "")) and area not in AREAS:
            raise ValueError(f"area={area}: none of {', '.join(AREAS)}")
        if least not in LEVELS:
            raise ValueError(f"level={least}: none of {', '.join(LEVELS)}")
        found = (entry for entry in self._newer(int(after)) if _fits(entry, wanted, LEVELS.index(least)))
        return list(islice(found, SHOWN))[::-1]

    def _newer(self, after: int) -> Iterator[Entry]:
        """From the newest down."""
        for entry in reversed(self._entries):
            number = entry["number"]
            if not isinstance(number, int) or number <= after:
                return
            yield entry


def _fits(entry: Entry, wanted: Mapping[str, str], least: int) -> bool:
    if LEVELS.index(str(entry["level"])) < least:
        return False
    if any(wanted.get(name) and str(entry.get(name, "")) != wanted[name] for name in ("area", "event")):
        return False
    if (user := wanted.get("user")) and not any(_is_user(str(entry.get(name, "")), user) for name in ("user", "callee")):
        return False
    if (peer := wanted.get("peer")) and not str(entry.get("peer", "")).startswith(peer):
        return False
    if (call := wanted.get("call")) and entry.get("call") != call:
        return False
    text = wanted.get("text", "").lower()
    return not text or any(text in str(value).lower() for name, value in entry.items() if name not in ("number", "time"))


def _is_user(party: str, user: str) -> bool:
    """By name, or as a call has its parties: by URI."""
    return party == user or party.removeprefix("sip:").partition("@")[0] == user
