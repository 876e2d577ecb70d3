"""What stops everybody: turns of the event loop that come late, and collections of garbage. Clocks are handed in."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

from b2bua.observer import Observer


class LoopLag:
    """Measures how late a turn comes that was ordered for a time. `now` returns monotonic seconds."""

    def __init__(self, observer: Observer, now: Callable[[], float]) -> None:
        self._observer = observer
        self._now = now
        self._due: float | None = None

    def turned(self, seconds: float) -> float:
        """A turn has come, and the next one is ordered in so many seconds. How late it came, in seconds."""
        now = self._now()
        late = 0.0 if self._due is None else max(now - self._due, 0.0)
        if self._due is not None:
            self._observer.loop_late(late)
        self._due = now + seconds
        return late


QUIET: Final = 10.0
"""Seconds without a call being made, changed or ended: a pause disturbs nobody then."""
SHORTEST: Final = 60.0
"""Seconds between two collections at least."""
LONGEST: Final = 600.0
"""Seconds after which garbage is collected although it is never quiet."""
LONGEST_PAUSE: Final = 0.02
"""Seconds that a collection may be expected to take. One that would take longer waits until less stands."""


class QuietCollector:
    """Collects garbage when nothing goes on. Python's own collector is switched off meanwhile.

    What a call makes is freed by reference counts: its cycles are broken at its end. All that Python's collector did was to go
    through some hundred thousand objects that are alive: a tenth of the CPU time under load, and pauses of half a second.
    Left are rare cycles, of connections and of errors. So a collection is never worth a pause that a call would notice: while
    thousands of calls stand, none is made. `activity()` is a number that changes whenever calls do; `collect` is `gc.collect`;
    `size()` is how much there is to go through, `sys.getallocatedblocks` less what never is; `pace` is the seconds that a
    collection has taken for each of these; `now` gives monotonic seconds.
    """

    def __init__(
        self, activity: Callable[[], int], collect: Callable[[], object], size: Callable[[], int], pace: float,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._activity = activity
        self._collect = collect
        self._size = size
        self._now = now
        self._seen = activity()
        self._changed_at = self._collected_at = now()
        self._dirty = False
        self._pace = pace
        """At its quickest: whatever made another collection slower was not in its garbage."""

    def look(self) -> None:
        """To be called every second or so."""
        now, active = self._now(), self._activity()
        if active != self._seen:
            self._seen, self._changed_at, self._dirty = active, now, True
        since = now - self._collected_at
        quiet = now - self._changed_at >= QUIET
        if since < LONGEST and not (self._dirty and quiet and since >= SHORTEST):
            return
        size = max(self._size(), 1)
        if size * self._pace > LONGEST_PAUSE:
            return
        self._dirty = False
        self._collect()
        self._collected_at = self._now()
        self._pace = min(self._pace, (self._collected_at - now) / size)


class CollectorPauses:
    """Hears of every collection of this process, on whatever thread, one at a time, from `watch` until `stop`."""

    def __init__(self, observer: Observer, now: Callable[[], float]) -> None:
        self._observer = observer
        self._now = now
        self._started = 0.0

    def watch(self) -> None:
        gc.callbacks.append(self._called)

    def stop(self) -> None:
        """What is not watched is no error."""
        if self._called in gc.callbacks:
            gc.callbacks.remove(self._called)

    def _called(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._started = self._now()
        else:
            self._observer.garbage_collected(self._now() - self._started)
