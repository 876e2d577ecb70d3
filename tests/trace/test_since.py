"""Lengths and points of time as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from b2bua.trace.since import seconds_in, time_of

NOON = datetime(2026, 3, 4, 12, 0, 0).timestamp()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("24h", 86_400), (" 7d ", 604_800)])
def test_lengths(text: str, seconds: float) -> None:
    assert seconds_in(text) == seconds
    assert time_of(text, NOON) == NOON - seconds


@pytest.mark.parametrize("text", ["", "x", "-3", "1y", "400d", "3 h", "9999999999"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ValueError):
        seconds_in(text)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("11:30", datetime(2026, 3, 4, 11, 30)), ("12:00:01", datetime(2026, 3, 3, 12, 0, 1)),
        ("2026-01-31 16:20", datetime(2026, 1, 31, 16, 20)),
    ],
)
def test_points(text: str, then: datetime) -> None:
    assert time_of(text, NOON) == then.timestamp()


@pytest.mark.parametrize("text", ["25:00", "yesterday", "2026-13-01", "12:60"])
def test_what_is_no_point(text: str) -> None:
    with pytest.raises(ValueError):
        time_of(text, NOON)
