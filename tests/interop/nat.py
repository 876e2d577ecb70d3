"""A phone's network behind NAT, made of network namespaces: public (server, other phones) — router — private.

The namespaces are held by file descriptors of this process alone, so whatever ends it cleans up. Nothing of the
machine's own network is touched. Needs root and nftables.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PUBLIC: Final = "198.51.100.1"
ROUTER: Final = "198.51.100.2"
"""What the public side sees of the phones behind NAT, at ports from MAPPED on."""
PRIVATE: Final = "192.168.7.2"
MAPPED: Final = range(40000, 50000)

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET
# Ports are changed, as most routers do; from outside only answers come in.
_RULES: Final = f"""
table ip router {{
  chain out {{
    type nat hook postrouting priority 100;
    oifname "out" meta l4proto {{ tcp, udp }} masquerade to :{MAPPED.start}-{MAPPED.stop - 1} random
  }}
  chain pass {{
    type filter hook forward priority 0; policy drop;
    iifname "in" accept
    ct state established,related accept
  }}
}}
"""

_libc: Final = ctypes.CDLL(None, use_errno=True)


class NoNamespaces(AssertionError):
    """This machine lets us make no network namespaces; nothing was tested."""


class Nat:
    """The three networks. `close` leaves them; they end with their last process."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._made: list[int] = []
        try:
            self.public, self.router, self.private = (self._new() for _ in range(3))
            self._wire()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for descriptor in [*self._made, self._home]:
            os.close(descriptor)
        self._made.clear()

    @contextmanager
    def inside(self, network: int) -> Iterator[None]:
        """What is started, bound or connected here is in that network, and stays there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _enter(network)
        try:
            yield
        finally:
            _enter(before)
            os.close(before)

    def holes_last(self, seconds: int) -> None:
        """How long the router remembers a silent UDP flow."""
        with self.inside(self.router):
            for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
                _set(f"net/netfilter/{name}", str(seconds))

    def _new(self) -> int:
        if _libc.unshare(_NEW_NETWORK) != 0:
            raise NoNamespaces(f"no network namespace can be made here: {os.strerror(ctypes.get_errno())} (root is needed)")
        made = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._made.append(made)
        _run("ip", "link", "set", "lo", "up")
        _enter(self._home)
        return made

    def _wire(self) -> None:
        with self.inside(self.router):
            for name, peer in (("out", self.public), ("in", self.private)):
                _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth", "netns", f"/proc/{os.getpid()}/fd/{peer}")
                _run("ip", "link", "set", name, "up")
            _run("ip", "address", "add", f"{ROUTER}/24", "dev", "out")
            _run("ip", "address", "add", "192.168.7.1/24", "dev", "in")
            _set("net/ipv4/ip_forward", "1")
            _run("nft", "-f", "-", text=_RULES)
        for network, address in ((self.public, PUBLIC), (self.private, PRIVATE)):
            with self.inside(network):
                _run("ip", "address", "add", f"{address}/24", "dev", "eth")
                _run("ip", "link", "set", "eth", "up")
        with self.inside(self.private):
            _run("ip", "route", "add", "default", "via", "192.168.7.1")


def _enter(network: int) -> None:
    if _libc.setns(network, _NEW_NETWORK) != 0:
        raise NoNamespaces(f"a network namespace cannot be entered: {os.strerror(ctypes.get_errno())} (root is needed)")


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=10)
    if done.returncode != 0:
        raise NoNamespaces(f"{' '.join(command)}: {done.stderr.strip()}")


def _set(name: str, value: str) -> None:
    try:
        with open(f"/proc/sys/{name}", "w") as file:
            file.write(value)
    except OSError as error:
        raise NoNamespaces(f"{name}: {error.strerror}") from None
