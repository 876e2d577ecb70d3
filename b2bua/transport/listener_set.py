"""All listeners of the server: starts them, finds a flow by its name, knows every address that is ours."""

from __future__ import annotations

from typing import Any

from b2bua.sip.flow import Flow, HostPort
from b2bua.transport.udp import UdpListener


class ListenerSet:
    """Owns the listening ports. Implements `b2bua.sip.flow.Flows`."""

    def __init__(self) -> None:
        self._listeners: dict[str, UdpListener] = {}

    def listen_udp(self, reactor: Any, host: str, port: int, listener: UdpListener) -> None:
        """Bind and start; OSError when the address cannot be had."""
        listener.listen(reactor, host, port)
        self._listeners[listener.name] = listener

    def find(self, listener: str, remote: HostPort) -> Flow | None:
        found = self._listeners.get(listener)
        return None if found is None else found.flow(remote)

    def addresses(self) -> list[HostPort]:
        """Every address that peers may know us by: bound (a wildcard as it is) and advertised."""
        found = [listener.bound for listener in self._listeners.values()]
        return found + [listener.advertised for listener in self._listeners.values() if listener.advertised]

    def first(self) -> UdpListener | None:
        """The listener named first in the configuration."""
        return next(iter(self._listeners.values()), None)

    def describe(self) -> list[str]:
        """`udp:127.0.0.1:5060` a listener, for the ready line."""
        return list(self._listeners)

    def count(self) -> dict[str, int]:
        """Flows by transport, counted now: peers over UDP that wrote or were written to."""
        found: dict[str, int] = {}
        for name, listener in self._listeners.items():
            transport = name.partition(":")[0]
            found[transport] = found.get(transport, 0) + listener.flows()
        return found

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()
