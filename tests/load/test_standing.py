"""What calls that stood leave behind, in the server that `b2bua run` makes (in_process/rig.py)."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.load.in_process.rig import LINGER, Rig


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
