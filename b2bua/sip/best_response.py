"""The best of several failure responses (RFC 3261 §16.7 step 6), for a proxy or B2BUA that forks."""

from __future__ import annotations

from typing import Final

_PREFERRED: Final = frozenset((401, 407, 415, 420, 484))
"""Of the failures of one class these tell the caller most."""


def rank(status: int) -> tuple[int, int]:
    """Order of preference, the best is the least: any 6xx, then the lowest class, then what tells most; 503 last."""
    family = 0 if status >= 600 else status // 100
    return family, 0 if status in _PREFERRED else 2 if status == 503 else 1
