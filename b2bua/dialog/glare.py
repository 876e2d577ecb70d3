"""Glare: how long whoever is answered 491 waits before its one retry (RFC 3261 §14.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

OWNER_WAITS: Final[tuple[float, ...]] = (2.1, 4.0)
"""Seconds for the side that made the Call-ID."""
OTHER_WAITS: Final[tuple[float, ...]] = (0.0, 2.0)
DECIMALS: Final = 2
"""Both go in steps of 10 ms."""


def wait_after_491(owner: bool, uniform: Callable[[float, float], float]) -> float:
    """The seconds, drawn by `uniform`; `owner`: whether we made the dialog's Call-ID."""
    low, high = OWNER_WAITS if owner else OTHER_WAITS
    return round(uniform(low, high), DECIMALS)
