"""The listeners for phones, and those for feature servers elsewhere, opened for a server."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from b2bua.config.addresses import Link, Listen, host_port_text
from b2bua.config.settings import ConfigError
from b2bua.session_manager.links import FeatureLink
from b2bua.sip.flow import Flow
from b2bua.sip.framer import Unframed
from b2bua.trace.names import CM
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.unreadable import stream_broken
from b2bua.transport.kinds import KINDS
from b2bua.transport.link import AcceptingLink, DiallingLink, UdpLink
from b2bua.transport.stream import Limits
from b2bua.transport.tcp import TcpListener
from b2bua.transport.udp import UdpListener

if TYPE_CHECKING:
    from b2bua.service import Server


def open_listener(server: Server, listen: Listen) -> None:
    """One for phones and trunks; ConfigError where the address cannot be had."""
    settings = server.settings
    listener: UdpListener | TcpListener
    if listen.transport == "udp":
        listener = UdpListener(server._received, server.recorder, server.observer, listen.advertised)
    else:
        kind = KINDS[listen.transport]
        listener = TcpListener(
            _Streams(server), server.recorder, server.observer, listen.advertised,
            Limits(settings.stream_connections, idle=settings.stream_idle), None, kind, server._tls if kind.secure else None,
        )  # fmt: skip
    try:
        server.listeners.listen(server._reactor, listen.host, listen.port, listener)
    except OSError as error:
        where = host_port_text(listen.host, listen.port)
        raise ConfigError(f"listen: {listen.transport}:{where}: {error.strerror or error}") from None
    if listen.advertised is not None and not listen.advertised[1]:
        listener.advertise((listen.advertised[0], listener.bound[1]))


def open_link(server: Server, link: Link) -> None:
    """One feature server elsewhere, at a listener of its own; a heartbeat says whether it is there. ConfigError as above."""
    listen = link.listen
    ends = (listen.host, listen.port), link.peer
    end: AcceptingLink | DiallingLink | UdpLink
    tls = server._tls if listen.transport == "tls" else None
    if listen.transport == "udp":
        end = UdpLink(_Streams(server), server.recorder, server.observer, *ends)
    elif link.foreign:
        end = DiallingLink(_Streams(server), server.recorder, server.observer, *ends, lambda: heartbeat.ask_now(), tls)
    else:
        end = AcceptingLink(_Streams(server), server.recorder, server.observer, *ends, tls, partial(server.recorder.element, CM))
    try:
        end.open(server._reactor)
    except OSError as error:
        raise ConfigError(f"links: {listen}: {error.strerror or error}") from None
    server.link_ends.append(end)
    flow = end.link
    server.domain.listens_on([flow.local])
    feature_link = FeatureLink(link.name, flow, up=False, foreign=link.foreign)

    def changed(up: bool) -> None:
        feature_link.up = up
        if up:
            server._log("feature_server_found", entity=link.name)
        else:
            server._log("feature_server_lost", entity=link.name)

    sender, interval = f"<sip:{server.settings.domain}>", server.settings.link_heartbeat
    heartbeat = Heartbeat(server.layer, flow, sender, interval, changed, time.time())
    feature_link.heard = heartbeat.heard
    server.links.add(feature_link)
    server.recorder.element(link.name if link.foreign else CM, link.peer)
    server.heartbeats[link.name] = heartbeat
    heartbeat.start()


class _Streams:
    """What stream listeners tell."""

    def __init__(self, server: Server) -> None:
        self.received = server._received
        self.failed = server.connection_failed
        self._layer = server.layer

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        stream_broken(self._layer, flaw, flow)
