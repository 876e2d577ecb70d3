"""Settings of the event packages: which are served."""

from __future__ import annotations

from typing import Final

from b2bua.config.tables import nearest

KNOWN_PACKAGES: Final = (
    "dialog", "message-summary", "presence", "reg", "avaya-cm-feature-status", "avaya-ccs-profile",
)  # fmt: skip
EVENT_PACKAGES: Final = ("dialog", "message-summary", "presence", "reg")
"""Those that are served unless others are named."""


MAX_MEMBERS: Final = 64
"""Users of one list: what fits into one datagram where a phone takes no connection, at some 900 bytes each."""


def wrong_list(name: str, users: object) -> str:
    """What is wrong with one list, "" for nothing."""
    if not isinstance(users, list | tuple) or not users or not all(isinstance(user, str) and user for user in users):
        return "a list of users is wanted"
    if len(users) > MAX_MEMBERS:
        return f"{len(users)} users are more than {MAX_MEMBERS}"
    if len(set(users)) < len(users):
        return "a user stands there twice"
    return "" if name else "a list needs a name"


def read_lists(lists: dict[str, tuple[str, ...] | str]) -> dict[str, tuple[str, ...]]:
    """Name → users; in the environment those of one list are joined by +."""
    found = {}
    for name, given in lists.items():
        users = tuple(given.split("+")) if isinstance(given, str) else given
        if what := wrong_list(name, users):
            raise ValueError(f"{name}: {what}")
        found[name] = users
    return found


def read_packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are, each once; ValueError for one that is not known."""
    for name in names:
        if name not in KNOWN_PACKAGES:
            known = nearest(name, dict.fromkeys(KNOWN_PACKAGES))
            raise ValueError(f"unknown event package {name!r}; the nearest known one is {known!r}")
    return tuple(dict.fromkeys(names))
