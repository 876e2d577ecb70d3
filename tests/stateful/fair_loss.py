"""A network that loses, doubles and reorders as a seed says, but fairly: who goes on sending gets through in the end."""

from __future__ import annotations

from collections import Counter
from random import Random

MOST_LOSSES = 2
"""Copies of one datagram that are lost before one arrives: a request has seven to eleven tries, with its answer's losses."""


class FairLoss:
    """A `Rule` of the virtual network; the figures may be changed while it runs."""

    def __init__(self, seed: int) -> None:
        self.lost = 0.0
        """Probability that a datagram is lost."""
        self.doubled = 0.0
        self.delay = 0.0
        """Seconds that every datagram travels."""
        self.jitter = 0.0
        """Up to so many seconds more: one may overtake another."""
        self._random = Random(seed)
        self._losses: Counter[bytes] = Counter()

    def set(self, share: float, delay: float = 0.0) -> None:
        """So many are lost, so many doubled, and what is left is mixed up accordingly."""
        self.lost = self.doubled = self.jitter = share
        self.delay = delay

    def __call__(self, index: int, data: bytes) -> tuple[float, ...]:
        random = self._random
        if self.lost and random.random() < self.lost and self._losses[_same(data)] < MOST_LOSSES:
            self._losses[_same(data)] += 1
            return ()
        copies = 2 if self.doubled and random.random() < self.doubled else 1
        return tuple(self.delay + (random.uniform(0, self.jitter) if self.jitter else 0.0) for _ in range(copies))


def _same(data: bytes) -> bytes:
    """What all copies of a message have in common: an ACK that is sent once more has another branch."""
    return b"\r\n".join(line for line in data.split(b"\r\n") if not line.startswith(b"Via:"))
