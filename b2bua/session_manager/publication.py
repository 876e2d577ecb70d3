"""One publication of event state, as the compositor keeps it (RFC 3903)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from b2bua.transaction.timers import NEVER

Resource = tuple[str, str]
"""Package name and address of record."""


class Publication:
    """One publication. The compositor alone changes it."""

    __slots__ = ("call", "expires_at", "kept", "link", "number", "resource", "size", "tag", "tick", "value", "_due")

    def __init__(self, number: int, resource: Resource, link: str, due: Callable[[Publication], None]) -> None:
        """`due` is called when it may have expired."""
        self.number = number
        """Unique here; a publication that replaces another takes its number over, so ids in documents stay."""
        self.resource = resource
        self.link = link
        """The feature server link that published, or "" for a phone."""
        self.tag = ""
        """The entity tag that is good for the next PUBLISH."""
        self.value: Any = None
        """The event state, of the package's `value_type`."""
        self.size = 0
        """Bytes of a phone's document; 0 of a feature server's."""
        self.call = ""
        """Trace id of the call that published last."""
        self.expires_at = 0.0
        """Seconds on the clock of the timers."""
        self.kept = False
        """Whether the store has a record of it, or is about to."""
        self.tick = NEVER
        """Of the wheel (`timers.Waiting`), which looks then whether it has expired: a state that changes often puts that off
        without another timer."""
        self._due = due

    def expire(self) -> None:
        """From the wheel."""
        self.tick = NEVER
        self._due(self)
