"""Times of the week: when they hold, over midnight and over Sunday, and what is none."""

from __future__ import annotations

import pytest

from b2bua.session_manager.time_range import WeekTime, any_holds, read_time_range, read_week_time


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("mon-fri/08:00-18:00", ("mon 08:00", "fri 17:59"), ("mon 07:59", "fri 18:00", "sat 12:00")),
        ("sat-sun", ("sat 00:00", "sun 23:59"), ("mon 00:00", "fri 23:59")),
        ("sun-mon", ("sun 12:00", "mon 12:00"), ("tue 12:00", "sat 12:00")),
        ("wed", ("wed 00:00",), ("tue 23:59", "thu 00:00")),
        ("12:00-13:30", ("mon 12:00", "sun 13:29"), ("mon 11:59", "sun 13:30")),
        ("fri/22:00-06:00", ("fri 22:00", "fri 23:59", "sat 05:59"), ("fri 05:00", "sat 06:00", "sat 23:00", "fri 21:59")),
        ("sun/23:00-01:00", ("sun 23:00", "mon 00:59"), ("mon 01:00", "sun 00:30")),
        ("mon/18:00-24:00", ("mon 18:00", "mon 23:59"), ("tue 00:00",)),
        ("mon/18:00-00:00", ("mon 23:59",), ("tue 00:00", "mon 00:00")),
    ],
)
def test_when_it_holds(text: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    read = read_time_range(text)
    assert all(read.holds(read_week_time(when)) for when in inside)
    assert not any(read.holds(read_week_time(when)) for when in outside)


@pytest.mark.parametrize(
    "text",
    ["", "/", "mo", "mon-", "mon/", "/08:00-09:00", "mon 08:00-09:00", "mon08:00-09:00", "mon-xyz", "xyz", "8:00-9:00",
     "08:00", "08:60-09:00", "08:00-24:01", "08:00-08:00", "24:00-06:00", "25:00-26:00", "mon-tue-wed"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        read_time_range(text)


def test_several() -> None:
    both = [read_time_range("mon"), read_time_range("tue/10:00-11:00")]
    assert any_holds(both, WeekTime(0, 5)) and any_holds(both, WeekTime(1, 600)) and not any_holds(both, WeekTime(1, 660))
    assert any_holds([], WeekTime(6, 0))


@pytest.mark.parametrize("text", ["", "mon", "mon 24:00", "abc 10:00", "day 10:00", "10:00", "mon 10:61", "mon 1:00"])
def test_no_time_of_the_week(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        read_week_time(text)


def test_a_time_reads_as_it_prints() -> None:
    assert str(read_week_time(" TUE/08:05 ")) == "tue 08:05" and read_week_time("tue 08:05") == WeekTime(1, 485)
