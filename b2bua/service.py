"""The composition root: settings in, a running server out. Everything is made and wired here, in one visible block."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from b2bua import PRODUCT
from b2bua.assembly.access import access_of, follow_accounts
from b2bua.assembly.authenticator_parts import authenticator_of
from b2bua.assembly.dial_plan import dial_plan_of
from b2bua.assembly.fault_parts import faults_of
from b2bua.assembly.first_users import load_users
from b2bua.assembly.foundations import lay_foundations
from b2bua.assembly.kept_bindings import KeptBindings
from b2bua.assembly.listening import LinkEnds, open_listener
from b2bua.assembly.sequences import sequences_of
from b2bua.assembly.settings_parts import (
    bans_of,
    cdr_file,
    challenge_policy,
    digest_offer,
    event_rules,
    expiry_limits,
    feature_choices,
    profiles_of,
    tls_of,
    trusted_networks,
)
from b2bua.assembly.site_parts import site_of
from b2bua.assembly.trace_parts import TraceUpkeep
from b2bua.assembly.trunk_parts import next_hops_of, trunk_watches, trunks_of
from b2bua.cdr.file import CdrFile, check_file
from b2bua.config.addresses import host_port_text, parse_port_range, parse_server
from b2bua.config.settings import IN_PROCESS, ConfigError, Settings
from b2bua.faults.faults import Faults
from b2bua.faults.wire import Deliver
from b2bua.feature_server.chosen_codes import FeatureCodes
from b2bua.feature_server.contract import CallLimits, Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.feature_server.feature_server import FeatureServer
from b2bua.feature_server.loader import load_features, load_server
from b2bua.feature_server.user_settings import PICKUP_GROUP, UserSettings
from b2bua.http.hep_sender import start_hep
from b2bua.log.log import Log
from b2bua.media.media_server import MediaServer
from b2bua.media.rtpengine import Rtpengine
from b2bua.pauses import LoopLag
from b2bua.process import bound, listen_http, run_process
from b2bua.reload import Reload
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_core import EventCore, EventWorld
from b2bua.session_manager.event_packages.package import allow_events
from b2bua.session_manager.keep_alive import KeepAlive
from b2bua.session_manager.links import FeatureLink, Links
from b2bua.session_manager.location import Location
from b2bua.session_manager.notify_sender import NotifySender
from b2bua.session_manager.parts import Parts
from b2bua.session_manager.recovery import NoCalls
from b2bua.session_manager.registrar import Registrar
from b2bua.session_manager.session_manager import SessionManager
from b2bua.session_manager.tokens import Tokens
from b2bua.session_manager.ways import Ways
from b2bua.sip.flow import Flow
from b2bua.sip.framer import Unframed
from b2bua.sip.identifiers import Identifiers
from b2bua.store.file_users import FileUsers, check_ha1s
from b2bua.store.interface import Store
from b2bua.store.secret_record import derived, stored_secret
from b2bua.store.setting_record import SETTING
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TICK
from b2bua.transaction.unreadable import stream_broken
from b2bua.transport.memory import Turns, memory_link

POLL_SECONDS: Final = 1.0
"""How soon a user added by another process is known."""


class Server:
    """One running server. Nothing is global: a test may make several on one reactor.

    `read` gives the settings once more, on SIGHUP.
    """

    _features: Sequence[Feature] = ()
    cdr: CdrFile | None = None
    faults: Faults

    def __init__(self, settings: Settings, reactor: Any, log: Log, read: Callable[[], Settings] | None = None) -> None:
        self.settings, self.ready = settings, False
        self.reload = Reload(settings, read or (lambda: settings), self._follow, time.time, log)
        self._reactor, self._log = reactor, log
        self._tls = tls_of(settings)  # before the store: a bad file leaves no database behind
        prefix = secrets.token_hex(8)

        # What everything stands on: time, identifiers, counters, the trace, the queue of the link in process.
        self.turns = Turns(lambda: reactor.callLater(0, self.turns.run))
        self._foundations = foundations = lay_foundations(settings, reactor, log, self._committed)
        self._mistakes = mistakes = foundations.mistakes
        self.observer, self.timers, self.recorder = foundations.observer, foundations.timers, foundations.recorder
        self.store, self.listeners = foundations.store, foundations.listeners
        self._access = access_of(settings, log)
        self._stop_hep: Callable[[], None] = lambda: None
        self.file_users = FileUsers(self.store, settings.domain)
        self.loop_lag = LoopLag(self.observer, self.timers.now)

        # Session Manager.
        self.domain = Domain(settings.domain, settings.aliases)
        self.layer = TransactionLayer(self.timers, Identifiers(f"{prefix}s"), self.observer, PRODUCT)
        self.layer.streams, self.layer.log = self.listeners, log
        self.deliver: Deliver = self.layer.datagram_received
        self.location = Location(self.timers, time.time)
        self.links = Links()
        ways = Ways(self.listeners, self.location, self.domain)
        if settings.keep_alive:
            keep_alive = KeepAlive(self.layer, self.listeners, self.location, settings.domain, settings.keep_alive, log)
            self.location.watch = keep_alive.bindings_changed
        self.admission = Admission(self.links, self.location, self.observer, self.listeners.waited, time.monotonic, log)
        durable = self._make_event_core(ways)
        self._bindings = KeptBindings(foundations, self.location, self.notifier)
        self._registrar = Registrar(
            self.domain, self.location, self._bindings.save, time.time, self.observer, expiry_limits(settings),
            self._bindings.learned, log, profiles_of(settings),
        )  # fmt: skip
        self._authenticator = authenticator_of(foundations, self.domain)
        self.bans, self._trunks = bans_of(settings, self.observer, log), trunks_of(foundations)
        next_hops = next_hops_of(foundations, self.domain)
        self.watches = trunk_watches(foundations, self.layer, self._trunks, next_hops)
        self.session_manager = SessionManager(Parts(
            layer=self.layer, domain=self.domain, tokens=self._tokens(), links=self.links, users=self.store,
            location=self.location, registrar=self._registrar, authenticator=self._authenticator,
            event_state=self.event_state, notifier=self.notifier,
            allow_events=("Allow-Events", allow_events(self.events.packages)), flows=self.listeners, observer=self.observer,
            failed=mistakes.failed, leg_continued=self.recorder.continued, admission=self.admission,
            requests_per_source=settings.requests_per_source, bans=self.bans, records=durable, wall=time.time,
            trunks=self._trunks, next_hops=next_hops, trusted=trusted_networks(settings), log=log,
        ))  # fmt: skip

        # The feature servers: one in process behind its link, others behind links over the network (`start` opens them).
        self.heartbeats: dict[str, Heartbeat] = {}
        self._link_ends = LinkEnds(foundations, self, self.layer, self.domain, self.links, self.heartbeats)
        self.media = MediaServer(reactor, parse_port_range(settings.media_ports), settings.media_address, log)
        self.rtpengine: Rtpengine | None = None
        self.feature_server: FeatureServer | None = None
        self._load_features: Callable[[Settings], list[Feature]] = lambda settings: []
        if settings.feature_server != "none":
            self.feature_server = self._start_feature_server(f"{prefix}c")

    def _make_event_core(self, ways: Ways) -> Store | None:
        """Compositor and notifier. Returns the store where it outlives the process."""
        self._ways, durable = ways, self.store if self.store.durable else None
        tags = self.layer.identifiers.tag
        world = EventWorld(
            self.domain, self.location, self.timers, tags, tags, NotifySender(self.layer, ways.again).send, self.observer,
            durable, time.time, self._same_group, ways.to_watcher,
        )  # fmt: skip
        self.users: UserSettings | None = None
        self.events = EventCore(world, self.settings.event_packages, event_rules(self.settings))
        self.notifier, self.event_state = self.events.notifier, self.events.event_state
        return durable

    def _start_feature_server(self, prefix: str) -> FeatureServer:
        settings = self.settings
        # Names that need not resolve: these addresses stand in the Vias and Routes of the link, and no phone sees them.
        addresses = ((f"sm.{settings.domain}", 5060), (f"fs.{settings.domain}", 5060))
        self.domain.listens_on(addresses[:1])
        down, up = memory_link(settings.feature_server, addresses, self.turns, self.recorder.linked)
        layer = TransactionLayer(self.timers, Identifiers(prefix), self.observer, PRODUCT)
        down.connect(up, self.layer.link_received)
        up.connect(down, layer.link_received)
        if settings.rtpengine:
            needed = settings.rtpengine_down == "refuse"
            there = parse_server(settings.rtpengine)
            self.rtpengine = Rtpengine(self._reactor, there, needed, self._committed, self._log)
        post = partial(self._reactor.callFromThread, self._committed)
        self.cdr = cdr_file(settings, IN_PROCESS, self.observer, post, self._log)
        environment = Environment(
            IN_PROCESS, settings.domain, layer, up, self.observer, random.uniform, self.recorder.join, self._mistakes.failed,
            CallLimits(settings.session_expires, settings.session_expires_min, settings.call_length_max, settings.calls_per_user),
            settings.reliable_provisional, self.store if self.store.durable else None, time.time, self._user_settings(),
            FeatureCodes(settings.feature_codes), self.media, self.rtpengine,
            echoes=any("username" in values for values in settings.entities.values()), details=self.cdr, log=self._log,
        )  # fmt: skip
        features = load_features(settings.features, settings.feature_directory, environment, (), feature_choices(settings))
        server = load_server(settings.feature_server, environment, features, settings.feature_directory)
        self._features = features
        self._load_features = lambda wanted: load_features(
            wanted.features, wanted.feature_directory, environment, self._features, feature_choices(wanted)
        )
        self._environment = environment
        self.links.add(FeatureLink(environment.name, down))
        self.heartbeats[IN_PROCESS] = Heartbeat(self.layer, down, f"<sip:{settings.domain}>", 0, lambda up: None)
        return server

    def _user_settings(self) -> UserSettings:
        """What users have set, which other processes may change, too (`b2bua user set`)."""
        durable = self.store if self.store.durable else None
        users = UserSettings(self.settings.domain, durable, self.settings.user_defaults)
        self.store.watch(SETTING, users.take)
        self.users = users
        return users

    def _same_group(self, user: str, watcher: str) -> bool:
        """Whether two users are of one pickup group, as far as is known here: a feature server elsewhere has its own settings."""
        users = self.users
        return users is not None and users.shared(PICKUP_GROUP, user, watcher)

    # -- start and stop ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the listeners, load users and bindings; ConfigError, StoreError or OSError when that cannot be."""
        for listen in self.settings.listen:
            open_listener(self._foundations, self, listen, self._tls)
        for link in self.settings.links:
            self._link_ends.open(link, self._tls)
        self.links.follow(sequences_of(self.settings), self.settings.application_timeout)
        features = FeatureFaults(self.features, self.observer, self._mistakes.failed)
        self.faults = faults_of(
            self, self.settings.faults, features, self._log, self.links, self._trunks, self._authenticator
        )
        self.domain.listens_on(self.listeners.addresses())
        self.store.claim()  # behind the listeners: of two servers on one port the second says that
        self._bindings.load()
        self._trace = TraceUpkeep(self.recorder, self._reactor, self.settings, self._log)
        site = site_of(self, self._reactor, self._log, self._access, self._trace.read)
        self._http = listen_http(self._reactor, self.settings.http, site)
        follow_accounts(self._access, self.store)
        if self.settings.hep is not None:
            hep = self.settings.hep
            self._stop_hep = start_hep(self._reactor, hep.transport, (hep.host, hep.port), self.recorder)
        # Behind the listeners: a port taken leaves no first users behind, and its one line alone.
        load_users(self._foundations, self.file_users)
        if self.rtpengine is not None:
            self.rtpengine.start()
        self._trace.start()
        self._turn_wheel()
        self._poll_store()
        if IN_PROCESS in self.heartbeats:
            self.heartbeats[IN_PROCESS].start()
        for watch in self.watches.values():
            watch.start()
        self.events.mailboxes.load()
        self.event_state.restore()  # before the calls: what they publish anew is counted behind it
        if self.feature_server is not None:
            self.feature_server.restore()
        self.session_manager.recover(self.feature_server or NoCalls())
        if restored := self.notifier.restore(self._ways.remembered):
            self._log("subscriptions_restored", number=restored)
            self.timers.start(TICK, self.notifier.notify_restored)  # behind what the restored calls publish
        self.ready = True

    def stop(self) -> list[Any]:
        """Stop listening and close the store; calls in progress get no BYE: the phones' media goes on."""
        self.ready = False
        for heartbeat in self.heartbeats.values():
            heartbeat.stop()
        for watch in self.watches.values():
            watch.stop()
        self._link_ends.close()
        self.listeners.close()
        self._stop_hep()
        self._trace.stop()
        self.media.close()
        if self.rtpengine is not None:
            self.rtpengine.stop()
        waiting = [self._http.stopListening()]
        if self.cdr is not None:
            self.cdr.close()
        self.store.close()
        return waiting

    def _follow(self, settings: Settings) -> None:
        """Go on with these settings. What can fail comes first, so that a failure leaves everything as it was."""
        tls = tls_of(settings)
        if tls is None and self._tls is not None:
            raise ConfigError("tls_cert: the listeners over TLS need it until a restart")
        features, policy, offer = self._load_features(settings), challenge_policy(settings), digest_offer(settings)
        users = None if settings.users is None else self.file_users.read(settings.users, offer)
        check_ha1s(self.store.users() if users is None else self.file_users.after(users), offer)
        plan = None if self._trunks is None else dial_plan_of(settings, self._trunks.entities.all)
        sequences = sequences_of(settings)
        if self.cdr is not None and settings.cdr is not None:
            check_file(settings.cdr)
        if users is not None:
            self.file_users.take(users)
        self.links.follow(sequences, settings.application_timeout)
        if self._trunks is not None and plan is not None:
            self._trunks.follow(plan)
        if self._tls is not None and tls is not None:
            self._tls.credentials = tls.credentials
        self._log.follow(settings.log_format, settings.log_levels)
        if self.cdr is not None:
            self.cdr.follow(settings.cdr)
        self._authenticator.follow(policy, offer, settings.strict_digest_uri, profiles_of(settings))
        self._registrar.follow(expiry_limits(settings), profiles_of(settings))
        self.events.follow(event_rules(settings))
        if self.feature_server is not None:
            self._features = features
            self._environment.users.follow(settings.user_defaults)
            self._environment.codes.follow(settings.feature_codes)
            self.feature_server.use(features)

    def calls(self) -> int:
        """How many calls stand here; those of feature servers elsewhere are theirs to tell."""
        return 0 if self.feature_server is None else sum(self.feature_server.calls().values())

    def features(self) -> Sequence[Feature]:
        """Those that new calls get, of the feature server in this process."""
        return self._features

    def hangup(self) -> None:
        """SIGHUP: read the settings again."""
        self.reload.run()

    def describe(self) -> str:
        """What is open, for the ready line."""
        listeners = " ".join([*self.listeners.describe(), *self._link_ends.names()])
        return f"{listeners} http://{host_port_text(*bound(self._http))} domain {self.settings.domain}"

    def entities(self) -> dict[str, tuple[bool, float | None]]:
        """Feature server, trunk and rtpengine → whether it answers, and the round trip of its last answer."""
        found = {name: (watch.up, watch.rtt) for name, watch in self.watches.items()}
        found |= {name: (heartbeat.up, heartbeat.rtt) for name, heartbeat in self.heartbeats.items()}
        return found if self.rtpengine is None else found | {"rtpengine": (self.rtpengine.up, None)}

    def received(self, data: bytes, flow: Flow) -> None:
        """One message, and all that it causes on the link in process."""
        turns = self.turns
        turns.driving = True
        self.deliver(data, flow)
        turns.run()

    def _committed(self, tell: Callable[..., object], *arguments: object) -> None:
        """What waited for a commit, or for rtpengine, and all that it causes on the link in process."""
        self.turns.driving = True
        tell(*arguments)
        self.turns.run()

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        """What came over a stream cannot be cut into messages."""
        stream_broken(self.layer, flaw, flow)

    def failed(self, flow: Flow) -> None:
        """What was under way on a connection, and all that its loss causes; standing calls are left alone when we stop. A feature
        server of ours that has died over a re-INVITE says so when it is back."""
        if self.ready:
            link = self.links.of(flow)
            if link is not None and link.name in self.heartbeats:
                self.heartbeats[link.name].lost()
            self.turns.driving = True
            self.layer.flow_failed(flow, comes_back=link is not None and not link.foreign)
            self.turns.run()

    def _turn_wheel(self) -> None:
        self._reactor.callLater(TICK, self._turn_wheel)
        self.admission.turned(self.loop_lag.turned(TICK))
        self.listeners.sample()
        self.turns.driving = True
        self.timers.advance()
        self.turns.run()

    def _tokens(self) -> Tokens:
        return Tokens(derived(stored_secret(self.store, secrets.token_bytes), "route tokens"), secrets.token_urlsafe(3))

    # -- the store ---------------------------------------------------------------------------------------------

    def _poll_store(self) -> None:
        self.store.poll()
        self._access.sessions.end_what_is_over()
        self._reactor.callLater(POLL_SECONDS, self._poll_store)


def run(settings: Settings, read: Callable[[], Settings]) -> int:
    """Run a server until SIGTERM or SIGINT; the exit status. ConfigError, StoreError: it could not start.

    `read` gives the settings of all sources once more, for SIGHUP.
    """
    return run_process("b2bua", settings, lambda reactor, log: Server(settings, reactor, log, read))
