"""Settings of the event packages: which are served."""

from __future__ import annotations

from typing import Final

from b2bua.config_tables import nearest

KNOWN_PACKAGES: Final = ("dialog", "message-summary", "presence", "reg")
EVENT_PACKAGES: Final = ("dialog", "message-summary", "presence", "reg")
"""Those that are served unless others are named."""


def read_packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are, each once; ValueError for one that is not known."""
    for name in names:
        if name not in KNOWN_PACKAGES:
            known = nearest(name, dict.fromkeys(KNOWN_PACKAGES))
            raise ValueError(f"unknown event package {name!r}; the nearest known one is {known!r}")
    return tuple(dict.fromkeys(names))
