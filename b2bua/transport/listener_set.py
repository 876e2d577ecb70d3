"""All listeners of the server: starts them, finds and opens flows by name, knows every address that is ours."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET6
from typing import Any, Final, Protocol

from b2bua.sip.flow import WEB, Flow, HostPort, Put
from b2bua.sip.next_hop import Reach
from b2bua.transport.address import WILDCARDS, family_of
from b2bua.transport.interposed import interpose

FORGIVEN: Final = 600.0
"""Seconds after which a peer that took no TCP connection is asked for one again."""
MAX_REFUSERS: Final = 10_000
"""Such peers that are remembered; at that many the memory starts anew."""


class Listener(Protocol):
    """What the set needs of a listener, whatever its transport."""

    name: str
    put: Put

    @property
    def transport(self) -> str: ...

    @property
    def bound(self) -> HostPort: ...

    @property
    def advertised(self) -> HostPort | None: ...

    def listen(self, reactor: Any, host: str, port: int) -> None: ...

    def find(self, remote: HostPort) -> Flow | None: ...

    def flow(self, remote: HostPort, name: str = "") -> Flow: ...

    def flows(self) -> int: ...

    def alias(self, flow: Flow, port: int) -> None: ...

    waited: float
    """Seconds that the message being read has waited in the kernel; 0.0 where that is not known or between messages."""

    def sample(self) -> None: ...

    def close(self) -> None: ...


class ListenerSet:
    """Owns the listening ports. Implements `b2bua.sip.flow.Flows`.

    `now` gives monotonic seconds; `report` is the log.
    """

    def __init__(
        self, now: Callable[[], float] = lambda: 0.0, report: Callable[..., object] = lambda event, **fields: None
    ) -> None:
        self._now = now
        self._report = report
        self._listeners: dict[str, Listener] = {}
        self._refusers: dict[HostPort, float] = {}
        self._told: set[HostPort] = set()

    def listen(self, reactor: Any, host: str, port: int, listener: Listener) -> None:
        """Bind and start; OSError when the address cannot be had."""
        listener.listen(reactor, host, port)
        self._listeners[listener.name] = listener

    # -- flows -------------------------------------------------------------------------------------------------

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        found = self._listeners.get(listener)
        return None if found is None else found.find(remote)

    def open(self, transport: str, listener: str, remote: HostPort, name: str = "") -> Flow | None:
        found = self._nearest(transport, listener, remote)
        return None if found is None else found.flow(remote, name)

    def alias(self, flow: Flow, port: int) -> None:
        found = self._listeners.get(flow.listener)
        if found is not None:
            found.alias(flow, port)

    def reach(self) -> Reach:
        """By which transports, and at which kinds of address, a peer can be called (`b2bua.sip.next_hop`)."""
        return frozenset(
            (listener.transport, "AAAA" if family_of(listener.bound[0]) == AF_INET6 else "A")
            for listener in self._listeners.values()
            if listener.transport not in WEB
        )

    def _nearest(self, transport: str, name: str, remote: HostPort) -> Listener | None:
        """The listener of this name if it can reach the peer; else one of the transport and of the peer's address family:
        on the same host if there is one, then on all addresses, then the first."""
        family = family_of(remote[0])
        able = [
            listener
            for listener in self._listeners.values()
            if listener.transport == transport and family_of(listener.bound[0]) == family
        ]
        like = self._listeners.get(name)
        host = "" if like is None else like.bound[0]
        return min(
            able,
            key=lambda one: (one.name != name, one.bound[0] != host, one.bound[0] not in WILDCARDS),
            default=None,
        )

    def interpose(self, between: Callable[[Put], Put]) -> Callable[[], None]:
        """Have what every listener sends go through `between` (interposed.py)."""
        return interpose(self._listeners.values(), between)

    # -- requests that are too long for a datagram -------------------------------------------------------------

    def stream_beside(self, flow: Flow, size: int) -> Flow | None:
        """The TCP flow to the peer of a UDP flow (RFC 3261 §18.1.1); None without such a listener, and where the peer took
        no connection lately. A feature server's link is not of this set, and its UDP stays UDP."""
        if flow.listener not in self._listeners:
            return None
        remote = flow.remote
        until = self._refusers.get(remote)
        if until is not None:
            if self._now() < until:
                return None
            del self._refusers[remote]
        found = self.open("tcp", flow.listener, remote)
        if found is not None and remote not in self._told:
            if len(self._told) >= MAX_REFUSERS:
                self._told.clear()
            self._told.add(remote)
            self._report("request_too_long_for_udp", peer=remote, size=size)
        return found

    def no_stream(self, remote: HostPort, seconds: float) -> None:
        """A peer of UDP that no connection can reach, behind NAT: it is not asked for one."""
        if len(self._refusers) >= MAX_REFUSERS:
            self._refusers.clear()
        self._refusers[remote] = self._now() + seconds

    def refused(self, flow: Flow, size: int) -> None:
        """The peer of a flow from `stream_beside` took no connection: it gets long requests over UDP for a while."""
        self.no_stream(flow.remote, FORGIVEN)
        self._report("no_tcp_to_peer", peer=flow.remote, size=size)

    # -- what there is -----------------------------------------------------------------------------------------

    def addresses(self) -> list[HostPort]:
        """Every address that peers may know us by: bound (a wildcard as it is) and advertised."""
        found = [listener.bound for listener in self._listeners.values()]
        return found + [listener.advertised for listener in self._listeners.values() if listener.advertised]

    def first(self) -> Listener | None:
        """The listener named first in the configuration."""
        return next(iter(self._listeners.values()), None)

    def describe(self) -> list[str]:
        """`udp:127.0.0.1:5060` a listener, for the ready line."""
        return list(self._listeners)

    def count(self) -> dict[str, int]:
        """Flows by transport: open connections, and peers over UDP that wrote or were written to."""
        counts: dict[str, int] = {}
        for listener in self._listeners.values():
            counts[listener.transport] = counts.get(listener.transport, 0) + listener.flows()
        return counts

    def waited(self) -> float:
        """Seconds that what is read at the moment has lain in the kernel: the longest of all listeners."""
        return max([listener.waited for listener in self._listeners.values()], default=0.0)

    def sample(self) -> None:
        """Let each listener look how long the next message has waited."""
        for listener in self._listeners.values():
            listener.sample()

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()
