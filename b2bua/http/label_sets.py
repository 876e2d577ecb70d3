"""Label sets beyond those that a family shows: what is still told of them, so that sums stay true and series few."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar

from b2bua.observer import CODES

OTHER: Final = "other"
Key = TypeVar("Key", bound="tuple[str, ...] | str")

_DIRECTIONS: Final = {"in": "in", "out": "out"}
_TRANSPORTS: Final = {name: name for name in ("udp", "tcp", "tls", "ws", "wss", "memory")}
# An answered challenge is no failure: it must not be counted among the other 4xx.
_CLASSES: Final = {code: code if code in ("401", "407") else f"{code[0]}xx" for code in CODES.values()}

_TOLD: Final[Mapping[str, tuple[Mapping[str, str], ...]]] = {
    "requests": (_DIRECTIONS, {}, _TRANSPORTS),
    "responses": (_DIRECTIONS, {}, _CLASSES),
    "retransmissions": (_DIRECTIONS, {}),
}
"""Family → per label, value → what it is called there; whatever is left out is `other`."""


def folded(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Under which label values a set of this family is counted that is not shown by itself."""
    told = _TOLD.get(name)
    if told is None:
        return (OTHER,) * len(values)
    return tuple(names.get(value, OTHER) for names, value in zip(told, values, strict=True))


def split(
    expected: Iterable[Key], counted: Collection[Key], others: Mapping[Key, Key], most: int
) -> tuple[list[Key], dict[Key, list[Key]]]:
    """Which label values are shown by themselves, and which together: under what they are `others`. In the order in which
    they came up, so that what was shown once is always shown. What is called as its like are together counts there."""
    known = [values for values in {**dict.fromkeys(expected), **dict.fromkeys(counted)} if others.get(values) != values]
    together: dict[Key, list[Key]] = {}
    for values in [*known[most:], *(values for values in counted if others[values] == values)]:
        together.setdefault(others[values], []).append(values)
    return known[:most], together
