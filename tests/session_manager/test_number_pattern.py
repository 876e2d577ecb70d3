"""Patterns of numbers: what matches, which of two says more, and what is none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from b2bua.session_manager.number_pattern import read_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("0", ("0", "030"), ("", "1", "+0")),
        ("0x", ("00", "0123"), ("0", "0a", "0*")),
        ("0[1-39]", ("01", "03", "09"), ("00", "04", "0-")),
        ("0[1-]", ("01", "0-"), ("02",)),
        ("110$", ("110",), ("11", "1100")),
        ("[x]1", ("x1",), ("11",)),
        ("*#+.A-_", ("*#+.A-_9",), ("*#+.a-_",)),
        ("xx$", ("12",), ("1", "123")),
    ],
)
def test_what_matches(pattern: str, matching: tuple[str, ...], others: tuple[str, ...]) -> None:
    read = read_pattern(pattern)
    assert all(read.matches(number) for number in matching)
    assert not any(read.matches(number) for number in others)


@pytest.mark.parametrize("text", ["", "$", "0$1", "0 1", "[", "[]", "0[1", "é", "(", "[3-1]", "0|1"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|backwards"):
        read_pattern(text)


def test_which_says_more() -> None:
    ordered = ["0", "xx", "0x", "0[12]", "01", "01$", "[12]xx", "0xx"]
    precisions = [read_pattern(text).precision for text in ordered]
    assert all(one < other for one, other in pairwise(precisions))
