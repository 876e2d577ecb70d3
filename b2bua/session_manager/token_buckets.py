"""Token buckets, one a source: how often somebody may do something. One number a source, and a bounded table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_SOURCES: Final = 10_000
"""Sources that are remembered. A full bucket is forgotten first; where hardly any is full, all are: so many addresses at
once are no single source."""
BURST_SECONDS: Final = 2
"""A bucket that was not used holds the tokens of so many seconds."""


class TokenBuckets:
    """`rate` tokens a second (1 to 1,000,000) for each source. `now` gives monotonic seconds."""

    def __init__(self, rate: int, now: Callable[[], float]) -> None:
        self._step = 1_000_000 // rate
        self._burst = BURST_SECONDS * 1_000_000 - self._step
        self._now = now
        self._full_at: dict[str, int] = {}
        """Source → microsecond when its bucket will be full again; one that is not here is full."""

    def take(self, source: str) -> bool:
        """Take a token; False when there is none."""
        now = int(self._now() * 1_000_000)
        full_at = max(self._full_at.get(source, now), now)
        if full_at - now > self._burst:
            return False
        if len(self._full_at) >= MAX_SOURCES:
            self._forget(now)
        self._full_at[source] = full_at + self._step
        return True

    def empty(self, source: str) -> bool:
        """Whether `take` would fail."""
        full_at = self._full_at.get(source)
        return full_at is not None and full_at - int(self._now() * 1_000_000) > self._burst

    def _forget(self, now: int) -> None:
        self._full_at = {source: full_at for source, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) > MAX_SOURCES // 2:
            self._full_at.clear()
