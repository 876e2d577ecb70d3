"""A watchdog over features: a hook that does not come back holds up every call. It is told by name, and ended in the end.

The event loop says ten times a second that it turns. A thread looks whether it does; when not, it looks at what the loop's
thread is at, and who is there. So it costs a message nothing. What holds up for longer than it may is interrupted by a signal,
whose handler runs where the feature's code is and raises there: in no other place, for the core must not break off in the
middle of something. Python runs signal handlers between two of its instructions and in calls to the system: what never comes
back from C, and what catches every exception, cannot be ended.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Final

from b2bua.feature_server.blame import name_of
from b2bua.log.events import Say
from b2bua.observer import Observer

LOOK_SECONDS: Final = 0.1
"""How often the loop speaks, and how often the thread looks."""
SLOW_SECONDS: Final = 0.3
"""A turn that takes so long has a reason."""
SIGNAL: Final = signal.SIGALRM


class HookTooLong(Exception):
    """Raised in the code of a feature that held everybody up for longer than it may."""


class Watchdog:
    """Watches the thread that makes it: the main one. `features` gives those in use, `now` monotonic seconds.

    `limit`: seconds after which a hook is ended; 0 = none is. `core`: directories of code in which nothing is broken off.
    """

    def __init__(
        self, features: Callable[[], Iterable[object]], limit: float, core: Iterable[Path], observer: Observer, log: Say,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._features = features
        self._limit = limit
        self._core = tuple(f"{directory}/" for directory in core)
        self._observer = observer
        self._log = log
        self._now = now
        self._turned = now()
        self._seen: tuple[str, str] | None = None
        """Feature and place that hold the turn up that is going on."""
        self._ended = False
        self._main = threading.get_ident()
        self._over = threading.Event()

    def start(self) -> None:
        signal.signal(SIGNAL, self._signalled)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def turned(self) -> None:
        """From the loop, every LOOK_SECONDS: it turns. What was seen of the last turn is counted here."""
        seen, self._seen, ended, self._ended = self._seen, None, self._ended, False
        now = self._now()
        if seen is not None:
            feature, place = seen
            self._observer.feature_failed(feature, "ended" if ended else "blocked")
            seconds = round(now - self._turned, 1)
            self._log("feature_blocked", feature=feature, at=place, seconds=seconds, ended=ended)
        self._turned = now

    # -- in the thread -----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Who holds the loop up, if anybody does; and that is enough now."""
        late = self._now() - self._turned
        if late < SLOW_SECONDS:
            return
        frame = sys._current_frames().get(self._main)
        seen = None if frame is None else self._feature_in(frame)
        if seen is None:
            return
        if self._seen is None:
            self._seen = seen
            self._log("feature_blocks", feature=seen[0], at=seen[1])
        if self._limit and late >= self._limit:
            signal.pthread_kill(self._main, SIGNAL)

    # -- in the main thread, wherever it is --------------------------------------------------------------------

    def _signalled(self, _number: int, frame: FrameType | None) -> None:
        """HookTooLong where a feature is too long at it, and nothing of ours is at work for it."""
        if frame is None or not self._limit or self._now() - self._turned < self._limit:
            return
        found = self._feature_in(frame, breakable=True)
        if found is not None:
            self._ended = True
            raise HookTooLong(f"{found[0]} was at {found[1]} for more than {self._limit:g} s")

    def _feature_in(self, frame: FrameType, breakable: bool = False) -> tuple[str, str] | None:
        """The feature in whose code a frame is, and where; `breakable`: only if nothing of ours was called from there."""
        files = {getattr(sys.modules.get(type(one).__module__), "__file__", ""): name_of(one) for one in self._features()}
        at: FrameType | None = frame
        while at is not None:
            file = at.f_code.co_filename
            if file in files:
                return files[file], f"{file}:{at.f_lineno}"
            if breakable and file.startswith(self._core):
                return None
            at = at.f_back
        return None
