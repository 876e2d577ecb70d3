"""The ring's second bound: octets. Looked at a few times a second in place of each time a message is written.

What is new since the last look is found and summed up without a step of Python for each message. What is forgotten between two
looks is known by blocks, so the sum may be too high by one block, and never too low.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from operator import is_not, itemgetter
from typing import Any, Final

_DATA: Final = itemgetter(4)
ENTRY: Final = 300
"""Octets of an entry beside those of its message."""


def since(ring: deque[Any], last: object) -> Iterator[Any]:
    """What was appended behind the entry `last`, the newest first; everything when that is not in the ring any more."""
    return takewhile(partial(is_not, last), reversed(ring))


class RingBytes:
    """Counts the octets of one ring and takes the oldest entries away where they are too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        """0: any number."""
        self.total = 0
        self._last: object = None
        self._blocks: deque[tuple[int, int]] = deque()
        """Entries and octets of each look, oldest first."""
        self._entries = 0

    def look(self, ring: deque[Any]) -> None:
        if not ring or ring[-1] is self._last:
            return
        new = list(since(ring, self._last))
        self._last = ring[-1]
        octets = sum(map(len, map(_DATA, new))) + ENTRY * len(new)
        self._blocks.append((len(new), octets))
        self._entries += len(new)
        self.total += octets
        self._forget(len(ring))
        while self.most and self.total > self.most and len(ring) > 1:
            alone = len(self._blocks) == 1  # then its older half goes
            for _ in range(min(len(ring) // 2 if alone else self._blocks[0][0], len(ring) - 1)):
                ring.popleft()
            if alone:
                self._entries, self.total = len(ring), sum(map(len, map(_DATA, ring))) + ENTRY * len(ring)
                self._blocks[0] = self._entries, self.total
            else:
                self._forget(len(ring))

    def _forget(self, left: int) -> None:
        """Blocks of which nothing is in the ring."""
        while self._blocks and self._entries - self._blocks[0][0] >= left:
            entries, octets = self._blocks.popleft()
            self._entries -= entries
            self.total -= octets
