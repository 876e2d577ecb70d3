"""One entry of a setting that is a table of tables: a TOML table, or in the environment `KEY=VALUE KEY=VALUE`.

Each function raises ValueError with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from b2bua.config.tables import nearest

Values = dict[str, Any]
Keys = Mapping[str, type]
"""Key → `str`, `bool`, `int` or `list` (of texts)."""
_WORDS: Final = MappingProxyType({"true": True, "false": False})
_WANTED: Final = MappingProxyType({list: "a list of texts", bool: "true or false", str: "a text", int: "a whole number"})


def read_table(
    entries: Mapping[str, Values | str], keys: Keys, what: str, read: Callable[[Values], Values]
) -> dict[str, Values]:
    """Name → key → value, checked; `what` is one of them (`a routing policy`; "": any name will do), `read` gives the values
    of a grammar."""
    found = {}
    for name, entry in entries.items():
        try:
            found[name] = read_entry(name, _of_text(entry, keys) if isinstance(entry, str) else entry, keys, what, read)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return found


def wrong_entry(name: str, entry: object, keys: Keys, what: str, read: Callable[[Values], Values]) -> str:
    """What is wrong with one table, "" for nothing."""
    try:
        read_entry(name, entry, keys, what, read)
    except ValueError as error:
        return str(error)
    return ""


def read_entry(name: str, entry: object, keys: Keys, what: str, read: Callable[[Values], Values]) -> Values:
    """One table: known keys, values of their types, lists as tuples, and what `read` makes of it."""
    if what and not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ValueError(f"the name of {what} has letters, digits, - and _ only")
    if not isinstance(entry, dict):
        raise ValueError("a table is wanted")
    for key, value in entry.items():
        if key not in keys:
            raise ValueError(f"unknown key {key!r}; the nearest known key is {nearest(str(key), keys)!r}")
        if keys[key] is list:
            right = isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)
        else:
            right = type(value) is keys[key]
        if not right:
            raise ValueError(f"{key}: {_WANTED[keys[key]]} is wanted")
    made = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return made | read(made)


def _of_text(text: str, keys: Keys) -> Values:
    entry: Values = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not KEY=VALUE")
        kind = keys.get(key)
        if kind is list:
            entry[key] = value.split("|") if value else []
        elif kind is int:
            entry[key] = int(value) if value.lstrip("-").isdecimal() else value
        else:
            entry[key] = _WORDS.get(value, value) if kind is bool else value
    return entry
