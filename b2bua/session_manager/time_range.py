"""Times of the week: `mon-fri/08:00-18:00`, `sat-sun`, `22:00-06:00`. Local time of the server; whose clock is handed in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
_TEXT: Final = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))?)?(/)?(?:(\d\d):(\d\d)-(\d\d):(\d\d))?\Z")


class WeekTime(NamedTuple):
    """A minute of the week."""

    day: int
    """0 is Monday."""
    minute: int
    """Since midnight."""

    def __str__(self) -> str:
        return f"{DAYS[self.day]} {self.minute // 60:02}:{self.minute % 60:02}"


class TimeRange(NamedTuple):
    """Some minutes of some days. A range that passes midnight belongs to the day on which it begins."""

    text: str
    days: frozenset[int]
    start: int
    """Minute of the day at which it begins."""
    end: int
    """Minute at which it is over; of the next day where that is not after `start`."""

    def holds(self, when: WeekTime) -> bool:
        day, minute = when
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


def read_time_range(text: str) -> TimeRange:
    """ValueError for a text that is none."""
    match = _TEXT.match(text)
    if match is None or not text:
        raise _wrong(text)
    first, last, slash, *times = match.groups()
    if bool(slash) != bool(first and times[0]):
        raise _wrong(text)
    if first is None:
        days = frozenset(range(7))
    else:
        if first not in DAYS or (last or first) not in DAYS:
            raise _wrong(text)
        begin, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
        days = frozenset((begin + day) % 7 for day in range(length + 1))
    if times[0] is None:
        return TimeRange(text, days, 0, DAY)
    start, end = _minute(text, times[0], times[1]), _minute(text, times[2], times[3])
    if start in (end, DAY):
        raise ValueError(f"{text!r} lasts no time")
    return TimeRange(text, days, start, end)


def read_week_time(text: str) -> WeekTime:
    """`tue 08:30`; ValueError for anything else."""
    match = re.fullmatch(r"([a-z]{3})[ /](\d\d):(\d\d)", text.strip().lower())
    if match is None or match[1] not in DAYS or _minute(text, match[2], match[3]) == DAY:
        raise ValueError(f"{text!r} is no time of the week as `tue 08:30`")
    return WeekTime(DAYS.index(match[1]), _minute(text, match[2], match[3]))


def any_holds(ranges: Iterable[TimeRange], when: WeekTime) -> bool:
    """Whether one of them does; without any it is always time."""
    found = list(ranges)
    return not found or any(each.holds(when) for each in found)


def _minute(text: str, hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > DAY:
        raise ValueError(f"{text!r}: {hours}:{minutes} is no time of day")
    return minute


def _wrong(text: str) -> ValueError:
    return ValueError(f"{text!r} is no time as `mon-fri/08:00-18:00`, `sat-sun` or `22:00-06:00`")
