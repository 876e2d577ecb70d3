"""Draining, on a clock of ours."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from b2bua.drain import LOOK_SECONDS, Drain


class World:
    """A drain, the calls that stand, and whether the process was told to stop."""

    draining = False
    calls = 2
    stopped = 0

    def __init__(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        admission: Any = self
        self.drain = Drain(admission, lambda: self.calls, self.clock.callLater, self._stop, self)

    def _stop(self) -> None:
        self.stopped += 1

    def __call__(self, event: str, **_: object) -> None:
        self.said.append(event)


def test_stops_when_the_last_call_has_ended() -> None:
    world = World()
    world.drain.start()
    world.drain.start()
    world.clock.pump([LOOK_SECONDS] * 20)
    assert world.draining and not world.stopped
    assert world.drain.state() == {"draining": True, "calls": 2}
    world.calls = 0
    world.clock.advance(LOOK_SECONDS)
    assert world.stopped == 1
    world.clock.advance(60)
    assert world.stopped == 1
    assert world.said == ["draining", "drained"]


def test_without_a_call_the_answer_still_leaves_first() -> None:
    world = World()
    world.calls = 0
    world.drain.start()
    assert not world.stopped
    world.clock.advance(LOOK_SECONDS)
    assert world.stopped == 1


def test_taken_back_and_begun_again() -> None:
    world = World()
    world.drain.start()
    world.drain.undo()
    world.drain.undo()
    world.calls = 0
    world.clock.advance(60)
    assert not world.draining and not world.stopped
    world.calls = 1
    world.drain.start()
    world.drain.undo()
    world.drain.start()
    world.calls = 0
    world.clock.advance(LOOK_SECONDS)
    assert world.stopped == 1
