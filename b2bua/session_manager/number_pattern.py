"""Patterns of numbers: what a number begins with, position by position.

    0           begins with 0                     x           any digit; the letter itself is [x]
    [2-9]       one of these signs                $           at the end: the number ends here
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_SIGN: Final = "[0-9A-Za-z+*#._-]"
_PARTS: Final = re.compile(rf"\[{_SIGN}+\]|{_SIGN}|\$\Z")
DIGITS: Final = "0123456789"


class NumberPattern(NamedTuple):
    """Read by `read_pattern`."""

    text: str
    positions: tuple[str, ...]
    """The signs that may stand at each position."""
    whole: bool
    """Whether the number is no longer than the pattern."""

    def matches(self, number: str) -> bool:
        """Whether a number (an unescaped user part) begins so."""
        length = len(self.positions)
        if len(number) < length or (self.whole and len(number) != length):
            return False
        return all(sign in signs for sign, signs in zip(number, self.positions, strict=False))

    @property
    def precision(self) -> tuple[int, int, bool]:
        """Of two patterns that match the one with the higher precision says more: the longer one, then the one with fewer
        signs to choose from, then the one that names the end."""
        return len(self.positions), -sum(map(len, self.positions)), self.whole


def read_pattern(text: str) -> NumberPattern:
    """ValueError for a text that is no pattern."""
    parts = _PARTS.findall(text)
    if text in ("", "$") or "".join(parts) != text:
        raise ValueError(f"{text!r} is no pattern of numbers: digits, + * #, x, [2-9], $ at the end")
    whole = parts[-1] == "$"
    return NumberPattern(text, tuple(_signs(part) for part in (parts[:-1] if whole else parts)), whole)


def _signs(part: str) -> str:
    if part == "x":
        return DIGITS
    if not part.startswith("["):
        return part
    found: list[str] = []
    inside = part[1:-1]
    index = 0
    while index < len(inside):
        low = high = inside[index]
        if inside[index + 1 : index + 2] == "-" and index + 2 < len(inside):
            high = inside[index + 2]
            index += 2
        if high < low:
            raise ValueError(f"{part!r}: {low}-{high} runs backwards")
        found += map(chr, range(ord(low), ord(high) + 1))
        index += 1
    return "".join(dict.fromkeys(found))
