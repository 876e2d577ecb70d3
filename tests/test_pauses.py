from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import pairwise

import pytest

from b2bua.observer import Observer
from b2bua.pauses import CollectorPauses, LoopLag, QuietCollector


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


class Quiet:
    """A `QuietCollector` that is looked at once a second, and when it collected."""

    def __init__(self, blocks: int = 1000, pace: float = 1e-6) -> None:
        self.now, self.calls, self.blocks, self.takes = 0.0, 0, blocks, 0.0
        self.collected: list[float] = []
        self.collector = QuietCollector(lambda: self.calls, self.collect, lambda: self.blocks, pace, lambda: self.now)

    def collect(self) -> None:
        self.collected.append(self.now)
        self.now += self.takes

    def run(self, seconds: int, calling: bool = False) -> None:
        for _ in range(seconds):
            self.now += 1
            self.calls += calling
            self.collector.look()


def test_garbage_is_collected_once_it_is_quiet() -> None:
    quiet = Quiet()
    quiet.run(200, calling=True)
    assert quiet.collected == []
    quiet.run(100)
    assert quiet.collected == [210.0], "ten seconds after the last call, and once"
    quiet.run(3, calling=True)
    quiet.run(100)
    assert quiet.collected == [210.0, 313.0]


def test_not_more_often_than_once_a_minute() -> None:
    quiet = Quiet()
    for _ in range(20):
        quiet.run(1, calling=True)
        quiet.run(14)
    assert all(later - earlier >= 60 for earlier, later in pairwise(quiet.collected))
    assert len(quiet.collected) in (4, 5)


def test_a_server_that_is_never_quiet_collects_every_ten_minutes() -> None:
    quiet = Quiet()
    quiet.run(1300, calling=True)
    assert quiet.collected == [600.0, 1200.0]


def test_what_would_take_too_long_waits_until_less_stands() -> None:
    quiet = Quiet(blocks=1_000_000)  # a second
    quiet.run(10, calling=True)
    quiet.run(1300)
    assert quiet.collected == [], "not when it is quiet, and not every ten minutes"
    quiet.blocks = 20_000
    quiet.run(2)
    assert quiet.collected == [1311.0]


def test_the_quickest_collection_tells_how_long_the_next_one_takes() -> None:
    quiet = Quiet(blocks=20_000)
    for takes, blocks in ((0.005, 20_000), (0.5, 70_000), (0.0, 70_000)):  # the second was held up by something else
        quiet.takes, quiet.blocks = takes, blocks
        quiet.run(10, calling=True)
        quiet.run(100)
    assert len(quiet.collected) == 3
    quiet.blocks = 10_000_000
    quiet.run(700, calling=True)
    assert len(quiet.collected) == 4, "the third took no time at all"
