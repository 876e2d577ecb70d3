"""Which of several failures a caller hears (RFC 3261 §16.7 step 6)."""

from __future__ import annotations

import pytest

from b2bua.sip.best_response import rank
from b2bua.sip.reason import REASON

FAILURES = [status for status in REASON if status >= 300]


def _place(status: int) -> int:
    if status in (401, 407, 415, 420, 484):
        return 1
    return 3 if status == 503 else 2


@pytest.mark.parametrize("status", FAILURES)
def test_within_a_class_five_come_first_and_503_last(status: int) -> None:
    for other in FAILURES:
        if other // 100 == status // 100:
            assert (rank(status) < rank(other)) == (_place(status) < _place(other)), other


@pytest.mark.parametrize("status", FAILURES)
def test_a_6xx_comes_before_all_then_the_lowest_class(status: int) -> None:
    order = [6, 3, 4, 5]
    for other in FAILURES:
        if other // 100 != status // 100:
            assert (rank(status) < rank(other)) == (order.index(status // 100) < order.index(other // 100)), other
