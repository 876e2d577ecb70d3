"""Addresses that nobody on the Internet can send from, where one is as good a proof as networks give; and those that no other
network routes to, where an answer to one is lost."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_OWN: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""The private networks of RFC 1918 and RFC 4193."""
PRIVATE_NETWORKS: Final = (*map(ip_network, ("127.0.0.0/8", "::1/128")), *_OWN)
"""With loopback."""
_BEHIND_NAT: Final = (*_OWN, ip_network("100.64.0.0/10"))
"""With the providers' shared space (RFC 6598), which others send from, too."""


def is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is loopback or private."""
    return any(address in network for network in PRIVATE_NETWORKS)


def is_behind_nat(host: str) -> bool:
    """Whether a host is an address that no other network routes to."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return any(address in network for network in _BEHIND_NAT)
