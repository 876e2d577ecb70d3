"""Which digest algorithms a realm offers and takes: one list for its users, and lists of their own for single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from b2bua.sip.digest_algorithms import MD5, SESSION, by_strength

AUTH: Final = "auth"
AUTH_INT: Final = "auth-int"
QOPS: Final = (AUTH, AUTH_INT)
"""Protection of the request line, and of the body, too (RFC 7616 §3.3)."""


class DigestOffer:
    """Immutable. The order in which the lists are given does not matter: the strongest algorithm stands first.

    `qop`: some of `QOPS`. `session_keys`: each algorithm is offered with `-sess` first. `userhash`: a user name may come
    hashed (RFC 7616 §3.4.4).
    """

    def __init__(
        self, realm: Sequence[str] = (MD5,), users: Mapping[str, Sequence[str]] = MappingProxyType({}),
        qop: Sequence[str] = (AUTH,), session_keys: bool = False, userhash: bool = False,
    ) -> None:  # fmt: skip
        self.realm: Final = by_strength(realm)
        """For users without a list of their own, unknown ones included."""
        self.users: Final = {user: by_strength(names) for user, names in users.items()}
        self.all: Final = frozenset(self.realm).union(*self.users.values())
        """Every algorithm accepted from at least one user."""
        self.qop: Final = tuple(name for name in QOPS if name in qop)
        self.userhash: Final = userhash
        self._session_keys = session_keys
        self.accepted: Final = {name.upper(): name for name in self.challenged(by_strength(self.all))}
        """What credentials may name as their algorithm, in capitals → as we write it."""

    def challenged(self, algorithms: Sequence[str]) -> tuple[str, ...]:
        """The algorithms as challenges name them, in order."""
        if not self._session_keys:
            return tuple(algorithms)
        return tuple(name for algorithm in algorithms for name in (algorithm + SESSION, algorithm))

    def of(self, user: str) -> tuple[str, ...]:
        """The algorithms of one user."""
        return self.users.get(user, self.realm)
