"""The wait after a 491: its band, and its steps of 10 ms (RFC 3261 §14.1)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest

from b2bua.dialog.glare import wait_after_491

STEP = Fraction(1, 100)


@pytest.mark.row(3)
@pytest.mark.parametrize(("owner", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_every_wait_is_in_its_band_and_a_multiple_of_10_ms(owner: bool, low: float, high: float) -> None:
    random = Random(491)
    waits = {wait_after_491(owner, random.uniform) for _ in range(5000)}
    assert all(float(round(Fraction(wait) / STEP) * STEP) == wait for wait in waits)
    # Every step of the band comes, its ends too, and nothing between two steps.
    assert sorted(waits) == [float(number * STEP) for number in range(round(low * 100), round(high * 100) + 1)]


@pytest.mark.parametrize("owner", [True, False])
def test_what_is_drawn_is_asked_for_once_and_within_the_band(owner: bool) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low + 0.0049

    assert wait_after_491(owner, uniform) == (2.1 if owner else 0.0)
    assert asked == [(2.1, 4.0) if owner else (0.0, 2.0)]
