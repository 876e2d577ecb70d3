"""Who is behind an address: the names that stand in a trace in place of `ip:port`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from b2bua.sip.flow import HostPort
from b2bua.sip.uri import host_text

SM: Final = "SM"
CM: Final = "CM"
ROLES: Final = (SM, CM)

MAX_USERS: Final = 65_536
"""Pairs of user and address that are remembered; the address learnt first goes first."""


class Directory:
    """Addresses with the users that registered from them, and the elements (a remote CM, a trunk) that were named."""

    def __init__(self, limit: int = MAX_USERS) -> None:
        self._limit = limit
        self._pairs = 0
        self._users: OrderedDict[HostPort, dict[str, None]] = OrderedDict()
        self._elements: dict[HostPort, str] = {}

    def learn(self, user: str, address: HostPort) -> None:
        """`user` registered from `address`."""
        users = self._users.setdefault(address, {})
        if user in users:
            return
        users[user] = None
        self._pairs += 1
        while self._pairs > self._limit:
            _, gone = self._users.popitem(last=False)
            self._pairs -= len(gone)

    def element(self, name: str, address: HostPort) -> None:
        """A peer with a fixed name: `CM` on another host, a trunk. It stands before any user at that address."""
        self._elements[address] = name

    def pairs(self) -> list[tuple[str, HostPort, bool]]:
        """All that is known: name, address, and whether it is an element; addresses in the order in which they were learnt."""
        users = [(user, address, False) for address, known in self._users.items() for user in known]
        return users + [(name, address, True) for address, name in self._elements.items()]

    @property
    def size(self) -> int:
        """How much is known: it changes with nearly all that is learnt."""
        return self._pairs + len(self._elements)

    def name(self, address: HostPort, candidates: Iterable[str]) -> str:
        """The name of a peer. `candidates` are the users that the message names for that side, best first.

        Where several users share an address (a load generator, a PBX behind ours) the message tells which it is; where
        it names none of them and only one is there, it is that one.
        """
        element = self._elements.get(address)
        if element is not None:
            return element
        users = self._users.get(address)
        if users:
            for candidate in candidates:
                if candidate in users:
                    return candidate
            if len(users) == 1:
                return next(iter(users))
        return f"{host_text(address[0])}:{address[1]}"
