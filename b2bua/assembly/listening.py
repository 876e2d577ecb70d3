"""The listeners for phones, and those for feature servers elsewhere, opened for a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from b2bua.assembly.foundations import Foundations
from b2bua.config.addresses import Link, Listen, host_port_text
from b2bua.config.settings import ConfigError
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.sip.flow import Flow
from b2bua.trace.names import CM
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.layer import TransactionLayer
from b2bua.transport.kinds import KINDS
from b2bua.transport.link import AcceptingLink, DiallingLink, UdpLink
from b2bua.transport.stream import Limits, StreamUser
from b2bua.transport.tcp import TcpListener
from b2bua.transport.tls import Tls
from b2bua.transport.udp import UdpListener


def open_listener(foundations: Foundations, user: StreamUser, listen: Listen, tls: Tls | None) -> None:
    """One for phones and trunks; ConfigError where the address cannot be had."""
    settings, recorder, observer = foundations.settings, foundations.recorder, foundations.observer
    listener: UdpListener | TcpListener
    if listen.transport == "udp":
        listener = UdpListener(user.received, recorder, observer, listen.advertised)
    else:
        kind = KINDS[listen.transport]
        listener = TcpListener(
            user,
            recorder,
            observer,
            advertised=listen.advertised,
            limits=Limits(settings.stream_connections, idle=settings.stream_idle),
            kind=kind,
            tls=tls if kind.secure else None,
        )
    try:
        foundations.listeners.listen(foundations.reactor, listen.host, listen.port, listener)
    except OSError as error:
        where = host_port_text(listen.host, listen.port)
        raise ConfigError(f"listen: {listen.transport}:{where}: {error.strerror or error}") from None
    if listen.advertised is not None and not listen.advertised[1]:
        listener.advertise((listen.advertised[0], listener.bound[1]))


class LinkEnds:
    """Our ends of the links to feature servers elsewhere; a heartbeat each says whether it is there."""

    def __init__(
        self, foundations: Foundations, user: StreamUser, layer: TransactionLayer, domain: Domain, links: Links,
        heartbeats: dict[str, Heartbeat],
    ) -> None:  # fmt: skip
        """`domain`, `links` and `heartbeats` learn of each that is opened."""
        self._foundations = foundations
        self._user = user
        self._layer = layer
        self._domain = domain
        self._links = links
        self._heartbeats = heartbeats
        self._ends: list[AcceptingLink | DiallingLink | UdpLink] = []

    def names(self) -> list[str]:
        """The listeners', as the ready line has them."""
        return [end.name for end in self._ends]

    def open(self, link: Link, tls: Tls | None) -> None:
        """At a listener of its own. ConfigError as above."""
        settings, recorder, log = self._foundations.settings, self._foundations.recorder, self._foundations.log
        flow = self._listen(link, tls if link.listen.transport == "tls" else None, lambda: heartbeat.ask_now())
        self._domain.listens_on([flow.local])
        feature_link = FeatureLink(link.name, flow, up=False, foreign=link.foreign)

        def changed(up: bool) -> None:
            feature_link.up = up
            if up:
                log("feature_server_found", entity=link.name)
            else:
                log("feature_server_lost", entity=link.name)

        sender, interval = f"<sip:{settings.domain}>", settings.link_heartbeat
        heartbeat = Heartbeat(self._layer, flow, sender, interval, changed, time.time())
        feature_link.heard = heartbeat.heard
        self._links.add(feature_link)
        recorder.element(link.name if link.foreign else CM, link.peer)
        self._heartbeats[link.name] = heartbeat
        heartbeat.start()

    def close(self) -> None:
        for end in self._ends:
            end.close()

    def _listen(self, link: Link, tls: Tls | None, opened: Callable[[], None]) -> Flow:
        """`opened` is called when a connection that we have dialled stands."""
        listen, user = link.listen, self._user
        recorder, observer = self._foundations.recorder, self._foundations.observer
        ends = (listen.host, listen.port), link.peer
        end: AcceptingLink | DiallingLink | UdpLink
        if listen.transport == "udp":
            end = UdpLink(user, recorder, observer, *ends)
        elif link.foreign:
            end = DiallingLink(user, recorder, observer, *ends, opened, tls)
        else:
            end = AcceptingLink(user, recorder, observer, *ends, tls, partial(recorder.element, CM))
        try:
            end.open(self._foundations.reactor)
        except OSError as error:
            raise ConfigError(f"links: {listen}: {error.strerror or error}") from None
        self._ends.append(end)
        return end.link
