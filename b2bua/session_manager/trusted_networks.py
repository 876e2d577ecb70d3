"""Networks of our trust domain (RFC 3325 §1): whoever sends from there has authenticated its users itself.

Its requests are not challenged, and its P-Asserted-Identity is believed. Anybody can put any address on a datagram: over UDP
only private networks count, elsewhere only connections, whose address is proven.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.users import Users
from b2bua.sip.address import parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.sip.private_networks import is_private

MAX_REMEMBERED: Final = 4096
"""Addresses whose answer is remembered; at that many the memory starts anew."""


class TrustedNetworks:
    """`networks`: IPv4 and IPv6 ones."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self._known: dict[tuple[bool, str], bool] = {}

    def holds(self, flow: Flow) -> bool:
        """Whether who sends on this flow is trusted."""
        key = flow.transport == "udp", flow.remote[0]
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[key] = self._look(*key)
        return known

    def _look(self, by_datagram: bool, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 peer of a socket for both
        address = address if mapped is None else mapped
        return any(address in network for network in self._networks) and (not by_datagram or is_private(address))


def asserted_user(request: Request, domain: Domain, users: Users) -> str:
    """The user of ours who a trusted peer says sends this: in P-Asserted-Identity, in From where it asserts nothing; "" for
    somebody who is none."""
    asserted = request.elements("P-Asserted-Identity")
    for text in asserted or [request.get("From") or ""]:
        try:
            user = domain.user_of(parse_address(text).parsed_uri())
        except MalformedValue:
            continue
        if user and users.user(user) is not None:
            return user
    return ""
