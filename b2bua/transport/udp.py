"""UDP listeners (RFC 3261 §18): datagrams to messages, messages to datagrams, one flow object a peer."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from b2bua.observer import Observer
from b2bua.sip.flow import Flow, HostPort, Put
from b2bua.sip.message import Message
from b2bua.transport.address import WILDCARDS, family_of, is_address, kernel_address, listener_name

_log: Final = Logger()

MAX_FLOWS: Final = 100_000
"""Flow objects are only a cache: at this many peers it is emptied and fills again with those that still talk."""
RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Bytes the kernel may hold while we work: about 4,000 messages."""
MAX_BURST: Final = 64
"""Datagrams read in one go before timers get their turn: some 50 KB."""
MAX_BURST_SECONDS: Final = 0.02
"""As well: a feature may be slow."""
PRESSING: Final = 0.02
"""Seconds; as long as they wait for more each datagram is measured, else one in a while: it makes reading dearer."""
_SO_TIMESTAMPNS: Final = 35
"""Of Linux, for 64-bit systems; the socket module does not name it. The kernel notes when each datagram came in."""
_TIMESPEC: Final = struct.Struct("@qq")
MAX_DATAGRAM: Final = 65_535
"""No datagram is longer, so none is cut."""


class Recorder(Protocol):
    """What a transport tells the trace; `b2bua.trace.recorder.Recorder` is one."""

    def received(self, flow: Flow, data: bytes) -> None: ...

    def sent(self, flow: Flow, message: Message, data: bytes) -> None: ...

    def resent(self, flow: Flow, data: bytes) -> None: ...


class UdpFlow:
    """The way to one peer from one listener."""

    __slots__ = ("_listener", "local", "remote")

    transport = "udp"
    via_transport = "UDP"
    reliable = False

    def __init__(self, listener: UdpListener, local: HostPort, remote: HostPort) -> None:
        self._listener = listener
        self.local = local
        self.remote = remote

    @property
    def listener(self) -> str:
        return self._listener.name

    def send(self, message: Message) -> bytes:
        return self._listener.put(self, message.encode(), message)

    def resend(self, data: bytes) -> None:
        self._listener.put(self, data, None)

    def towards(self, remote: HostPort) -> Flow:
        return self._listener.flow(remote)


class _NoFlow(UdpFlow):
    """The way to a host that is no address. Nothing is sent: to look a name up would stop everybody else meanwhile, and
    any stranger can write one into a Via (`maddr`)."""

    __slots__ = ()

    def send(self, message: Message) -> bytes:
        data = message.encode()
        self.resend(data)
        return data

    def resend(self, data: bytes) -> None:
        self._listener.drop("unreachable")


