"""The location service: which contacts a user is reached at (RFC 3261 §10.2); the protocol is the registrar's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Final

from b2bua.sip.address import Address, parse_address
from b2bua.sip.errors import MalformedValue
from b2bua.sip.flow import WEB, Flow, Flows, HostPort
from b2bua.sip.next_hop import named_host
from b2bua.sip.uri import DEFAULT_PORTS, Uri, equivalent, is_address, parse_uri
from b2bua.sip.via import Via
from b2bua.transaction.timers import Timer, Timers

NOWHERE: Final[HostPort] = ("", 0)
"""In place of where a connection came from that is gone: no other one comes from there."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of a user. Times are Unix seconds, so that they outlive a restart."""

    aor: str
    """The user part of the address of record."""
    contact: str
    """The Contact value as sent, without its expires parameter."""
    uri: str
    call_id: str
    cseq: int
    expires_at: float
    listener: str
    """Name of the listener that the REGISTER came in on."""
    source: HostPort
    """Where the REGISTER came from."""
    nat: bool
    """Whether the phone, or the first hop of its path, is reached at `source` and not where it says."""
    instance: str = ""
    reg_id: int = 0
    path: tuple[str, ...] = ()
    """The Path values of the REGISTER as sent, the hop next to us first (RFC 3327)."""
    user_agent: str = ""
    gone: bool = False
    """It came by a connection to an earlier process: whoever has its address now may be somebody else."""

    def same_contact(self, instance: str, reg_id: int, uri: Uri) -> bool:
        """One binding per instance and reg-id (RFC 5626 §6), else per Contact URI (RFC 3261 §10.3)."""
        if instance and reg_id:
            return (self.instance, self.reg_id) == (instance, reg_id)
        return equivalent(parse_uri(self.uri), uri)

    @property
    def way(self) -> tuple[object, ...]:
        """What a phone keeps when it registers again the same way."""
        return self.aor, self.uri, self.listener, self.source

    def flow(self, flows: Flows) -> Flow | None:
        """The flow that reaches this contact; None when its listener is gone, or its connection and there is no other way.

        It leads to the first hop of the path where there is one (RFC 3327 §5.4, RFC 3261 §16.6 step 7).
        """
        next_hop = parse_address(self.path[0]).parsed_uri() if self.path else parse_uri(self.uri)
        return way_to(flows, self.listener, NOWHERE if self.gone else self.source, self.nat, next_hop)

    def name_to_look_up(self, flow: Flow | None) -> Uri | None:
        """The next hop where it is a name that says where to send (RFC 3263): not behind NAT, not by a connection that
        stands, and not where the phone has bound itself to its flow (RFC 5626)."""
        if self.nat or self.reg_id or (flow is not None and flow.reliable):
            return None
        uri = parse_address(self.path[0]).parsed_uri() if self.path else parse_uri(self.uri)
        if uri.host.replace(".", "").isdecimal():
            return None  # as with nearly every phone: each call comes by here
        return uri if named_host(uri) else None

    @property
    def by_flow(self) -> bool:
        """Whether only its flow leads there in a dialog, too: its Contact cannot be reached, or not past its path."""
        return self.nat or bool(self.path)


_listener = attrgetter("listener")


