from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from b2bua.observer import Observer
from b2bua.pauses import CollectorPauses, LoopLag


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def measured(observer: Observer, name: str) -> tuple[int, float]:
    histogram = observer.histograms[name][""]
    return sum(histogram.counts), round(histogram.total, 6)


def test_turns_in_time_and_late() -> None:
    observer, clock = Observer(), Clock()
    lag = LoopLag(observer, clock.now)
    lag.turned(0.05)  # the first turn was ordered by nobody
    assert measured(observer, "eventloop_lag_seconds") == (0, 0.0)
    for seconds in (0.05, 0.25, 0.04):  # in time, 0.2 s late, a hair early
        clock.time += seconds
        lag.turned(0.05)
    assert measured(observer, "eventloop_lag_seconds") == (3, 0.2)


@pytest.fixture
def pauses() -> Iterator[tuple[Observer, CollectorPauses]]:
    """The clock goes on by a quarter of a second each time it is read; nobody collects meanwhile but the test."""
    observer, clock = Observer(), Clock()

    def now() -> float:
        clock.time += 0.25
        return clock.time

    made = CollectorPauses(observer, now)
    enabled = gc.isenabled()
    gc.disable()
    made.watch()
    yield observer, made
    made.stop()
    if enabled:
        gc.enable()


def test_each_collection_is_measured(pauses: tuple[Observer, CollectorPauses]) -> None:
    observer, made = pauses
    gc.collect(0)
    gc.collect()
    assert measured(observer, "gc_pause_seconds") == (2, 0.5)
    made.stop()
    made.stop()
    gc.collect()
    assert measured(observer, "gc_pause_seconds") == (2, 0.5)
