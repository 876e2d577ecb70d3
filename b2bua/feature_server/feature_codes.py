"""Feature codes: what a user dials to have something done, `*72` or `*726003`, and the feature that does it.

A feature names its codes in `Feature.codes`; the configuration gives them other digits, or switches them off.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from b2bua.feature_server.feature import Feature

FIRST: Final = ("*", "#", "%")
"""What the user part of a Request-URI begins with where a code may stand in it: `#` has to be escaped there, `*` may be."""
_CODE: Final = re.compile(r"[*#][0-9*#]{1,15}")

_Owner = TypeVar("_Owner")


class Dialled(NamedTuple):
    """A code that a caller dialled."""

    feature: Feature
    name: str
    """Of the code, as in `Feature.codes`."""
    argument: str
    """What was dialled behind it, "" for nothing."""


class DialPlan:
    """The codes of some features: fixed, as calls keep the features that they began with."""

    def __init__(self, features: Sequence[Feature], chosen: Mapping[str, str]) -> None:
        self._codes = _plan(((feature, feature.codes) for feature in features), chosen)
        self._names = {name: feature for feature in features for name in feature.codes}

    def named(self, name: str) -> Dialled | None:
        """What a feature-name URI asks for: a code by its name, `do-not-disturb-off` or `do_not_disturb_off`, whatever its
        digits are and where it has none."""
        name = name.replace("-", "_")
        feature = self._names.get(name)
        return None if feature is None else Dialled(feature, name, "")

    def dialled(self, user: str) -> Dialled | None:
        """What a user part, unescaped, means."""
        code = _code_of(self._codes, user)
        return Dialled(*self._codes[code], user[len(code) :]) if code else None


def check_codes(features: Iterable[type[Feature]], chosen: Mapping[str, str]) -> None:
    """ValueError, a sentence, when these features cannot have these codes."""
    _plan(((feature, feature.codes) for feature in features), chosen)


def code_name(features: Iterable[type[Feature]], chosen: Mapping[str, str], user: str) -> str:
    """The name of the code that a user part means when these features have these codes; "" for none."""
    plan = _plan(((feature, feature.codes) for feature in features), chosen)
    code = _code_of(plan, user)
    return plan[code][1] if code else ""


def _code_of(codes: Iterable[str], user: str) -> str:
    """The one that counts: the longest that the user part begins with; "" for none."""
    return max((code for code in codes if user.startswith(code)), key=len, default="")


def _plan(owners: Iterable[tuple[_Owner, Mapping[str, str]]], chosen: Mapping[str, str]) -> dict[str, tuple[_Owner, str]]:
    found: dict[str, tuple[_Owner, str]] = {}
    names: set[str] = set()
    for owner, codes in owners:
        for name, usual in codes.items():
            code = chosen.get(name, usual)
            if name in names:
                raise ValueError(f"{name}: two features have a code of this name")
            names.add(name)
            if not code:
                continue
            if not _CODE.fullmatch(code):
                raise ValueError(f"{name}: {code!r} is no code: * or #, then 1 to 15 of 0-9, * and #")
            if code in found:
                raise ValueError(f"{name}: {code} is the code of {found[code][1]} already")
            found[code] = (owner, name)
    for name in chosen:
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            hint = f"; the nearest known name is {nearest[0]!r}" if nearest else ""
            raise ValueError(f"{name}: no feature in use has a code of this name{hint}")
    return found
