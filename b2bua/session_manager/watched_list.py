"""What a subscription to a list remembers of the resources that are watched in it (RFC 4662): its back-end subscriptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final


class WatchedList:
    """The members of one subscription's list, by address of record."""

    __slots__ = ("changed", "members", "told", "versions")

    def __init__(self, members: Iterable[str]) -> None:
        self.members: Final = tuple(members)
        self.changed: set[str] = set()
        """Those whose state has changed since the last NOTIFY."""
        self.told: dict[str, Any] = {}
        """What the watcher was told of each last, where its documents say what has changed since."""
        self.versions: dict[str, int] = {}
        """The version that each one's next document has."""

    def with_members(self, members: Iterable[str]) -> WatchedList:
        """The same with other members, whose versions go on where they were there before."""
        made = WatchedList(members)
        made.versions = self.versions
        return made

    def forget_what_was_told(self) -> None:
        """The next documents say everything."""
        self.told.clear()

    def next_version(self, member: str, least: int) -> int:
        """The version of a member's next document: one up each time, the first one `least`, above all that were sent before
        a restart."""
        version = self.versions.get(member, least)
        self.versions[member] = version + 1
        return version

    def due(self, everything: bool) -> list[str]:
        """Whom the next NOTIFY is about, in the order of the list; they count as told then."""
        found = [member for member in self.members if everything or member in self.changed]
        self.changed.clear()
        return found
