"""What a call of the phone tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from b2bua.phone.call import Call


class CallUser(Protocol):
    """Who uses the call; told of each change after it has happened."""

    def call_changed(self, call: Call) -> None:
        """Another state, or a hold refused."""

    def media_changed(self, call: Call) -> None:
        """`call.session` says something new about direction or address."""
