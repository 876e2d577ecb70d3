"""The application sequences in the settings: of everybody, and of single users."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from b2bua.config.addresses import link_name
from b2bua.config.entry import Keys, Values, read_table, wrong_entry

USER_KEYS: Final[Keys] = MappingProxyType({"origination": list, "termination": list})
"""Of a user's table; what is left out is as everybody's."""


def read_sequence(names: Collection[str]) -> tuple[str, ...]:
    """Names of links in order; ValueError for one that stands there twice in a row, or is no name."""
    found = tuple(names)
    for name in found:
        if not link_name(name):
            raise ValueError("a link's name is empty")
    for name, following in pairwise(found):
        if name == following:
            raise ValueError(f"{name!r} stands there twice in a row")
    return found


def read_user_sequences(entries: dict[str, Values | str]) -> dict[str, Values]:
    """User → phase → names; in the environment `6001=origination=cm|recorder termination=cm`."""
    return read_table(entries, USER_KEYS, "", _user)


def wrong_user_sequences(name: str, entry: object) -> str:
    """What is wrong with one table, "" for nothing."""
    return wrong_entry(name, entry, USER_KEYS, "", _user)


def conflicts_of_sequences(
    sequences: Mapping[str, Collection[str] | None], users: Mapping[str, Values], links: Collection[str]
) -> Iterator[str]:
    """Names that stand for no link, a line each that begins with the key; `sequences` are settings that are lists."""
    for key, names in sequences.items():
        for name in names or ():
            if name not in links:
                yield f"{key}: there is no link {name!r}"
    for user, values in users.items():
        for phase, names in values.items():
            for name in names:
                if name not in links:
                    yield f"user_sequences: {phase} of {user}: there is no link {name!r}"


def _user(entry: Values) -> Values:
    for phase, names in entry.items():
        try:
            read_sequence(names)
        except ValueError as error:
            raise ValueError(f"{phase}: {error}") from None
    return {}
