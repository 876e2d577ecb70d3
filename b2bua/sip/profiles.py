"""Profiles: what real phones and servers do where it differs from the RFCs, each behind a name and off by default.

One list of names for all users, and lists of their own for single ones. Whoever switches asks `has`; what a name switches
is a sentence of `SWITCHES`, which b2bua/config/README.md repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

AVAYA: Final = "avaya"
PARTIAL: Final = "partial"
SINGLE_DIALOG: Final = "single_dialog"
PVALUE: Final = "pvalue"
ASTERISK: Final = "asterisk"

SERVERS: Final = frozenset((AVAYA, ASTERISK))
"""Each imitates one server as a whole: a user has at most one of them."""

SWITCHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        AVAYA: (
            "Digest nonces as Avaya's Session Manager makes them: 11 hex digits of the time and 32 more, a constant `opaque`, "
            "always `stale=false`; old ones stay good for a day and over a restart, with any `nc`. No protection from replay. "
            "SUBSCRIBE is answered 202, and the event packages `avaya-cm-feature-status` and `avaya-ccs-profile` are there."
        ),
        ASTERISK: (
            "What Asterisk (chan_pjsip) does. Whatever is challenged gets 401 and WWW-Authenticate, as by a user agent server; "
            "in a dialog nothing is challenged, unless `challenge` has a row for it. Nonces are `SECONDS/32 hex digits`, good "
            "for 32 s, from the same address, with any `nc`; no protection from replay. A REGISTER for less than "
            "`registration_expires_min` is granted that much, no 423. Lamp documents show one state of the whole phone."
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

    def of(self, user: str) -> frozenset[str]:
        """All of this user."""
        return self.users.get(user, self.realm)

    def others(self, name: str) -> tuple[str, ...]:
        """The users for whom this one is on where it is off for everybody else, or off where it is on."""
        return tuple(user for user, names in self.users.items() if (name in names) is not (name in self.realm))

    def anywhere(self, name: str) -> bool:
        """Whether it is switched on for the domain or for any user."""
        return name in self.realm or any(name in names for names in self.users.values())
