"""Settings of the log: levels by area.

`read_…` raises ValueError with a sentence; `wrong_…` gives it, "" for none.
"""

from __future__ import annotations

from b2bua.config.tables import nearest
from b2bua.log.events import ALL, AREAS, LEVELS


def wrong_log_level(area: str, level: object) -> str:
    """What is wrong with the level of an area, "" for nothing."""
    known = {ALL: "", **AREAS}
    if area not in known:
        return f"unknown area {area!r}; the nearest known area is {nearest(area, known)!r}"
    if level not in LEVELS:
        return f"{level!r} is none of {', '.join(LEVELS)}"
    return ""


def read_log_levels(levels: dict[str, str]) -> dict[str, str]:
    """Area → level, as they are."""
    for area, level in levels.items():
        if what := wrong_log_level(area, level):
            raise ValueError(f"{area}: {what}")
    return levels


def split_log_levels(texts: tuple[str, ...]) -> str:
    """What the option gives, as the environment has it: a level alone is that of all areas."""
    return ",".join(text if "=" in text else f"{ALL}={text}" for text in texts)
