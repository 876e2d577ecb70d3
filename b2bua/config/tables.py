"""Settings that are tables or lists of fixed words: challenges per method and user, digest algorithms and profiles per realm
and user.

A `read_…` raises ValueError with a sentence. A `wrong_…` looks at one entry and gives that sentence, "" for none.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from b2bua.sip.digest_algorithms import STRENGTH, by_strength
from b2bua.sip.profiles import SERVERS, SWITCHES

CHALLENGEABLE: Final = frozenset(
    ("REGISTER", "SUBSCRIBE", "INVITE", "PUBLISH", "OPTIONS", "MESSAGE", "REFER", "UPDATE", "PRACK", "BYE", "INFO")
)  # fmt: skip
"""Methods whose challenge can be set, beside `re-INVITE`. ACK and CANCEL cannot be (RFC 3261 §22.1), NOTIFY never is."""

REINVITE: Final = "re-INVITE"
"""INVITE in dialog; INVITE alone is the one out of dialog."""


def nearest(key: str, known: Mapping[str, object]) -> str:
    """The known key most like this one; there is one always."""
    return difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]


def read_pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of a table in the environment."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text.strip()!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def wrong_challenge(method: str, choice: object) -> str:
    """What is wrong with an override of the challenge policy, "" for nothing."""
    if method in ("ACK", "CANCEL", "NOTIFY"):
        return f"{method} is never challenged"
    if method not in CHALLENGEABLE and method != REINVITE:
        known = nearest(method.upper(), {name.upper(): name for name in (*sorted(CHALLENGEABLE), REINVITE)})
        known = REINVITE if known == REINVITE.upper() else known
        return f"unknown method {method!r}; the nearest known method is {known!r}"
    if choice not in ("401", "407", "none"):
        return f"{choice!r} is none of 401, 407, none (as text)"
    if method == "REGISTER" and choice == "none":
        return "REGISTER is always challenged"
    return ""


def read_challenges(choices: dict[str, str]) -> dict[str, str]:
    """Method → challenge, as they are."""
    for method, choice in choices.items():
        if what := wrong_challenge(method, choice):
            raise ValueError(f"{method}: {what}")
    return choices


def wrong_user_challenges(_user: str, choices: object) -> str:
    """What is wrong with the challenges of one user, "" for nothing."""
    if not isinstance(choices, dict) or not choices:
        return "a table of method = challenge is wanted"
    return next((f"{method}: {what}" for method, choice in choices.items() if (what := wrong_challenge(method, choice))), "")


def read_user_challenges(users: dict[str, dict[str, str] | str]) -> dict[str, dict[str, str]]:
    """User → method → challenge; in the environment those of one user are `BYE:407+INFO:none`."""
    found = {}
    for user, given in users.items():
        choices = given
        if isinstance(choices, str):
            parts = [part.partition(":") for part in choices.split("+")]
            choices = {method.strip(): choice.strip() for method, _, choice in parts}
        if what := wrong_user_challenges(user, choices):
            raise ValueError(f"{user}: {what}")
        found[user] = choices
    return found


def read_algorithms(names: object) -> tuple[str, ...]:
    """A list of digest algorithms, the strongest first however it was written."""
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"a list of {', '.join(reversed(STRENGTH))} is wanted")
    for name in names:
        if name not in STRENGTH:
            known = nearest(str(name).upper(), dict.fromkeys(STRENGTH))
            raise ValueError(f"unknown algorithm {name!r}; the nearest known algorithm is {known!r}")
    return by_strength(names)


def read_profiles(names: object) -> tuple[str, ...]:
    """A list of profiles, empty or not, each of them once."""
    if not isinstance(names, list | tuple):
        raise ValueError(f"a list of {', '.join(SWITCHES)} is wanted")
    for name in names:
        if name not in SWITCHES:
            raise ValueError(f"unknown profile {name!r}; the nearest known profile is {nearest(str(name), SWITCHES)!r}")
    if len(servers := SERVERS.intersection(names)) > 1:
        raise ValueError(f"{' and '.join(sorted(servers))} are two servers, and one is imitated")
    return tuple(dict.fromkeys(names))


def wrong_algorithms(_user: str, names: object) -> str:
    """What is wrong with the list of one user, "" for nothing."""
    return _wrong(read_algorithms, names)


def wrong_profiles(_user: str, names: object) -> str:
    """The same of his profiles."""
    return _wrong(read_profiles, names)


def _wrong(read: Callable[[object], tuple[str, ...]], names: object) -> str:
    try:
        read(names)
    except ValueError as error:
        return str(error)
    return ""


def read_user_lists(lists: dict[str, tuple[str, ...] | str]) -> dict[str, tuple[str, ...]]:
    """User → algorithms; in the environment those of one user are joined by +."""
    return _user_lists(read_algorithms, lists)


def read_user_profiles(lists: dict[str, tuple[str, ...] | str]) -> dict[str, tuple[str, ...]]:
    """User → profiles, in the same form; `6003=` has none."""
    return _user_lists(read_profiles, lists)


def _user_lists(
    read: Callable[[object], tuple[str, ...]], lists: dict[str, tuple[str, ...] | str]
) -> dict[str, tuple[str, ...]]:
    found = {}
    for user, names in lists.items():
        given = [name for name in names.split("+") if name] if isinstance(names, str) else names
        try:
            found[user] = read(given)
        except ValueError as error:
            raise ValueError(f"{user}: {error}") from None
    return found


ENTRIES: Final[Mapping[str, Callable[[str, object], str]]] = MappingProxyType(
    {
        "challenge": wrong_challenge, "user_challenge": wrong_user_challenges, "user_digest_algorithms": wrong_algorithms,
        "user_profiles": wrong_profiles,
    }
)
"""Tables of a file whose entries are checked one by one, so that an error has the entry's line."""