class Location:
    """All bindings, by user. Expired ones are never returned, and swept by a timer each."""

    def __init__(self, timers: Timers, wall: Callable[[], float], gone: Callable[[str], None] | None = None) -> None:
        self._timers = timers
        self._wall = wall
        self._gone = gone
        self.watch: Callable[[str, Sequence[Binding]], None] | None = None
        """Called with a user and its bindings when these change."""
        self.changed: Callable[[str], None] | None = None
        """Called with a user after its bindings have changed."""
        self._silent: set[tuple[object, ...]] = set()
        """The ways of bindings whose phone is known to be gone."""
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._sweeps: dict[str, Timer] = {}

    def bindings(self, user: str) -> tuple[Binding, ...]:
        """The live bindings of a user, newest first."""
        found = self._bindings.get(user, ())
        if not found:
            return ()
        now = self._wall()
        return found if all(binding.expires_at > now for binding in found) else self._live(user, now)

    def reachable(self, user: str) -> tuple[Binding, ...]:
        """The live bindings but for those whose phone is known to be gone."""
        found = self.bindings(user)
        return tuple(binding for binding in found if binding.way not in self._silent) if self._silent else found

    def answers(self, binding: Binding, there: bool) -> bool:
        """Note whether the phone of a binding is there; whether that is news."""
        if there is (binding.way not in self._silent):
            return False
        if there:
            self._silent.discard(binding.way)
        else:
            self._silent.add(binding.way)
        return True

    def replace(self, user: str, bindings: Iterable[Binding]) -> None:
        """Make these the user's bindings."""
        kept = tuple(bindings)
        if self.watch is not None:
            self.watch(user, kept)
        sweep = self._sweeps.pop(user, None)
        if sweep is not None:
            sweep.cancel()
        if kept:
            self._bindings[user] = kept
            soonest = min(binding.expires_at for binding in kept) - self._wall()
            self._sweeps[user] = self._timers.start(max(soonest, 0.0), lambda: self._sweep(user))
        else:
            self._bindings.pop(user, None)
        if self.changed is not None:
            self.changed(user)

    def users(self) -> Iterable[tuple[str, tuple[Binding, ...]]]:
        """Every registered user with its live bindings."""
        return [(user, live) for user in list(self._bindings) if (live := self.bindings(user))]

    def census(self) -> tuple[int, dict[str, int]]:
        """Users with a contact, and contacts by transport: one quick walk at scrape time.

        One that has expired counts until its sweep, a tick later.
        """
        by_listener = Counter(map(_listener, chain.from_iterable(self._bindings.values())))
        by_transport: dict[str, int] = {}
        for listener, contacts in by_listener.items():
            transport = listener.partition(":")[0]
            by_transport[transport] = by_transport.get(transport, 0) + contacts
        return len(self._bindings), by_transport

    def _live(self, user: str, now: float) -> tuple[Binding, ...]:
        return tuple(binding for binding in self._bindings.get(user, ()) if binding.expires_at > now)

    def _sweep(self, user: str) -> None:
        self.replace(user, self._live(user, self._wall()))
        if self._gone is not None and user not in self._bindings:
            self._gone(user)


def way_to(flows: Flows, listener: str, source: HostPort, through_nat: bool, uri: Uri) -> Flow | None:
    """The flow to a phone that wrote from `source` to a listener and whose Contact is `uri`; None when there is none.
    With a proxy before the phone, `uri` is that one's.

    Over UDP that is its Contact, unless it is behind NAT; over a stream the connection that it opened itself (RFC 5626
    §5.3), and a new one to its Contact where that is gone. `transport` in the Contact counts for new ways (RFC 3263 §4.1).
    Who registered over TLS is reached over TLS, and a WebSocket only by itself: nobody can open one to a browser (RFC 7118 §3).
    """
    host = uri.bare_host
    known = not through_nat and is_address(host)
    transport = listener.partition(":")[0]
    named = uri.transport
    if transport == "udp":
        if not known:
            return flows.find(listener, source)
        opened = None
        if named not in _NO_NEW_WAY:
            opened = flows.open(named, listener, (host, uri.port or DEFAULT_PORTS.get(named, 5060)))
        return opened or flows.find(listener, (host, uri.port or 5060))
    if not known or host == source[0] or transport in WEB:
        own = flows.find(listener, source)
        if own is not None or not known or transport in WEB:
            return own
    if transport == "tls" or named in WEB or not named:
        named = transport
    return flows.open(named, listener, (host, uri.port or DEFAULT_PORTS.get(named, 5060)))


_NO_NEW_WAY = ("", "udp", *WEB)


def behind_nat(contact: Address, via: Via, source: HostPort, reliable: bool = False) -> bool:
    """Whether a phone is reached only where its request came from.

    It is when its Contact is the address that its Via names too, and that is not where the request came from; or when the
    Contact is a name that nobody can look up (`x.invalid`). A Contact that differs from an honest Via was put there on purpose.
    Who writes from another port of the very host that both name, and does not ask for answers there by `rport`, need
    not hear there (RFC 3581 §3); no NAT leaves the address as it is. On a stream (`reliable`) ports say nothing: a connection
    comes from any.
    """
    via_host, via_port = via.host, via.port
    try:
        uri = contact.parsed_uri()
    except MalformedValue:
        return True
    host, port = uri.bare_host, uri.port or 5060
    if not is_address(host):
        # A name is looked up where its owner is in the open: its Via then names the address that the request came from.
        honest = via_host.strip("[]").lower() == source[0] and (reliable or (via_port or 5060) == source[1])
        return not (honest and named_host(uri))
    if reliable:
        return host != source[0] and via_host.strip("[]").lower() != source[0]
    if (host, port) == source or (host == source[0] == via_host.strip("[]") and not via.wants_rport()):
        return False
    return (via_host.strip("[]"), via_port or 5060) != source
