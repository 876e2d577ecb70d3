"""What a feature server is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from b2bua.feature_server.feature import Feature


class FeatureServer(Protocol):
    """One feature server: made with an `Environment`, it sets itself as the user of its layer."""

    def calls(self) -> dict[str, int]:
        """Standing calls by state: early, confirmed, held. Asked at scrape time."""

    def longest_hold(self) -> float:
        """Seconds for which the call that is held longest has been held; 0 when none is. Asked at scrape time."""

    def use(self, features: Sequence[Feature]) -> None:
        """New calls get these features; a call that stands keeps those that it began with."""

    def restore(self) -> None:
        """Go on with the calls that stood when the process ended. Called once, before the first message."""

    def knows(self, call_id: str, tag: str, cseq: int) -> bool:
        """After `restore`: whether the INVITE with this Call-ID, From tag and CSeq made a call that stands."""

    def answered_by(self, call_id: str, tag: str) -> str:
        """After `restore`: the tag of who answered the INVITE that one of its own legs, of this Call-ID and this tag of ours,
        had sent; "" where there is no such leg (any more)."""

    def agree_again(self, call_id: str, tag: str) -> None:
        """After `restore`: a re-INVITE from the party of this leg will not come again, and the other party may have accepted
        what it offered."""