@implementer(IReadDescriptor)
class UdpListener:
    """One bound UDP socket. `receive(data, flow)` hears every datagram that could be SIP.

    `advertised` replaces the local address in everything peers are told. Listening on a wildcard address, the one told is
    the address that the kernel would use towards that peer. With `only` nobody but this peer is heard: the listener of a
    link is the link.

    It reads the socket itself and not by Twisted's UDP port: that costs a third less per datagram, and tells of errors
    that mean nothing to SIP (an ICMP from a phone that is gone).
    """

    transport = "udp"

    def __init__(
        self, receive: Callable[[bytes, Flow], None], recorder: Recorder, observer: Observer, advertised: HostPort | None = None,
        only: HostPort | None = None,
    ) -> None:  # fmt: skip
        self.recorder = recorder
        self.name = ""
        self._receive = receive
        self._observer = observer
        self._advertised = advertised
        self._only = only
        self._bound: HostPort = ("", 0)
        self._flows: dict[HostPort, UdpFlow] = {}
        self._locals: dict[str, HostPort] = {}
        self._socket: socket.socket | None = None
        self._reactor: Any = None
        self.waited = 0.0
        self._sampling = False
        self.put: Put = self._put

    def listen(self, reactor: Any, host: str, port: int) -> None:
        """Bind and start to read; OSError when the address cannot be had. Port 0 is any free one."""
        family = family_of(host)
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            with suppress(OSError):  # without it overload shows later, by the turns of the loop
                sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                # IPv6 only: an IPv4 peer would else show up as ::ffff:… and match no flow of its own listener.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        bound = sock.getsockname()
        self._bound = (bound[0], bound[1])
        self.name = listener_name("udp", self._bound)
        self._socket = sock
        self._reactor = reactor
        reactor.addReader(self)

    def close(self) -> None:
        """Stop reading and give the address back. Idempotent."""
        sock, self._socket = self._socket, None
        if sock is not None:
            self._reactor.removeReader(self)
            sock.close()

    # -- the reactor's reader ----------------------------------------------------------------------------------

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return self.name

    def connectionLost(self, reason: object) -> None:
        self.close()

    def doRead(self) -> None:
        """Read what waits, up to a burst, so that timers and other sockets get their turn."""
        until = time.monotonic() + MAX_BURST_SECONDS
        for _ in range(MAX_BURST):
            sock = self._socket
            if sock is None:
                return
            try:
                datagram, address = self._sample(sock) if self._sampling else sock.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                self.waited = 0.0
                return
            except OSError:
                continue  # an ICMP error of an earlier send: that datagram is lost, as any may be
            try:
                self.datagram_received(datagram, address[:2])
            except Exception:
                # Whatever a reader raises, Twisted takes it out of the reactor: one datagram would make us deaf.
                self._observer.internal_error("listener")
                _log.failure("message_failed", peer=address[:2])
            if time.monotonic() > until:
                return  # the reactor comes back at once: the socket is still readable

    def datagram_received(self, datagram: bytes, remote: HostPort) -> None:
        """One datagram from a peer."""
        if self._only is not None and remote != self._only:
            self._observer.message_dropped("stranger on a link")
            return
        flow = self._flows.get(remote) or self.flow(remote)
        if len(datagram) <= 4 and not datagram.strip(b"\r\n\0"):
            # Keep-alives of phones behind NAT: CRLF or zero bytes, answered by nobody over UDP.
            self._observer.message_dropped("keep-alive")
            return
        self.recorder.received(flow, datagram)
        self._receive(datagram, flow)

    def _sample(self, sock: socket.socket) -> tuple[bytes, Any]:
        """Read a datagram, and note how long it has lain in the kernel."""
        datagram, notes, _, address = sock.recvmsg(MAX_DATAGRAM, 64)
        self.waited = 0.0
        for level, kind, data in notes:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                self.waited = max(time.time() - seconds - nanoseconds * 1e-9, 0.0)
        self._sampling = self.waited > PRESSING
        return datagram, address

    # -- ours --------------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """See how long the next datagram has waited; and as long as they wait for long, each one."""
        self._sampling = True

    @property
    def bound(self) -> HostPort:
        """The address the socket is bound to; the port is the real one even where 0 was asked for."""
        return self._bound

    @property
    def advertised(self) -> HostPort | None:
        return self._advertised

    def advertise(self, address: HostPort) -> None:
        """Tell peers this address from now on: for an advertised host whose port is the one that was bound."""
        self._advertised = address
        self._flows.clear()

    def flow(self, remote: HostPort, name: str = "") -> UdpFlow:
        """The flow to a peer: always the same object while it is cached. Over UDP nobody proves a name."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
                self._locals.clear()
            if is_address(remote[0]):
                flow = UdpFlow(self, self._local_towards(remote), remote)
            else:
                flow = _NoFlow(self, self._advertised or self._bound, remote)
            self._flows[remote] = flow
        return flow

    def find(self, remote: HostPort) -> UdpFlow:
        """As `flow`: over UDP a peer is always found."""
        return self.flow(remote)

    def alias(self, flow: Flow, port: int) -> None:
        """Nothing: there is no connection."""

    def flows(self) -> int:
        """Peers that are known at the moment."""
        return len(self._flows)

    def drop(self, reason: str) -> None:
        """Count a message that is not sent."""
        self._observer.message_dropped(reason)

    def _put(self, flow: UdpFlow, data: bytes, message: Message | None) -> bytes:
        """Send a datagram. UDP may lose it: what the kernel refuses is counted, and SIP's timers do the rest."""
        if message is None:
            self.recorder.resent(flow, data)
        else:
            self.recorder.sent(flow, message, data)
        sender = self._socket
        if sender is None:
            return data
        try:
            sender.sendto(data, flow.remote)
        except (BlockingIOError, InterruptedError):
            self._observer.message_dropped("socket full")
        except OSError:
            self._observer.message_dropped("unreachable")
        return data

    def _local_towards(self, remote: HostPort) -> HostPort:
        if self._advertised is not None:
            return self._advertised
        host, port = self._bound
        if host not in WILDCARDS:
            return self._bound
        known = self._locals.get(remote[0])
        if known is None:
            known = self._locals[remote[0]] = (kernel_address(host, remote), port)
        return known
