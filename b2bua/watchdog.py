"""A watchdog over features: a hook that does not come back holds up every call. It is told by name, and ended in the end.

The event loop says ten times a second that it turns. A thread looks whether it does; when not, it looks at what the loop's
thread is at, and who is there. So it costs a message nothing. What holds up for longer than it may is interrupted by a signal,
whose handler runs where the feature's code is and raises there: in no other place, for the core must not break off in the
middle of something. A hook that is still there half a second later has caught that: from now on it is also traced, as by a
debugger, and the next line that it begins raises again, behind the `except` by then. So each look takes one `try` more from it.
Python runs signal handlers between two of its instructions, in calls to the system and in regular expressions. The last let no
other thread run: a timer of the system, which each turn sets anew, sends the signal when the thread cannot. What never comes back
from other C cannot be ended.

Compiled features are in no frame of Python's. The handler looks for them on the thread's own stack (native_stack.py), and ends
one that has called nothing but C: that it waits for. One that computes lets neither this thread nor a handler run.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

from b2bua.feature_server.blame import name_of
from b2bua.log.events import Say
from b2bua.native_stack import INTERPRETED, compiled_functions, is_of
from b2bua.observer import Observer

LOOK_SECONDS: Final = 0.1
"""How often the loop speaks, and how often the thread looks."""
SLOW_SECONDS: Final = 0.3
"""A turn that takes so long has a reason."""
GRACE: Final = 0.5
"""Seconds that a hook has to tidy up once it was told to end."""
SIGNAL: Final = signal.SIGALRM
_COMPILED: Final = tuple(EXTENSION_SUFFIXES)


class _Found(NamedTuple):
    """A feature at work."""

    feature: str
    place: str
    """File and line."""
    hook: FrameType
    """Where the core called it, or the function of it that did what is going on."""


class HookTooLong(Exception):
    """Raised in the code of a feature that held everybody up for longer than it may."""


class Watchdog:
    """Watches the thread that makes it: the main one. `features` gives those in use, `now` monotonic seconds.

    `limit`: seconds after which a hook is ended; 0 = none is. `core`: directories of code in which nothing is broken off.
    """

    def __init__(
        self, features: Callable[[], Iterable[object]], limit: float, core: Iterable[Path], observer: Observer, log: Say,
        now: Callable[[], float] = time.monotonic, compiled: Callable[[], Sequence[str]] = compiled_functions,
    ) -> None:  # fmt: skip
        self._features = features
        self._limit = limit
        self._core = tuple(f"{directory}/" for directory in core)
        self._observer = observer
        self._log = log
        self._now = now
        self._compiled = compiled
        self._turned = self._since = now()
        """When the turn began, and whoever is at work may have begun: this turn, or when the last hook was ended."""
        self._seen: tuple[str, str] | None = None
        """Feature and place that hold the turn up that is going on, as the thread sees it."""
        self._unseen: tuple[str, str] | None = None
        """The same as the handler sees it."""
        self._ended = False
        self._ending: FrameType | None = None
        """The hook that was told to end, and when that was."""
        self._told = 0.0
        self._error = HookTooLong()
        """What it is told."""
        self._main = threading.get_ident()
        self._over = threading.Event()
        self._started = False

    def start(self) -> None:
        self._started = True
        signal.signal(SIGNAL, self._signalled)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Before the process ends: without the handler a signal of the timer would be its death."""
        self._over.set()
        self._started = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def turned(self) -> None:
        """From the loop, every LOOK_SECONDS: it turns. What was seen of the last turn is counted here."""
        seen, self._seen, ended, self._ended = self._seen, None, self._ended, False
        unseen, self._unseen = self._unseen, None
        seen = seen or unseen
        now = self._now()
        if seen is not None:
            feature, place = seen
            self._observer.feature_failed(feature, "ended" if ended else "blocked")
            seconds = round(now - self._turned, 1)
            self._log("feature_blocked", feature=feature, at=place, seconds=seconds, ended=ended)
        if ended:
            self._error = HookTooLong()  # the last one knows frames, and those the call
        self._turned = self._since = now
        if self._started and self._limit:
            signal.setitimer(signal.ITIMER_REAL, max(self._limit, SLOW_SECONDS), LOOK_SECONDS)
        if self._ending is not None:
            self._ending = None
            sys.settrace(None)

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
        found = None if frame is None else self._feature_in(frame)
        seen = self._unseen if found is None else (found.feature, found.place)
        if seen is not None and self._seen is None:
            self._seen = seen
            self._log("feature_blocks", feature=seen[0], at=seen[1])
        if found is None and any(map(_is_compiled, self._features())):
            signal.pthread_kill(self._main, SIGNAL)  # only the thread itself can see whether it is in one
        elif found is not None and self._limit and self._now() - self._since >= self._limit:
            signal.pthread_kill(self._main, SIGNAL)

    # -- in the main thread, wherever it is --------------------------------------------------------------------

    def _signalled(self, _number: int, frame: FrameType | None) -> None:
        """HookTooLong where a feature is too long at it, and nothing of ours is at work for it."""
        now = self._now()
        if self._ending is not None and not _is_in(self._ending, frame):
            self._ending, self._since = None, now  # it is gone: who came after it has as much time
            sys.settrace(None)
        if frame is None:
            return
        if self._feature_in(frame) is None:
            self._look_at_compiled(now)
            return
        if not self._limit or now - self._since < self._limit:
            return
        if self._ending is not None and now - self._told < GRACE:
            return
        found = self._feature_in(frame, breakable=True)
        if found is None or self._compiled_above():
            return
        self._unseen = self._unseen or (found.feature, found.place)
        self._error = HookTooLong(f"{found.feature} was at {found.place} for more than {self._limit:g} s")
        if self._ending is None:
            self._ending, self._told = found.hook, now
        else:
            self._pursue(frame)
        self._ended = True
        raise self._error from None  # without those before it that were caught

    def _compiled_above(self) -> bool:
        """Whether the innermost function of Python's has called compiled ones, which its frames do not show: the core's. Where
        the interpreter of this handler itself is not seen, nothing can be said."""
        stack = self._compiled()
        return len(stack) > 1 and stack[0] == INTERPRETED != stack[1]

    def _look_at_compiled(self, now: float) -> None:
        """A compiled feature at work: told by the thread when it looks next, and ended if it waits for something in C."""
        if now - self._turned < SLOW_SECONDS:
            return  # a signal that comes late
        modules = {type(one).__module__: name_of(one) for one in self._features()}
        stack = self._compiled()
        work = ((at, module) for at, name in enumerate(stack) for module in modules if name and is_of(name, module))
        depth, module = next(work, (0, ""))
        if not module:
            return
        feature, place = modules[module], stack[depth].replace("___", ".")
        self._unseen = self._unseen or (feature, place)
        # Above it is the interpreter that this handler runs in, and nothing else.
        if self._limit and now - self._since >= self._limit and depth == 1 and stack[0] == INTERPRETED:
            self._since, self._ended = now, True  # whether it is gone is not seen: what is there next has as much time
            raise HookTooLong(f"{feature} was in {place} for more than {self._limit:g} s")

    def _pursue(self, frame: FrameType) -> None:
        """Have the hook that is ended, and what it called, raise again at the next line, if there is one: what is raised now was
        caught then. Python takes such a trace away once it has raised."""
        at: FrameType | None = frame
        while at is not None and not at.f_code.co_filename.startswith(self._core):
            at.f_trace = self._next_line
            at = at.f_back
        sys.settrace(_nothing)

    def _next_line(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            raise self._error from None
        return self._next_line

    def _feature_in(self, frame: FrameType, breakable: bool = False) -> _Found | None:
        """The feature in whose code a frame is; `breakable`: only if nothing of ours was called from there."""
        files = {getattr(sys.modules.get(type(one).__module__), "__file__", ""): name_of(one) for one in self._features()}
        at: FrameType | None = frame
        while at is not None:
            file = at.f_code.co_filename
            if file in files:
                return _Found(files[file], f"{file}:{at.f_lineno}", self._hook(at))
            if breakable and file.startswith(self._core):
                return None
            at = at.f_back
        return None

    def _hook(self, frame: FrameType) -> FrameType:
        """The first function of the feature that this one was called by, with nothing of ours between."""
        file = frame.f_code.co_filename
        hook, at = frame, frame.f_back
        while at is not None and not at.f_code.co_filename.startswith(self._core):
            if at.f_code.co_filename == file:
                hook = at
            at = at.f_back
        return hook


def _is_compiled(feature: object) -> bool:
    file = getattr(sys.modules.get(type(feature).__module__), "__file__", None) or ""
    return file.endswith(_COMPILED)


def _nothing(frame: FrameType, event: str, argument: object) -> None:
    """Of what is called from now on nothing is traced."""


def _is_in(wanted: FrameType, frame: FrameType | None) -> bool:
    """Whether a function is still at work below this one."""
    while frame is not None and frame is not wanted:
        frame = frame.f_back
    return frame is not None
