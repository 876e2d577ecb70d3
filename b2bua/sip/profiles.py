"""Profiles: what real phones and servers do where it differs from the RFCs, each behind a name and off by default.

One list of names for all users, and lists of their own for single ones. Whoever switches asks `has`; what a name switches
is a sentence of `SWITCHES`, which README.md repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

AVAYA: Final = "avaya"
PARTIAL: Final = "partial"
SINGLE_DIALOG: Final = "single_dialog"
PVALUE: Final = "pvalue"

SWITCHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        AVAYA: (
            "Digest nonces as Avaya's Session Manager makes them: 11 hex digits of the time and 32 more, a constant `opaque`, "
            "always `stale=false`; old ones stay good for a day and over a restart, with any `nc`. No protection from replay. "
            "SUBSCRIBE is answered 202, and the event packages `avaya-cm-feature-status` and `avaya-ccs-profile` are there."
        ),
        PARTIAL: "Lamp documents after the first one say only what has changed (RFC 4235 §3.4).",
        SINGLE_DIALOG: (
            "Lamp documents never have several calls: one that rings, else one that talks. For phones that crash on several."
        ),
        PVALUE: "`pvalue` in place of `pval` in lamp documents, as in the examples of RFC 4235: some phones read nothing else.",
    }
)
"""Name → what it switches."""


class Profiles:
    """Immutable. `realm`: the profiles of everybody without a list of his own, unknown users included; `users`: the lists of
    single users, which stand in place of it."""

    def __init__(
        self, realm: Sequence[str] = (), users: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> None:  # fmt: skip
        self.realm: Final = frozenset(realm)
        self.users: Final = {user: frozenset(names) for user, names in users.items()}

    def has(self, name: str, user: str) -> bool:
        """Whether this profile is switched on for this user ("" is nobody's)."""
        return name in self.users.get(user, self.realm)

    def anywhere(self, name: str) -> bool:
        """Whether it is switched on for anybody."""
        return name in self.realm or any(name in names for names in self.users.values())
