"""The composition root of `b2bua feature-server`: a feature server in a process of its own, linked to Session Manager."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from b2bua import PRODUCT, __version__
from b2bua.assembly.access import access_of, follow_accounts
from b2bua.assembly.api_pages import cdr_page
from b2bua.assembly.link_faults import link_faults
from b2bua.assembly.mistakes import Mistakes
from b2bua.assembly.settings_parts import cdr_file, feature_choices, tls_of
from b2bua.assembly.trace_parts import TraceUpkeep
from b2bua.cdr.file import check_file
from b2bua.config.addresses import Listen, host_port_text, parse_port_range, parse_server
from b2bua.config.settings import ConfigError, Settings
from b2bua.faults.wire import Deliver
from b2bua.feature_server.chosen_codes import FeatureCodes
from b2bua.feature_server.contract import CallLimits, Environment
from b2bua.feature_server.control import control_of
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.feature_server.loader import load_features, load_server
from b2bua.feature_server.user_settings import UserSettings
from b2bua.http.api_calls import CallsPage
from b2bua.http.api_control import ReloadPage
from b2bua.http.api_faults import FaultsPage
from b2bua.http.metrics import ServerMetrics
from b2bua.http.site import make_site
from b2bua.log.log import Log
from b2bua.media.media_server import MediaServer
from b2bua.media.rtpengine import Rtpengine
from b2bua.observer import Observer
from b2bua.process import bound, listen_http, run_process
from b2bua.reload import Reload
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.framer import Unframed
from b2bua.sip.identifiers import Identifiers
from b2bua.store.opening import open_mended
from b2bua.trace.names import CM, SM
from b2bua.trace.recorder import Recorder
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import TICK, Timers
from b2bua.transaction.unreadable import stream_broken
from b2bua.transport.link import DiallingLink, UdpLink

POLL_SECONDS: Final = 1.0
"""How soon what the store could not take is tried again."""


class FeatureService:
    """One feature server and its link. It holds calls; registrations, users and lamps' watchers are Session Manager's."""

    def __init__(self, settings: Settings, reactor: Any, log: Log, read: Callable[[], Settings]) -> None:
        self.reload = Reload(settings, read, self._follow, time.time, log)
        listen = settings.check_feature_server()
        assert settings.session_manager is not None, "checked"
        self.settings, self.ready = settings, False
        self._reactor, self._log = reactor, log
        self._http: Any = None
        self._access = access_of(settings, log)

        # What everything stands on.
        self.observer = Observer()
        mistakes = Mistakes(self.observer, log)
        self.timers = Timers(time.monotonic, mistakes.of("timer"))
        self.recorder = Recorder(settings.trace, time.time, CM, settings.trace_bytes)
        self.observer.trace, log.lost = self.recorder, partial(self.observer.write_failed, "log")
        self.recorder.element(SM, settings.session_manager)

        # The link: it hears Session Manager and nobody else. Opened here, as features may send from the start.
        self.layer = TransactionLayer(self.timers, Identifiers(f"{secrets.token_hex(8)}c"), self.observer, PRODUCT)
        self.deliver: Deliver = self.layer.datagram_received
        self._tls = tls_of(settings) if listen.transport == "tls" else None
        self.end = self._open_end(listen, settings.session_manager)
        link = self.end.link

        # Media of our own, and what outlives us: in a file that others use, too, our calls stand under our name.
        name = settings.name or settings.feature_server
        # Phones know Session Manager's address, which is not where this process hears.
        ports = parse_port_range(settings.media_ports)
        self.media = MediaServer(reactor, ports, settings.media_address or listen.host, log)
        self.rtpengine: Rtpengine | None = None
        if settings.rtpengine:
            needed = settings.rtpengine_down == "refuse"
            self.rtpengine = Rtpengine(reactor, parse_server(settings.rtpengine), needed, _call, log)
        self.store = open_mended(
            settings.store, f"{settings.domain} {name}", reactor.callFromThread, settings.durability, log,
            partial(reactor.callLater, 0),
        )  # fmt: skip

        # The feature server on it.
        self.cdr = cdr_file(settings, name, self.observer, reactor.callFromThread, log)
        durable = self.store if self.store.durable else None
        self._environment = environment = Environment(
            name, settings.domain, self.layer, link, self.observer, random.uniform, self.recorder.join, mistakes.failed,
            CallLimits(settings.session_expires, settings.session_expires_min, settings.call_length_max, settings.calls_per_user),
            settings.reliable_provisional, durable, time.time, UserSettings(settings.domain, durable, settings.user_defaults),
            FeatureCodes(settings.feature_codes), self.media, self.rtpengine, echoes=True, details=self.cdr, log=log,
        )  # fmt: skip
        self._features = load_features(settings.features, settings.feature_directory, environment, (), feature_choices(settings))
        self.feature_server = load_server(settings.feature_server, environment, self._features, settings.feature_directory)
        sender = f"<sip:{name}@{settings.domain}>"
        self.heartbeat = Heartbeat(self.layer, link, sender, settings.link_heartbeat, self._link_changed, time.time())
        self.faults = link_faults(self, settings.faults, FeatureFaults(self.features, self.observer, mistakes.failed), log)

    def _open_end(self, listen: Listen, peer: HostPort) -> UdpLink | DiallingLink:
        ends = (listen.host, listen.port), peer
        end: UdpLink | DiallingLink
        if listen.transport == "udp":
            end = UdpLink(self, self.recorder, self.observer, *ends)
        else:
            end = DiallingLink(self, self.recorder, self.observer, *ends, lambda: self.heartbeat.ask_now(), self._tls)
        try:
            end.open(self._reactor)
        except OSError as error:
            raise ConfigError(f"listen: {listen}: {error.strerror or error}") from None
        return end

    # -- start and stop ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open HTTP where it is wanted, and tell Session Manager that we are here."""
        settings = self.settings
        self.store.claim()
        self._trace = TraceUpkeep(self.recorder, self._reactor, settings, self._log)
        if settings.http[1]:
            metrics = ServerMetrics(self.observer, _Live(self), self.recorder, __version__, time.time())
            site = make_site(
                metrics, lambda: self.ready, self.recorder, self._access, settings.trace_secrets,
                controls={
                    b"reload": ReloadPage(self.reload.run), b"calls": CallsPage(control_of(self.feature_server)),
                    b"cdr": cdr_page(self.cdr), b"faults": FaultsPage(self.faults),
                },
                told=self.observer.login_tried,
                log=self._log, kept=self._trace.read,
            )  # fmt: skip
            self._http = listen_http(self._reactor, settings.http, site)
            follow_accounts(self._access, self.store)
        if self.rtpengine is not None:
            self.rtpengine.start()
        self._trace.start()
        self._turn_wheel()
        self._poll_store()
        self.feature_server.restore()
        self.heartbeat.start()
        self.ready = True

    @property
    def listeners(self) -> UdpLink | DiallingLink:
        """What sends: where faults get in (faults/installation.py)."""
        return self.end

    def features(self) -> Sequence[Feature]:
        """Those that new calls get."""
        return self._features

    def hangup(self) -> None:
        """SIGHUP: read settings and features again."""
        self.reload.run()

    def _follow(self, settings: Settings) -> None:
        """Of the settings that can change at run time only features and certificates concern a feature server."""
        tls = None if self._tls is None else tls_of(settings)
        if settings.cdr is not None:
            check_file(settings.cdr)
        environment, choices = self._environment, feature_choices(settings)
        features = load_features(settings.features, settings.feature_directory, environment, self._features, choices)
        self._features = features
        environment.users.follow(settings.user_defaults)
        environment.codes.follow(settings.feature_codes)
        self.feature_server.use(features)
        self.cdr.follow(settings.cdr)
        self._log.follow(settings.log_format, settings.log_levels)
        if self._tls is not None and tls is not None:
            self._tls.credentials = tls.credentials

    def describe(self) -> str:
        """What is open, for the ready line."""
        settings = self.settings
        assert settings.session_manager is not None
        http = f" http://{host_port_text(*bound(self._http))}" if self._http is not None else ""
        return f"{self.end.name} session manager {host_port_text(*settings.session_manager)}{http} domain {settings.domain}"

    def stop(self) -> list[Any]:
        """Stop listening. Calls in progress get no BYE: the phones' media goes on."""
        self.ready = False
        self.heartbeat.stop()
        self._trace.stop()
        self.media.close()
        if self.rtpengine is not None:
            self.rtpengine.stop()
        self.end.close()
        self.cdr.close()
        self.store.close()
        return [] if self._http is None else [self._http.stopListening()]

    def _turn_wheel(self) -> None:
        self._reactor.callLater(TICK, self._turn_wheel)
        self.timers.advance()

    def _poll_store(self) -> None:
        self._reactor.callLater(POLL_SECONDS, self._poll_store)
        self.store.poll()
        self._access.sessions.end_what_is_over()

    # -- from the link -----------------------------------------------------------------------------------------

    def received(self, data: bytes, flow: Flow) -> None:
        """One message."""
        self.deliver(data, flow)

    def failed(self, flow: Flow) -> None:
        """The connection is gone: what is under way on it fails now, but for re-INVITEs that Session Manager has taken. Whether
        it has died over them its next question tells."""
        if self.ready:
            self.heartbeat.lost()
            self.layer.flow_failed(flow, comes_back=True)

    def unframed(self, flaw: Unframed, flow: Flow) -> None:
        """What came cannot be cut into messages."""
        stream_broken(self.layer, flaw, flow)

    # -- who is there --------------------------------------------------------------------------------------

    def _link_changed(self, up: bool) -> None:
        if up:
            self._log("session_manager_found")
        else:
            self._log("session_manager_lost")


