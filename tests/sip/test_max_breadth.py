"""RFC 5393 §5.3: every request has a Max-Breadth, forking splits it, no hop takes of it."""

from __future__ import annotations

import pytest

from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.max_breadth import breadth_of, put_breadth, split
from tests.transaction.neighbours import request


@pytest.mark.parametrize(("stated", "breadth"), [(None, 60), ("60", 60), ("7", 7), ("1", 1), ("61", 60), ("9999999999", 60)])
def test_what_a_request_may_become(stated: str | None, breadth: int) -> None:
    received = request(more=(("Max-Breadth", stated),) if stated else ())
    assert breadth_of(received) == breadth
    sent = received.copy()
    put_breadth(sent, received)
    assert sent.get_all("Max-Breadth") == [str(breadth)]


@pytest.mark.parametrize(("stated", "status"), [("0", 440), ("00", 440), ("many", 400), ("-1", 400), ("", 400)])
def test_nothing_left_or_no_number(stated: str, status: int) -> None:
    with pytest.raises(SipError) as refused:
        breadth_of(request(more=(("Max-Breadth", stated),)))
    assert refused.value.status == status
    assert isinstance(refused.value, MalformedValue) is (status == 400)


@pytest.mark.parametrize(
    ("breadth", "branches", "shares"), [(60, 1, [60]), (60, 2, [30, 30]), (5, 3, [2, 2, 1]), (3, 3, [1, 1, 1]), (1, 1, [1])]
)
def test_all_of_it_is_given_out(breadth: int, branches: int, shares: list[int]) -> None:
    assert split(breadth, branches) == shares and sum(shares) == breadth


def test_too_little_for_all_branches() -> None:
    with pytest.raises(SipError) as refused:
        split(2, 3)
    assert refused.value.status == 440
