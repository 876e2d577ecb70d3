"""A scripted phone over TCP, which connects anew when its connection is gone, and registers by that."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from b2bua.observer import Observer
from b2bua.phone.agent import Identity
from b2bua.phone.endpoint import Endpoint
from b2bua.phone.phone import Phone
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.framer import Unframed
from b2bua.sip.message import Message
from b2bua.transport.tcp import TcpListener

BACK_AFTER = 0.2
"""Seconds after which it registers by a new connection."""


class StreamPhone(Endpoint):
    """As `Endpoint`; `lost` counts its connections that broke."""

    def __init__(self, reactor: Any, identity: Identity, server: HostPort, host: str) -> None:
        super().__init__(reactor, identity, server, host)
        self.lost = 0
        self.comes_back = True
        """Whether it registers by a new connection; not while it takes its registration back."""
        self._stream = TcpListener(_Streams(self), _Unrecorded(), Observer())
        self._back: Any = None
        self._outward: _Outward | None = None

    def start(self, port: int = 0) -> None:
        self._stream.listen(self._reactor, self._host, port)
        self._outward = _Outward(self._stream, self._server)
        self.phone = Phone(self._layer, self._outward, self.identity, random.uniform, self)
        host, bound = self._stream.bound
        self.phone.agent.contact = f"<sip:{self.identity.user}@{host}:{bound};transport=tcp>"
        self._turn_wheel()

    def stop(self) -> None:
        if self._back is not None and self._back.active():
            self._back.cancel()
        self._stream.close()
        super().stop()

    def connections(self) -> int:
        """Those that stand."""
        return self._stream.flows()

    def received(self, data: bytes, flow: Flow) -> None:
        self._layer.datagram_received(data, flow)

    def failed(self, flow: Flow) -> None:
        """A connection is gone; what was under way on it fails."""
        self._layer.flow_failed(flow)
        if self._tick is None or self._outward is None or flow.remote != self._server:
            return
        self.lost += 1
        self._layer.flow_failed(self._outward)
        if self.comes_back and (self._back is None or not self._back.active()):
            self._back = self._reactor.callLater(BACK_AFTER, self._register)

    def _register(self) -> None:
        if self._tick is not None and self.comes_back:
            self.phone.registration.register()


class _Outward:
    """The way to the server, by whatever connection stands: a `Flow` that outlives them."""

    transport = via_transport = "tcp"
    reliable = True

    def __init__(self, listener: TcpListener, server: HostPort) -> None:
        self._listener = listener
        self.remote = server
        self.local = listener.bound
        self.listener = listener.name

    def send(self, message: Message) -> bytes:
        return self._listener.flow(self.remote).send(message)

    def towards(self, remote: HostPort) -> Flow:
        return self._listener.flow(remote)

    def resend(self, data: bytes) -> None:
        self._listener.flow(self.remote).resend(data)


class _Streams:
    """What the connections tell: `b2bua.transport.stream.StreamUser`."""

    def __init__(self, phone: StreamPhone) -> None:
        self.received: Callable[[bytes, Flow], None] = phone.received
        self.failed: Callable[[Flow], None] = phone.failed
        self._phone = phone

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        self._phone.failures.append(ValueError(f"{flaw.kind} from the server"))


class _Unrecorded:
    """The phone keeps no trace."""

    def received(self, flow: Flow, data: bytes) -> None:
        return

    def sent(self, flow: Flow, message: Message, data: bytes) -> None:
        return

    def resent(self, flow: Flow, data: bytes) -> None:
        return
