"""Whether feature servers answer, and how soon: an OPTIONS to each (RFC 3261 §11), anew after a while over a network.

The link in process is asked once: afterwards it lives and dies with this process, and the trace stays free of it.
"""

from __future__ import annotations

from typing import Final

from b2bua.session_manager.links import FeatureLink, Links
from b2bua.sip.message import Request, Response
from b2bua.sip.uri import host_text
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.layer import TransactionLayer

INTERVAL: Final = 30.0
"""Seconds between an answer, or the lack of one, and the next OPTIONS."""
IN_PROCESS: Final = "memory"
_OVERLOADED: Final = 503
_TIMED_OUT: Final = 408


class EntityMonitor:
    """Asks every link of `links` that stood when `start` was called; `domain` stands in From."""

    def __init__(self, links: Links, layer: TransactionLayer, domain: str) -> None:
        self._links = links
        self._layer = layer
        self._domain = domain
        self._probes: list[_Probe] = []

    def start(self) -> None:
        """Ask each once, now; who is not in process is asked again and again."""
        for link in self._links.sequence:
            probe = _Probe(link, self._layer, self._domain)
            self._probes.append(probe)
            probe.ask()

    def entities(self) -> dict[str, tuple[bool, float | None]]:
        """Name of the link → whether it answered last time, and after how many seconds it did (None: never yet)."""
        return {probe.link.name: (probe.up, probe.round_trip) for probe in self._probes}


class _Probe:
    """One feature server: what it last answered. The user of its OPTIONS transactions."""

    __slots__ = ("link", "up", "round_trip", "_domain", "_layer", "_sent_at")

    def __init__(self, link: FeatureLink, layer: TransactionLayer, domain: str) -> None:
        self.link = link
        self.up = False
        self.round_trip: float | None = None
        self._layer = layer
        self._domain = domain
        self._sent_at = 0.0

    def ask(self) -> None:
        self._sent_at = self._layer.timers.now()
        self._layer.send_request(self._options(), self.link.flow, self)

    def _options(self) -> Request:
        identifiers = self._layer.identifiers
        host, port = self.link.flow.remote
        uri = f"sip:{self.link.name}@{host_text(host)}:{port}"
        request = Request("OPTIONS", uri, [], [])
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self._domain}>;tag={identifiers.tag()}"),
            ("To", f"<{uri}>"),
            ("Call-ID", identifiers.call_id()),
            ("CSeq", "1 OPTIONS"),
            ("Content-Length", "0"),
        ):
            request.append(name, value)
        return request

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """Any final answer shows that it is there, but those that say the opposite."""
        if response.status >= 200:
            self._answered(response.status not in (_OVERLOADED, _TIMED_OUT))

    def transaction_failed(self, transaction: ClientTransaction, status: int) -> None:
        self._answered(False)

    def _answered(self, up: bool) -> None:
        timers = self._layer.timers
        self.up = up
        if up:
            self.round_trip = timers.now() - self._sent_at
        if self.link.flow.transport != IN_PROCESS:
            timers.start(INTERVAL, self.ask)
