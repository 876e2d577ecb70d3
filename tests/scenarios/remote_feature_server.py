"""A feature server as another host of the virtual network: put together as b2bua/feature_service.py does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from b2bua import PRODUCT
from b2bua.assembly.link_faults import link_faults
from b2bua.faults.fault import parse_fault
from b2bua.faults.faults import Faults
from b2bua.faults.wire import Deliver
from b2bua.feature_server.b2bua import B2bua
from b2bua.feature_server.chosen_codes import FeatureCodes
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.feature_server.loader import Choices, load_features, load_server
from b2bua.feature_server.user_settings import UserSettings
from b2bua.observer import Observer
from b2bua.sip.flow import HostPort, Put
from b2bua.sip.identifiers import Identifiers
from b2bua.sip.message import Message
from b2bua.trace.names import CM, SM
from b2bua.trace.recorder import Recorder
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.layer import TransactionLayer
from b2bua.transaction.timers import Timers
from b2bua.transport.interposed import interpose
from tests.scenarios.options import DOMAIN, Options
from tests.scenarios.virtual_media import VirtualMedia
from tests.scenarios.virtual_network import LINKS, VirtualNetwork, VirtualSocket
from tests.scenarios.virtual_relay import VirtualRelay


class RemoteFeatureServer:
    """One process at `address`, linked to Session Manager at `link`; a `Host` of the network."""

    name = CM

    def __init__(
        self, network: VirtualNetwork, options: Options, observer: Observer, name: str, address: HostPort, link: HostPort,
        failed: Callable[[BaseException, Message | None], None], start: int = 1,
    ) -> None:  # fmt: skip
        self.network = network
        self.address = address
        self.recorder = Recorder(options.trace, network.clock.wall, CM)
        self.recorder.element(SM, link)
        self.timers = Timers(network.clock.now, lambda error: failed(error, None))
        self.layer = TransactionLayer(self.timers, Identifiers(f"c0mman{start}{name}"), observer, PRODUCT)
        self.deliver: Deliver = self.layer.datagram_received
        self.observer = observer
        self._failed = failed
        self._faults: Faults | None = None
        self._link = link
        self.records = options.remote_records
        self._details = options.details
        self._socket = VirtualSocket(network, address, self.recorder, LINKS[options.link])
        self.media = VirtualMedia()
        self.relay = VirtualRelay(self.timers, options.relay == "refuse")
        environment = Environment(
            name, DOMAIN, self.layer, self._socket.flow(link), observer, options.uniform or Random(6001).uniform,
            self.recorder.join, failed, options.limits, options.reliable, self.records, network.clock.wall,
            users=UserSettings(DOMAIN, self.records, options.user_defaults), codes=FeatureCodes(options.codes), media=self.media,
            relay=self.relay if options.relay else None,
            echoes=bool(options.entities), details=options.details,
        )  # fmt: skip
        choices = Choices(options.codes, options.user_defaults)
        self._load = lambda names: load_features(names, options.feature_directory, environment, self.features, choices)
        self.user_settings = environment.users
        self.features: Sequence[Feature] = ()
        self.features = self._load(options.features)
        server = load_server("communication_manager", environment, self.features)
        assert isinstance(server, B2bua)
        self.b2bua = server
        self.heartbeat = Heartbeat(
            self.layer, environment.link, f"<sip:{name}@{DOMAIN}>", options.heartbeat, lambda up: None,
            network.clock.wall(),
        )  # fmt: skip
        network.attach(self, address)
        network.each_tick.append(self.tick)
        self.b2bua.restore()
        self._commit()
        if options.heartbeat:
            self.heartbeat.start()

    # -- `b2bua.faults.installation.Place` ---------------------------------------------------------------------

    @property
    def listeners(self) -> RemoteFeatureServer:
        return self

    def interpose(self, between: Callable[[Put], Put]) -> Callable[[], None]:
        return interpose((self._socket,), between)

    def fault(self, text: str) -> Faults:
        """Set one in this process, as `b2bua fault add --url` does."""
        if self._faults is None:
            features = FeatureFaults(lambda: self.features, self.observer, self._failed)
            self._faults = link_faults(self, (), features, lambda event, **fields: None)
        self._faults.add(parse_fault(text, None))
        return self._faults

    def use_features(self, *names: str) -> None:
        """As on SIGHUP, with these names in the settings."""
        self.features = self._load(names)
        self.b2bua.use(self.features)

    def datagram(self, data: bytes, source: HostPort) -> None:
        assert source == self._link, "nobody else knows it"
        flow = self._socket.flow(source)
        self.recorder.received(flow, data)
        self.deliver(data, flow)
        self._commit()

    def tick(self) -> None:
        self.timers.advance()
        if self.records is not None:
            self.records.look()
        self._commit()

    def _commit(self) -> None:
        details = self._details
        while (self.records is not None and self.records.turn()) or (details is not None and details.turn()):
            pass

    def connection_broke(self) -> None:
        """As b2bua/feature_service.py hears of it, and dials anew: Session Manager has died, or the way to it."""
        self.heartbeat.lost()
        self.layer.flow_failed(self._socket.flow(self._link), comes_back=True)
        self.heartbeat.ask_now()

    def kill(self) -> None:
        """As by SIGKILL: nothing is said any more, and nothing heard."""
        self.network.detach(self.address)
        self.network.each_tick.remove(self.tick)
        if self.records is not None:
            self.records.crash()
