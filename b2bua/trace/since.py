"""Lengths and points of time as people write them: `90`, `30m`, `24h`, `7d`; a point also `16:20` and `2026-01-31 16:20`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_LENGTH: Final = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST: Final = 366 * 86_400
"""Seconds."""


def seconds_in(text: str) -> float:
    """A length of time in seconds; ValueError when it is none, or longer than a year."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: 90, 30m, 24h, 7d")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than a year")
    return float(seconds)


def time_of(text: str, now: float) -> float:
    """Unix seconds: so long ago, or a local date and time, or a time of day that has been last; ValueError for neither."""
    text = text.strip()
    if _LENGTH.fullmatch(text):
        return now - seconds_in(text)
    here = datetime.fromtimestamp(now)
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        clock = [int(part) for part in text.split(":")]
        try:
            today = here.replace(hour=clock[0], minute=clock[1], second=clock[2] if len(clock) > 2 else 0, microsecond=0)
        except ValueError:
            raise ValueError(f"{text!r} is no time of day") from None
        return today.timestamp() - (86_400 if today.timestamp() > now else 0)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: 24h, 16:20, 2026-01-31 16:20") from None
