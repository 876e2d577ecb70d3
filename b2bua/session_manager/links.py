"""Links to feature servers: how Session Manager knows one (by its flow, never by a header) and sends to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from b2bua.session_manager.sequences import Sequences
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import Flow
from b2bua.sip.message import Response
from b2bua.sip.uri import is_address
from b2bua.sip.via import Via, parse_via


@dataclass(slots=True, eq=False)
class FeatureLink:
    """One feature server. The same name in its Contact (`;fs=NAME`) leads requests in dialog back to it."""

    name: str
    flow: Flow
    """Towards the feature server; what comes in on this flow comes from it."""
    up: bool = True
    """Whether it answers: over a network its heartbeat keeps this true. No new call goes over a link that is down."""
    foreign: bool = False
    """Whether it is a SIP server of another make: it sends along Routes, and its Contacts and Record-Routes are its own."""
    heard: Callable[[], None] = lambda: None
    """Called when the feature server asks by OPTIONS whether we live: it lives itself, then."""
    since: float = 0.0
    """Unix seconds since when its process lives, as it says itself; 0: it has not said."""

    @property
    def over_network(self) -> bool:
        """Whether it may be another program: then it is told by Record-Route which address of ours is its link's."""
        return self.flow.transport != "memory"


class Links:
    """All links, by flow and by name, and the sequences that calls pass."""

    def __init__(self) -> None:
        self._by_flow: dict[int, FeatureLink] = {}
        self._by_name: dict[str, FeatureLink] = {}
        self.sequence: tuple[FeatureLink, ...] = ()
        """All of them in order."""
        self.sequences = Sequences()
        """What calls pass; where nothing else is said, all of them, each once."""
        self.patience = 0.0
        """Seconds that an application may be silent without which calls go on."""
        self.told = False
        """Whether applications are told for whom they are passed: where sequences are settings."""

    def add(self, link: FeatureLink) -> None:
        """Add a link at the end of the sequence. Flows are the same object for the same peer, so identity tells them."""
        self._by_flow[id(link.flow)] = link
        self._by_name[link.name] = link
        self.sequence = (*self.sequence, link)
        if not self.told:
            self.follow(None, self.patience)

    def follow(self, sequences: Sequences | None, patience: float) -> None:
        """From now on calls pass these; None: all links, each once."""
        self.patience = patience
        names = tuple(each.name for each in self.sequence)
        self.told = sequences is not None
        self.sequences = Sequences(names, names) if sequences is None else sequences

    def of(self, flow: Flow) -> FeatureLink | None:
        """The feature server that a message on this flow comes from; None for everybody else."""
        return self._by_flow.get(id(flow))

    def asked(self, response: Response) -> FeatureLink | None:
        """The feature server whose request a response answers, by the Via beneath ours; None for everybody else."""
        vias = response.elements("Via")
        try:
            return self.at(parse_via(vias[1])) if len(vias) > 1 else None
        except MalformedValue:  # not as it was put there
            return None

    def at(self, via: Via) -> FeatureLink | None:
        """The feature server that has put this Via. Of one that is known by name alone, at whatever address, the port tells."""
        address = _address(via.host.strip("[]"))
        for link in self.sequence:
            host, port = link.flow.remote
            if (via.port or 5060) == port and (not is_address(host) or _address(host) == address):
                return link
        return None

    def named(self, name: str | None) -> FeatureLink | None:
        return self._by_name.get(name) if name else None


def _address(host: str) -> str | IPv6Address:
    """IPv6 is compared as addresses, not as text (RFC 5954 §4.2)."""
    try:
        return IPv6Address(host) if ":" in host else host
    except ValueError:
        return host
