"""The whole server on a virtual network: Session Manager, the link, Communication Manager in process or on another host.

Put together from the same parts as b2bua/service.py; keys, identifiers and random numbers are fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from itertools import count
from random import Random
from types import MappingProxyType
from typing import Any, Final

from b2bua import PRODUCT
from b2bua.faults.fault import parse_fault
from b2bua.faults.installation import Installation
from b2bua.faults.wire import Deliver
from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.chosen_codes import FeatureCodes
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.feature_server.loader import Choices, load_features, load_server
from b2bua.feature_server.user_settings import PICKUP_GROUP, UserSettings
from b2bua.observer import Observer
from b2bua.session_manager.addressed_nonces import AddressedNonces
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.authenticator import Authenticator, challenging
from b2bua.session_manager.bans import Bans
from b2bua.session_manager.challenge_policy import ChallengePolicy
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.entities import Entities
from b2bua.session_manager.event_core import EventCore, EventRules, EventWorld
from b2bua.session_manager.event_packages.package import Form, allow_events
from b2bua.session_manager.keep_alive import KeepAlive
from b2bua.session_manager.lenient_nonces import LenientNonces
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import Location
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.nonces import Nonces
from b2bua.session_manager.notify_sender import NotifySender
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.recovery import NoCalls
from b2bua.session_manager.registrar import ExpiryLimits, Registrar
from b2bua.session_manager.session_manager import SessionManager
from b2bua.session_manager.tokens import Tokens
from b2bua.session_manager.trunk_watch import TrunkWatch
from b2bua.session_manager.trunks import Trunks
from b2bua.session_manager.trusted_networks import TrustedNetworks
from b2bua.session_manager.ways import Ways
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message, Request
from b2bua.sip.profiles import Profiles
from b2bua.store.memory import MemoryStore
from b2bua.store.setting_record import SETTING
from b2bua.store.users_file import make_user
from b2bua.trace.names import CM
from b2bua.trace.recorder import Recorder
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TICK, Timers
from b2bua.transport.kinds import KINDS, TCP, Kind
from b2bua.transport.listener_set import ListenerSet
from b2bua.transport.memory import Turns, memory_link
from b2bua.transport.resolver import Resolver
from plugins.communication_manager.lamps import Lamps
from tests.log_lines import kept_log
from tests.scenarios.options import DOMAIN, Options, password
from tests.scenarios.remote_feature_server import RemoteFeatureServer
from tests.scenarios.virtual_dns import VirtualDns
from tests.scenarios.virtual_media import VirtualMedia
from tests.scenarios.virtual_network import (
    BRIDGE,
    LINKS,
    SERVER,
    VirtualNetwork,
    VirtualSocket,
    VirtualUdp,
)
from tests.scenarios.virtual_relay import VirtualRelay
from tests.scenarios.virtual_streams import VirtualTcp

TCP_SERVER: Final[HostPort] = ("192.0.2.1", 5080)
STREAM_SERVERS: Final[Mapping[str, HostPort]] = MappingProxyType(
    {"tcp": TCP_SERVER, "tls": ("192.0.2.1", 5061), "ws": ("192.0.2.1", 8080), "wss": ("192.0.2.1", 8443)}
)
"""Where it listens for connections, by transport."""
IPV6_SERVER: Final[HostPort] = ("2001:db8::1", 5060)

_PROCESSES = count()
"""Each start is another process, with keys of its own."""


class ServerUnderTest:
    """One running server at SERVER."""

    def __init__(
        self, network: VirtualNetwork, options: Options, users: Sequence[str],
        listener: Callable[[VirtualNetwork, HostPort, ServerUnderTest, Kind], Any] = VirtualTcp,
        remotes: dict[str, RemoteFeatureServer] | None = None,
    ) -> None:  # fmt: skip
        """`listener` makes its listeners for connections; `remotes`: feature servers on other hosts that outlived the server
        before."""
        self.network = network
        self.errors: list[BaseException] = []
        """Mistakes that the server caught: a scenario that expects none finds this empty."""
        clock = network.clock
        self.records = options.records
        # Behind the number something that is none: the 1 of a second start and the 11 of a first must not look the same.
        start = "" if self.records is None or not self.records.starts else f"{self.records.starts}x"
        self.observer = Observer()
        self.timers = Timers(clock.now, self.errors.append)
        self.recorder = Recorder(options.trace, clock.wall)
        self.observer.trace = self.recorder
        self.turns = Turns(lambda: None)
        self.store = MemoryStore(clock.wall)
        self.offer = DigestOffer(options.digest_algorithms, options.user_digest_algorithms)
        self.store.put_users([make_user(user, DOMAIN, password(user), self.offer.of(user)) for user in users])
        self.reports: list[str] = []
        self.log = kept_log(self.reports, clock.wall, options.log_levels)
        self.listeners = ListenerSet(clock.now, self.log)
        bound = ((BRIDGE, SERVER[1]), SERVER) if options.bridged else (SERVER, None)
        self.socket = self._listen(VirtualSocket(network, bound[0], self.recorder, advertised=bound[1]))
        self.tcp = listener(network, TCP_SERVER, self, TCP)
        if options.bridged:
            self.tcp.bridge()
        if options.tcp:
            self._listen(self.tcp)
        self.streams = {"tcp": self.tcp}
        """Its listeners for connections, by transport."""
        for transport in options.streams:
            made = listener(network, STREAM_SERVERS[transport], self, KINDS[transport])
            self.streams[transport] = self._listen(made)
        if options.ipv6:
            self._listen(VirtualSocket(network, IPV6_SERVER, self.recorder))
        self.layer = TransactionLayer(self.timers, Identifiers(f"5e551on{start}"), self.observer, PRODUCT)
        self.deliver: Deliver = self.layer.datagram_received
        self._start = start
        self._installation: Installation | None = None
        self._session_manager(options)
        self.layer.streams = self.listeners if options.tcp else None
        self.layer.log = self.log
        self.remotes: dict[str, RemoteFeatureServer] = {}
        """Feature servers on other hosts, by the names of their links."""
        self.heartbeats: list[Heartbeat] = []
        self.options = options
        self.features: Sequence[Feature] = ()
        self.media = VirtualMedia()
        self.relay = VirtualRelay(self.timers, options.relay == "refuse")
        if options.link == "memory":
            self.b2bua = self._communication_manager(options)
        elif remotes is None:
            self.b2bua = self.start_remote("cm", *options.link_ends).b2bua
        else:
            self.remotes, remote = remotes, remotes["cm"]
            self.feature_layer, self.b2bua = remote.layer, remote.b2bua
            self.open_link("cm", *options.link_ends)
        network.each_tick.append(self.tick)
        if self.records is not None:
            self.turns.driving = True
            if not self.remotes:
                self.b2bua.restore()
            self.session_manager.recover(NoCalls() if self.remotes else self.b2bua)
            self.notifier.restore(self.ways.remembered)
            self.timers.start(TICK, self.notifier.notify_restored)
            self.run()

    def _listen(self, listener: Any) -> Any:
        self.listeners.listen(None, *listener.bound, listener)
        if listener.transport == "udp":
            self.network.attach(_Port(self, listener), listener.advertised or listener.bound)
        return listener

    def _session_manager(self, options: Options) -> None:
        clock, layer, observer = self.network.clock, self.layer, self.observer
        domain = Domain(DOMAIN)
        domain.listens_on(self.listeners.addresses())
        self.domain = domain
        self.location = Location(self.timers, clock.wall)
        self.links = Links()
        self.keep_alive = KeepAlive(layer, self.listeners, self.location, DOMAIN, options.keep_alive, self.log)
        if options.keep_alive:
            self.location.watch = self.keep_alive.bindings_changed
        waited = self.listeners.waited
        self.admission = Admission(self.links, self.location, observer, waited, clock.now, self.log)
        ways = Ways(self.listeners, self.location, domain)
        profiles = Profiles(options.profiles, options.user_profiles)
        entity_tags = count(1)
        notify = NotifySender(layer, ways.again).send
        self.events = EventCore(
            EventWorld(
                domain, self.location, self.timers, layer.identifiers.tag,
                lambda: f"etag{self._start}{next(entity_tags)}", notify, observer, self.records, clock.wall,
                self._same_group, ways.to_watcher,
            ),
            options.event_packages,
            EventRules(
                form=Form.of(options.profiles), lists=options.lists, profiles=profiles,
                forms={**options.forms, **{user: Form.of(names) for user, names in options.user_profiles.items()}},
            ),
        )  # fmt: skip
        self.notifier, self.event_state = self.events.notifier, self.events.event_state
        self.ways = ways
        self.events.mailboxes.load()
        self.event_state.restore()
        registrar = Registrar(
            domain, self.location, lambda user, bindings, done: done(None), clock.wall, observer, ExpiryLimits(),
            self._learned, self.log, profiles,
        )  # fmt: skip
        self.nonces = Nonces(b"n" * 32, clock.wall, options.nonce_lifetime)
        policy = ChallengePolicy(options.reinvite, options.challenge, options.user_challenge, profiles)
        authenticator = Authenticator(
            DOMAIN, self._secret_of, self.nonces, policy, observer, domain.is_alias, options.strict_digest_uri, self.offer,
            None, LenientNonces(b"l" * 32, clock.wall), profiles,
            AddressedNonces(b"process %d" % next(_PROCESSES), clock.wall),
        )  # fmt: skip
        self.dns = VirtualDns()
        resolver = Resolver(
            self.dns.ask, clock.now, lambda total: 0, self.listeners.reach, observer, self.log, self.errors.append
        )
        next_hops = NextHops(
            resolver, self.listeners, clock.now, 60.0, observer, self.log, domain.is_ours
        )
        self.watches = [
            TrunkWatch(layer, next_hops, entity, options.watch, f"<sip:{DOMAIN}>", self.log)
            for entity in (options.entities if options.watch else ())
        ]
        for watch in self.watches:
            watch.start()
        trunks = None
        if options.entities:
            trunks = Trunks(Entities(options.entities), self.store, options.plan, lambda: options.week_time)
        self.trunks, self.authenticator = trunks, authenticator
        self.bans = None if options.bans is None else Bans(options.bans, clock.now, observer, self.log)
        self.session_manager = SessionManager(
            Parts(
                layer=layer, domain=domain, tokens=Tokens(b"t" * 32, f"p{self._start}"), links=self.links, users=self.store,
                location=self.location, registrar=registrar, authenticator=authenticator, event_state=self.event_state,
                notifier=self.notifier, allow_events=("Allow-Events", allow_events(self.events.packages)),
                flows=self.listeners, observer=observer, failed=self._failed, leg_continued=self.recorder.continued,
                admission=self.admission, requests_per_source=options.requests_per_source, bans=self.bans,
                records=self.records, wall=clock.wall, trunks=trunks, next_hops=next_hops,
                trusted=TrustedNetworks(map(ip_network, options.trusted)) if options.trusted else None, log=self.log,
            )
        )  # fmt: skip

    def fault(self, text: str) -> Installation:
        """Set a fault, as `b2bua fault add` does."""
        if self._installation is None:
            trunks, tag = self.trunks, self.layer.identifiers.tag
            self._installation = Installation(
                self, lambda flow: self.links.of(flow) is not None,
                lambda flow: entity.name if trunks is not None and (entity := trunks.entities.of(flow)) is not None else "",
                lambda request, stale: challenging(request, self.authenticator.challenge(request, stale), tag()),
                lambda seed: Random(seed).random, self.log,
                FeatureFaults(lambda: self.features, self.observer, self._failed),
            )  # fmt: skip
        self._installation.faults.add(parse_fault(text, None))
        return self._installation

    def _same_group(self, user: str, watcher: str) -> bool:
        """A feature server on another host has its own settings."""
        return not self.remotes and self.b2bua.environment.users.shared(PICKUP_GROUP, user, watcher)

    def _learned(self, user: str, flow: Flow, contact: str) -> None:
        self.recorder.learn(user, flow.remote)
        self.notifier.registered(user)

    def _communication_manager(self, options: Options) -> B2bua:
        addresses = ((f"sm.{DOMAIN}", 5060), (f"fs.{DOMAIN}", 5060))
        self.domain.listens_on(addresses[:1])
        down, up = memory_link("communication_manager", addresses, self.turns, self._linked)
        layer = TransactionLayer(self.timers, Identifiers(f"c0mman{self._start}"), self.observer, PRODUCT)
        down.connect(up, self.layer.link_received)
        up.connect(down, layer.link_received)
        uniform = options.uniform or Random(6001).uniform
        environment = Environment(
            "cm", DOMAIN, layer, up, self.observer, uniform, self.recorder.join, self._failed, options.limits,
            options.reliable, self.records, self.network.clock.wall,
            users=UserSettings(DOMAIN, self.records, options.user_defaults), codes=FeatureCodes(options.codes), media=self.media,
            relay=self.relay if options.relay else None,
            echoes=bool(options.entities), details=options.details, log=self.log,
        )  # fmt: skip
        choices = Choices(options.codes, options.user_defaults)
        self._load = lambda names: load_features(names, options.feature_directory, environment, self.features, choices)
        self.user_settings = environment.users
        self.features = features = self._load(options.features)
        server = load_server("communication_manager", environment, features)
        if options.feature_server:
            self.links.add(FeatureLink("cm", down))
        self.feature_layer = layer
        assert isinstance(server, B2bua)
        return server

    def use_features(self, *names: str) -> None:
        """As on SIGHUP of the process that has the feature server, with these names in its settings."""
        for remote in self.remotes.values():
            remote.use_features(*names)
        if not self.remotes:
            self.features = self._load(names)
            self.b2bua.use(self.features)

    def start_remote(self, name: str, address: HostPort, link: HostPort) -> RemoteFeatureServer:
        """Start a feature server on another host; the first time at the end of the sequence, later in its old place."""
        known = self.links.named(name)
        kept = self.options.remote_records
        number = kept.starts + 1 if kept is not None else 1 if known is None else 2
        remote = RemoteFeatureServer(self.network, self.options, self.observer, name, address, link, self._failed, number)
        self.media, self.relay = remote.media, remote.relay
        self.feature_layer, self.b2bua, self.user_settings = remote.layer, remote.b2bua, remote.user_settings
        self.remotes[name] = remote
        if known is None and self.options.feature_server:
            self.open_link(name, address, link)
        return remote

    def open_link(self, name: str, address: HostPort, link: HostPort, foreign: bool = False) -> None:
        """At the end of the sequence; `foreign` to a SIP server of another make."""
        flow = VirtualSocket(self.network, link, self.recorder, LINKS[self.options.link]).flow(address)
        feature_link = FeatureLink(name, flow, foreign=foreign)
        self.links.add(feature_link)
        self.domain.listens_on([link])
        self.recorder.element(CM, address)
        self.network.attach(_LinkEnd(self, flow), link)
        if self.options.heartbeat:
            heartbeat = Heartbeat(
                self.layer, flow, f"<sip:{DOMAIN}>", self.options.heartbeat, partial(setattr, feature_link, "up"),
                self.network.clock.wall(),
            )  # fmt: skip
            feature_link.heard = heartbeat.heard
            feature_link.up = False
            heartbeat.start()
            self.heartbeats.append(heartbeat)

    # -- what drives it ----------------------------------------------------------------------------------------

    def message(self, data: bytes, flow: Flow) -> None:
        self.recorder.received(flow, data)
        self.taken(data, flow)

    def taken(self, data: bytes, flow: Flow) -> None:
        """A message that the recorder has seen."""
        self.turns.driving = True
        self.deliver(data, flow)
        self.run()

    def run(self) -> None:
        """All that waits: turns of the link, and commits with what they let go."""
        self.turns.run()
        details = self.options.details
        while (self.records is not None and self.records.turn()) or (details is not None and details.turn()):
            self.turns.driving = True
            self.turns.run()

    def connection_failed(self, flow: Flow) -> None:
        self.turns.driving = True
        link = self.links.of(flow)
        self.layer.flow_failed(flow, comes_back=link is not None and not link.foreign)
        self.run()

    def tick(self) -> None:
        self.turns.driving = True
        self.timers.advance()
        if self.records is not None:
            self.records.look()
        self.run()

    def _linked(self, way: tuple[str, str], message: Message) -> None:
        source, destination = way
        self.recorder.linked(way, message)
        kept = message.copy() if isinstance(message, Request) else message
        self.network.note(source, destination, kept)

    def _secret_of(self, user: str, algorithm: str) -> str | None:
        record = self.store.user(user)
        return None if record is None else record.ha1s.get(algorithm, "")

    def _failed(self, error: BaseException, message: Message | None) -> None:
        self.errors.append(error)

    # -- what must be gone at the end --------------------------------------------------------------------------

    def leaks(self) -> dict[str, int]:
        """What stands that a call leaves behind: all empty 64 s after the last call."""
        if not self.remotes:
            return {what: number for what, number in self._leaks(self.b2bua, self.feature_layer).items() if number}
        found = {}
        for name, remote in self.remotes.items():
            leaks = self._leaks(remote.b2bua, remote.layer)
            leaks["timers of CM"] = remote.timers.running()
            found |= {f"{what} ({name})": number for what, number in leaks.items() if number}
        return found

    def _leaks(self, b2bua: B2bua, layer: TransactionLayer) -> dict[str, int]:
        servers, clients = self.layer.transactions()
        feature_servers, feature_clients = layer.transactions()
        found = {
            "server transactions of SM": servers,
            "client transactions of SM": clients,
            "server transactions of CM": feature_servers,
            "client transactions of CM": feature_clients,
            "legs": len(b2bua.all_calls.legs),
            "calls": len(b2bua.all_calls.open),
            "publications": self.event_state.count(),
            "media streams": len(self.media.open_streams),
            "calls of the relay": len(self.relay.calls),
        }
        # Registrations and subscriptions have a timer each; nothing else runs when all is quiet.
        lasting = sum(1 for _ in self.location.users()) + sum(self.notifier.count().values()) + self.keep_alive.asked()
        found["timers"] = max(self.timers.running() - lasting, 0)
        if self.records is not None:
            # A subscription has one as long as it stands, and what a user has set is there to stay.
            set_by_users = sum(kind == SETTING for kind, _ in self.records.kept)
            mailboxes = len(self.events.mailboxes.list())
            found["records"] = len(self.records.kept) - sum(self.notifier.count().values()) - set_by_users - mailboxes
        for feature in b2bua.all_calls.hooks.features:
            # Not by vars(): a compiled class has slots only. Codes and settings are the class's.
            names = [name for name in dir(feature) if not name.startswith("__") and name not in ("codes", "settings", "faults")]
            held = [getattr(feature, name) for name in names]
            kept = sum(len(value) for value in held if isinstance(value, dict))
            if isinstance(feature, Lamps):
                kept += len(feature._publications._outstanding)
            found[f"calls kept by {type(feature).__name__}"] = kept
        return found


class _Port:
    """A UDP port of the server; a `Host` of the network."""

    name = "SM"

    def __init__(self, server: ServerUnderTest, socket: VirtualSocket) -> None:
        self._server = server
        self._socket = socket

    def datagram(self, data: bytes, source: HostPort) -> None:
        self._server.message(data, self._socket.flow(source))


class _LinkEnd:
    """Session Manager's own socket for one feature server; a `Host` of the network."""

    name = "SM"

    def __init__(self, server: ServerUnderTest, flow: VirtualUdp) -> None:
        self._server = server
        self._flow = flow

    def datagram(self, data: bytes, source: HostPort) -> None:
        if source != self._flow.remote:
            self._server.observer.message_dropped("stranger on a link")
            return
        self._server.message(data, self._flow)
