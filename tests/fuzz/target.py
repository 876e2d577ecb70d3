"""What a target is: where inputs begin, and the oracle that each is put to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Target(Protocol):
    """Every target's module makes one by `make()`. Any exception of `check` or `finish` is a finding."""

    seeds: Sequence[bytes]
    """Inputs that a real peer would send; made anew each time, from our own messages."""
    words: Sequence[bytes]
    """Pieces of grammar that mutations put in."""

    def check(self, data: bytes) -> None:
        """Put one input to the oracle."""

    def finish(self) -> None:
        """What can be said only behind the last input."""
