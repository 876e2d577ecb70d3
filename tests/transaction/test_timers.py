"""The wheel: never early, at most one tick late, whatever is started and cancelled."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.transaction.timers import T1, T2, T4, TICK, TIMEOUT, TIMER_C, Timer, Timers
from tests.transaction.neighbours import Clock

SLACK = 1e-6
"""Seconds: what floating point may lose."""


def test_the_values_of_table_4() -> None:
    assert (T1, T2, T4, TIMEOUT) == (0.5, 4.0, 5.0, 32.0)
    assert TIMER_C > 180
    assert T1 / TICK == 10


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 0.051, 0.5, 5, 32, 51.2, 51.25, 60, 102.4, 181, 3600])
@pytest.mark.parametrize("start", [0.0, 1000.0, 1000.049, 51.2 * 7 - 0.001])
def test_never_early_and_at_most_one_tick_late(seconds: float, start: float) -> None:
    now, fired = [start], []
    timers = Timers(lambda: now[0])
    timers.start(seconds, lambda: fired.append(now[0]))
    for step in range(-40, 40):  # a clock finer than the wheel, from two ticks before to two after
        now[0] = max(start, start + seconds + step * TICK / 20)
        timers.advance()
    [when] = fired
    assert when - start >= seconds - SLACK
    assert when - start <= seconds + TICK + TICK / 20 + SLACK


def test_it_fires_once() -> None:
    clock = Clock()
    fired: list[int] = []
    timer = clock.timers.start(1, lambda: fired.append(1))
    assert timer.running
    clock.pass_time(120)
    assert fired == [1] and not timer.running


def test_cancel_at_any_time_and_more_than_once() -> None:
    clock = Clock()
    fired: list[int] = []
    timer = clock.timers.start(1, lambda: fired.append(1))
    clock.pass_time(0.9)
    timer.cancel()
    timer.cancel()
    clock.pass_time(60)
    late = clock.timers.start(1, lambda: fired.append(2))
    clock.pass_time(2)
    late.cancel()
    assert fired == [2]
    assert clock.timers.running() == 0


def test_longer_than_one_turn_of_the_wheel() -> None:
    clock = Clock()
    fired: list[str] = []
    clock.timers.start(51.2, lambda: fired.append("one turn"))
    clock.timers.start(102.4, lambda: fired.append("two"))
    clock.timers.start(0.05, lambda: fired.append("none"))
    clock.pass_time(51.15)
    assert fired == ["none"]
    clock.pass_time(0.15)
    assert fired == ["none", "one turn"]
    clock.pass_time(51.2)
    assert fired == ["none", "one turn", "two"]


def test_a_late_clock_fires_all_that_is_due_in_order() -> None:
    clock = Clock()
    fired: list[int] = []
    for seconds in (3, 1, 2, 60):
        clock.timers.start(seconds, partial(fired.append, seconds))
    clock.ticks += round(100 / TICK)
    clock.timers.advance()
    assert fired == [1, 2, 3, 60]


def test_an_exception_stops_no_other_timer() -> None:
    clock = Clock()
    fired: list[int] = []

    def fail() -> None:
        raise RuntimeError("mistake")

    clock.timers.start(1, lambda: fired.append(1))
    clock.timers.start(1, fail)
    clock.timers.start(1, lambda: fired.append(2))
    clock.pass_time(2)
    assert fired == [1, 2]
    assert [str(error) for error in clock.errors] == ["mistake"]


def test_without_a_listener_the_exception_goes_to_whoever_turns_the_wheel() -> None:
    now = [0.0]
    timers = Timers(lambda: now[0])
    timers.start(1, lambda: [][0])
    now[0] = 2.0
    with pytest.raises(IndexError):
        timers.advance()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 1.0, 51.2])
def test_a_timer_started_while_the_wheel_turns(seconds: float) -> None:
    clock = Clock()
    fired: list[float] = []

    def again() -> None:
        clock.timers.start(seconds, lambda: fired.append(clock.now()))

    clock.timers.start(1, again)
    clock.pass_time(1)
    assert fired == []  # never in the turn that started it
    clock.pass_time(seconds + 2 * TICK)
    [when] = fired
    assert when >= clock.start + 1 + seconds - SLACK


def test_a_timer_cancelled_by_one_of_the_same_tick() -> None:
    clock = Clock()
    fired: list[int] = []
    timers: list[Timer] = []
    timers.append(clock.timers.start(1, lambda: timers[1].cancel()))
    timers.append(clock.timers.start(1, lambda: fired.append(1)))
    clock.pass_time(2)
    assert fired == []


def test_running_counts_what_runs() -> None:
    clock = Clock()
    timers = [clock.timers.start(seconds, lambda: None) for seconds in (1, 2, 60)]
    assert clock.timers.running() == 3
    timers[1].cancel()
    clock.pass_time(1.1)
    assert clock.timers.running() == 1


ACTS = st.one_of(
    st.tuples(st.just("start"), st.floats(0, 130, allow_nan=False)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("pass"), st.integers(1, 400)),
    st.tuples(st.just("jump"), st.integers(1, 1500)),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(0, 1e6, allow_nan=False), st.lists(ACTS, max_size=25))
def test_any_starts_and_cancels(start: float, acts: list[tuple[str, float]]) -> None:
    clock = Clock(start)
    due: list[float] = []
    timers: list[Timer] = []
    fired: dict[int, float] = {}
    cancelled: set[int] = set()

    def fire(number: int) -> None:
        assert number not in fired
        fired[number] = clock.now()

    for act, value in [*acts, ("pass", 2700)]:
        if act == "start":
            number = len(timers)
            due.append(clock.now() + value)
            timers.append(clock.timers.start(value, partial(fire, number)))
        elif act == "cancel" and value < len(timers):
            number = int(value)
            timers[number].cancel()
            if number not in fired:
                cancelled.add(number)
        elif act == "pass":
            clock.pass_time(value * TICK)
        elif act == "jump":
            clock.ticks += int(value)
            clock.timers.advance()
    assert fired.keys() == set(range(len(timers))) - cancelled
    for number, when in fired.items():
        assert when >= due[number] - SLACK
    if not any(act == "jump" for act, _ in acts):
        # One tick of the wheel, and one of a clock that does not tick together with it.
        assert all(when <= due[number] + 2 * TICK + SLACK for number, when in fired.items())
    assert clock.timers.running() == 0
