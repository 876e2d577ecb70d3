"""What calls that stood leave behind, in the server that `b2bua run` makes (in_process/rig.py)."""

from __future__ import annotations

import tracemalloc
from typing import Final

from tests.garbage import left_to_the_collector
from tests.load.in_process.rig import LINGER, Rig

MOST: Final = 8192
"""Bytes that a standing call may hold."""


def test_calls_are_freed_without_a_collector() -> None:
    rig = Rig(pairs=3)
    with left_to_the_collector() as found:
        calls = [rig.stand(number) for number in range(3)]
        rig.turn(LINGER)
        for call in calls:
            rig.hang_up(call)
        for _ in range(3):
            rig.call()
        rig.turn(LINGER)
    assert not found


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
