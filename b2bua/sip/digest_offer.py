"""Which digest algorithms a realm offers and takes: one list for its users, and lists of their own for single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from b2bua.sip.digest_algorithms import MD5, by_strength


class DigestOffer:
    """Immutable. The order in which the lists are given does not matter: the strongest algorithm stands first."""

    def __init__(self, realm: Sequence[str] = (MD5,), users: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        self.realm: Final = by_strength(realm)
        """For everybody without a list of his own, unknown users included."""
        self.users: Final = {user: by_strength(names) for user, names in users.items()}
        self.all: Final = frozenset(self.realm).union(*self.users.values())
        """What is taken of somebody at all."""

    def of(self, user: str) -> tuple[str, ...]:
        """The algorithms of one user."""
        return self.users.get(user, self.realm)
