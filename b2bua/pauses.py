"""What stops everybody: turns of the event loop that come late, and collections of garbage. Clocks are handed in."""

from __future__ import annotations

import gc
from collections.abc import Callable

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
