"""What calls that stood leave behind, in the server that `b2bua run` makes (in_process/rig.py)."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from tests.load.in_process.rig import LINGER, Rig

MOST: Final = 8192
"""Bytes that a standing call may hold."""


@pytest.fixture
def saved() -> Iterator[list[object]]:
    """What a collection finds is kept, and nobody collects but the test."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.unfreeze()
    if enabled:
        gc.enable()


def test_calls_are_freed_without_a_collector(saved: list[object]) -> None:
    """One that is in a cycle would stay as long as many calls stand: no garbage is collected then (b2bua/pauses.py)."""
    rig = Rig(pairs=3)
    calls = [rig.stand(number) for number in range(3)]
    rig.turn(LINGER)
    for call in calls:
        rig.hang_up(call)
    for _ in range(3):
        rig.call()
    rig.turn(LINGER)
    gc.collect()
    ours = Counter(type(one).__qualname__ for one in saved if type(one).__module__.startswith(("b2bua.", "plugins.")))
    assert not ours


def test_a_standing_call_holds_less_than_eight_kilobytes() -> None:
    """What is given back when calls end: caches and the trace keep what they have."""
    rig, number = Rig(trace=0, pairs=100), 100
    before = [rig.stand(one) for one in range(number)]
    rig.turn(LINGER)
    for call in before:
        rig.hang_up(call)
    rig.turn(LINGER)
    tracemalloc.start()
    calls = [rig.stand(one) for one in range(number)]
    rig.turn(LINGER)
    standing = tracemalloc.take_snapshot()
    for call in calls:
        rig.hang_up(call)
    rig.turn(LINGER)
    ended = tracemalloc.take_snapshot()
    tracemalloc.stop()
    given_back = -sum(one.size_diff for one in ended.compare_to(standing, "filename"))
    assert 1024 < given_back / number < MOST