def _call(function: Callable[[Any], object], argument: Any) -> None:
    function(argument)


class _Live:
    """What is, for the gauges: asked of its owners at scrape time. Registrations and lamps' watchers are somebody else's."""

    def __init__(self, service: FeatureService) -> None:
        self._service = service

    def registrations(self) -> tuple[int, dict[str, int]]:
        return 0, {}

    def flows(self) -> dict[str, int]:
        return {}

    def calls_active(self) -> dict[str, int]:
        return self._service.feature_server.calls()

    def longest_hold(self) -> float:
        return self._service.feature_server.longest_hold()

    def subscriptions_active(self) -> dict[str, int]:
        return {}

    def entities(self) -> dict[str, tuple[bool, float | None]]:
        heartbeat = self._service.heartbeat
        found: dict[str, tuple[bool, float | None]] = {"session_manager": (heartbeat.up, heartbeat.rtt)}
        relay = self._service.rtpengine
        return found if relay is None else found | {"rtpengine": (relay.up, None)}

    def store(self) -> tuple[bool, int]:
        return self._service.store.up, self._service.store.waiting

    def admitted(self) -> float:
        return 1.0  # who comes here was let in by Session Manager

    def sources_banned(self) -> int:
        return 0  # nobody authenticates here

    def last_reload(self) -> tuple[bool, float]:
        reload = self._service.reload
        return reload.succeeded, reload.succeeded_at


def run(settings: Settings, read: Callable[[], Settings]) -> int:
    """Run a feature server until SIGTERM or SIGINT; the exit status. ConfigError: it could not start.

    `read` gives the settings of all sources once more, for SIGHUP.
    """
    return run_process("b2bua feature-server", settings, lambda reactor, log: FeatureService(settings, reactor, log, read))
