"""Addresses that nobody on the Internet can send from: where one is as good a proof as networks give."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

PRIVATE_NETWORKS: Final = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Loopback and the private networks of RFC 1918 and RFC 4193."""


def is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is loopback or private."""
    return any(address in network for network in PRIVATE_NETWORKS)
