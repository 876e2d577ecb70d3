"""What calls that stood leave behind, in the server that `b2bua run` makes (in_process/rig.py)."""

from __future__ import annotations

from typing import Final

from tests.garbage import left_to_the_collector
from tests.load.in_process.rig import LINGER, Rig
from tests.load.in_process.standing import given_back

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
    """What is given back when it ends: caches and the trace keep what they have."""
    held = -sum(place.size_diff for place in given_back(100)) / 100
    assert 1024 < held < MOST
