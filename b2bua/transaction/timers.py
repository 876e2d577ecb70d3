"""A timer wheel: 0.2 µs to start or cancel a timer, at the price of firing up to one tick late and never early.

SIP's timers are coarse (500 ms and up) and nearly all of them are cancelled; a wheel of 50 ms costs a tenth of a heap or of
the reactor's own timers. The clock is handed in, so tests turn the wheel by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final, Protocol

TICK: Final = 0.05
"""Seconds between two positions of the wheel: a tenth of T1."""
_PER_SECOND: Final = 1 / TICK
_SLOTS: Final = 1024  # 51.2 s in one turn: 64·T1 fits; longer timers stay for further turns.
_MASK: Final = _SLOTS - 1

T1: Final = 0.5
"""Round-trip estimate in seconds (RFC 3261 §17.1.1.1, table 4)."""
T2: Final = 4.0
"""Longest retransmission interval of non-INVITE requests and INVITE responses."""
T4: Final = 5.0
"""Longest time a message stays in the network."""
TIMEOUT: Final = 64 * T1
"""Timers B, D, F, H, J, L, M and the wait for an ACK."""
TIMER_C: Final = 181.0
"""A proxy's patience with a ringing INVITE: more than three minutes (RFC 3261 §16.6 step 11)."""


NEVER: Final = 0
"""The tick of what does not run."""


class Waiting(Protocol):
    """Whatever stands on the wheel: its `tick` says when it is due, and is `NEVER` once it no longer waits."""

    tick: int

    def expire(self) -> None:
        """The tick has come."""


class Timer:
    """One running timer; `cancel` may be called at any time and more than once."""

    __slots__ = ("tick", "callback")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.tick = NEVER
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.tick = NEVER
        self.callback = None

    def expire(self) -> None:
        callback = self.callback
        self.cancel()
        if callback is not None:
            callback()

    @property
    def running(self) -> bool:
        return self.callback is not None

    @property
    def at(self) -> float:
        """When it fires, on the clock of its wheel."""
        return self.tick * TICK


class Timers:
    """The wheel. `now` returns monotonic seconds; the owner of the clock calls `advance` at least every tick."""

    def __init__(self, now: Callable[[], float], failed: Callable[[BaseException], None] | None = None) -> None:
        self.now = now
        self._failed = failed
        self._slots: list[list[Waiting]] = [[] for _ in range(_SLOTS)]
        self._tick = int(now() / TICK)

    def start(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `seconds` from now (to the next tick)."""
        timer = Timer(callback)
        self.put(timer, seconds)
        return timer

    def put(self, waiting: Waiting, seconds: float) -> None:
        """Let something wait so many seconds from now; what waited before waits for the new time alone."""
        # The next tick at or after the deadline, and never one that is being read or has been.
        tick = ceil((self.now() + seconds) * _PER_SECOND)
        if tick <= self._tick:
            tick = self._tick + 1
        waiting.tick = tick
        self._slots[tick & _MASK].append(waiting)

    def advance(self) -> None:
        """Fire all timers that are due. An exception in one is handed to `failed` and does not stop the others."""
        target = int(self.now() / TICK)
        while self._tick < target:
            self._tick += 1
            index = self._tick & _MASK
            due = self._slots[index]
            if not due:
                continue
            self._slots[index] = []
            for waiting in due:
                tick = waiting.tick
                if tick == self._tick:
                    self._expire(waiting)
                elif tick & _MASK == index and tick > self._tick:
                    self._slots[index].append(waiting)  # its turn of the wheel is still to come

    def _expire(self, waiting: Waiting) -> None:
        try:
            waiting.expire()
        except Exception as error:
            if self._failed is None:
                raise
            self._failed(error)

    def running(self) -> int:
        """How many wait: for leak tests and the drain; walks the wheel."""
        return len({id(one) for index, slot in enumerate(self._slots) for one in slot if one.tick and one.tick & _MASK == index})
