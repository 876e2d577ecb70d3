"""Which addresses are ours: the domain, its aliases, and every address we listen on or advertise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import HostPort
from b2bua.sip.uri import DEFAULT_PORTS, Uri, parse_uri

MAX_REMEMBERED: Final = 8192
"""URIs whose user is remembered; at that many the memory starts anew."""
_UNSPECIFIED: Final = ("0.0.0.0", "::")


class Domain:
    """The domain that Session Manager is responsible for. Its name is the realm."""

    def __init__(self, name: str, aliases: Iterable[str] = ()) -> None:
        self.name = name.lower()
        self._names = {self.name, *(alias.lower() for alias in aliases)}
        self._addresses: set[HostPort] = set()
        self._hosts: set[str] = set()
        self._users: dict[str, str | None] = {}

    def listens_on(self, addresses: Iterable[HostPort]) -> None:
        """Take listening and advertised addresses in; of a wildcard each address is taken once a peer is seen on it."""
        for host, port in addresses:
            if host and host not in _UNSPECIFIED:
                self.local_address_seen((host.lower(), port))

    def local_address_seen(self, address: HostPort) -> None:
        """A wildcard listener talks to some peer from this address: from now on it is an alias."""
        if address not in self._addresses:
            self._addresses.add(address)
            self._hosts.add(address[0])
            self._users.clear()

    def is_alias(self, host: str, port: int | None) -> bool:
        """Whether host and port are the domain: a name of ours with any port, an address with our port or none."""
        if (host, port) in self._addresses:  # as most peers write it
            return True
        host = host.strip("[]").lower()
        if host in self._names:
            return True
        if port is None:
            return host in self._hosts
        return (host, port) in self._addresses

    def is_listener(self, uri: Uri) -> bool:
        """Whether a URI leads to a socket of ours, without a port to its transport's own: no Contact may do so."""
        port = uri.port or DEFAULT_PORTS.get(uri.transport, 5060)
        return (uri.bare_host, port) in self._addresses

    def is_ours(self, address: HostPort) -> bool:
        """Whether a socket address is one of ours; that of a wildcard counts, which leads to this host."""
        return address in self._addresses or address[0] in _UNSPECIFIED

    def user_of(self, uri: Uri) -> str | None:
        """The user part, unescaped, when the URI is an address of record of ours ("" for the domain itself), else None."""
        if uri.scheme not in ("sip", "sips") or not self.is_alias(uri.host, uri.port):
            return None
        return uri.username

    def user_in(self, text: str) -> str | None:
        """`user_of` for a URI as text; None when it does not parse. Remembered: the same few come in every message."""
        known = self._users.get(text, "")
        if known != "":
            return known
        try:
            user = self.user_of(parse_uri(text))
        except MalformedValue:
            user = None
        if len(self._users) >= MAX_REMEMBERED:
            self._users.clear()
        self._users[text] = user
        return user

    def aor(self, user: str) -> str:
        """The canonical address of record of a user."""
        return f"sip:{user}@{self.name}"
