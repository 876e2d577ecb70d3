"""What every transport asks about addresses: is it one, of which family, and which of ours leads there."""

from __future__ import annotations

import socket
from typing import Final

from b2bua.sip.flow import HostPort
from b2bua.sip.uri import host_text

WILDCARDS: Final = ("0.0.0.0", "::", "")


def is_address(host: str) -> bool:
    """Whether a host is an IP address; anything else the kernel's resolver would look up."""
    try:
        socket.inet_pton(family_of(host), host)
    except (OSError, ValueError):
        return False
    return True


def family_of(host: str) -> socket.AddressFamily:
    """AF_INET6 for an IPv6 address, AF_INET for anything else."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listener_name(transport: str, bound: HostPort) -> str:
    """`udp:192.0.2.1:5060`, `tcp:[2001:db8::1]:5060`: what tokens, records and the ready line call a listener."""
    return f"{transport}:{host_text(bound[0])}:{bound[1]}"


def kernel_address(wildcard: str, remote: HostPort) -> str:
    """The source address that the kernel picks towards a peer: asked of an unsent, connected socket."""
    family = family_of(wildcard)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote[0], remote[1] or 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
