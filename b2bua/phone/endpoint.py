"""A phone on real sockets: one UDP port for SIP, one for each call's media, and the reactor's clock."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from typing import Any

from b2bua import PRODUCT
from b2bua.media.rtp_stream import RtpStream
from b2bua.media.tone import Tone
from b2bua.observer import Observer
from b2bua.phone.agent import Identity
from b2bua.phone.call import Call, CallState
from b2bua.phone.phone import Phone
from b2bua.phone.registration import Registration
from b2bua.phone.subscription import Subscription
from b2bua.sip.dialog_info import DialogInfo
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TICK, Timers
from b2bua.transport.udp import UdpListener


class Endpoint:
    """One phone. `start` binds its port, `stop` gives all ports back. What happened is kept for whoever scripts it."""

    def __init__(
        self, reactor: Any, identity: Identity, server: HostPort, host: str = "127.0.0.1", hertz: int = 440
    ) -> None:
        """`server` is Session Manager's address, `host` the local one to bind; `hertz` the tone it talks in."""
        self.identity = identity
        self.streams: dict[Call, RtpStream] = {}
        """Media of each call, past ones too: their counts stay readable."""
        self.call: Call | None = None
        """The call that changed last."""
        self.seen: dict[str, list[DialogInfo]] = {}
        """Watched address of record → the documents that its lamp showed, in order."""
        self.failures: list[BaseException] = []
        """Mistakes of ours that came up."""
        self.on_call: Callable[[Call], None] | None = None
        self.phone: Phone
        self._reactor = reactor
        self._server = server
        self._host = host
        self._hertz = hertz
        self._opened: dict[HostPort, RtpStream] = {}
        self._timers = Timers(time.monotonic, self.failures.append)
        self._layer = TransactionLayer(self._timers, Identifiers(secrets.token_hex(8)), Observer(), PRODUCT)
        self._listener = UdpListener(self._layer.datagram_received, _Unrecorded(), Observer())
        self._tick: Any = None

    def start(self, port: int = 0) -> None:
        """Bind (0 = any free port) and begin to keep time; OSError when the port is taken."""
        self._listener.listen(self._reactor, self._host, port)
        self.phone = Phone(self._layer, self._listener.flow(self._server), self.identity, random.uniform, self)
        self._turn_wheel()

    def stop(self) -> None:
        """Close all ports. May be called twice, and before `start`."""
        for stream in (*self._opened.values(), *self.streams.values()):
            stream.close()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
            self.phone.stop()
        self._listener.close()

    def media_counts(self) -> tuple[int, int]:
        """RTP packets (sent, received) over all calls so far."""
        streams = self.streams.values()
        return sum(stream.sent for stream in streams), sum(stream.received for stream in streams)

    def _turn_wheel(self) -> None:
        self._tick = self._reactor.callLater(TICK, self._turn_wheel)
        self._timers.advance()

    # -- the user of the phone ---------------------------------------------------------------------------------

    def open_media(self) -> HostPort:
        stream = RtpStream(self._reactor, Tone(self._hertz), secrets.randbits(32))
        address = stream.open(self._host)
        self._opened[address] = stream
        return address

    def media_changed(self, call: Call) -> None:
        stream = self.streams.get(call) or self._opened.pop(call.session.address, None)
        if stream is None:
            return
        self.streams[call] = stream
        talking = call.state is CallState.ESTABLISHED and call.session.sends
        stream.send_to(call.session.remote if talking else None)
        if call.state is CallState.ENDED:
            stream.close()

    def call_changed(self, call: Call) -> None:
        self.call = call
        if call.state is CallState.ENDED:
            self.media_changed(call)
        if self.on_call is not None:
            self.on_call(call)

    def lamp_changed(self, lamp: Subscription) -> None:
        seen = self.seen.setdefault(lamp.watched, [])
        if lamp.document is not None and (not seen or seen[-1] is not lamp.document):
            seen.append(lamp.document)

    def registration_changed(self, registration: Registration) -> None:
        return

    def phone_failed(self, error: BaseException) -> None:
        self.failures.append(error)


class _Unrecorded:
    """The phone keeps no trace; the server's has all that it says."""

    def received(self, flow: Flow, data: bytes) -> None:
        return

    def sent(self, flow: Flow, message: Message, data: bytes) -> None:
        return

    def resent(self, flow: Flow, data: bytes) -> None:
        return
