"""What is, for the gauges of `/metrics`: asked of its owners at scrape time, so that it can never drift from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from b2bua.feature_server.feature_server import FeatureServer
from b2bua.reload import Reload
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.bans import Bans
from b2bua.session_manager.location import Location
from b2bua.session_manager.notifier import Notifier
from b2bua.store.interface import Store
from b2bua.transport.listener_set import ListenerSet


@dataclass(frozen=True, slots=True)
class LiveState:
    """The owners; `feature_server` is None where none runs in this process. See `b2bua.http.metrics.LiveState`."""

    location: Location
    listeners: ListenerSet
    feature_server: FeatureServer | None
    notifier: Notifier
    peers: Callable[[], dict[str, tuple[bool, float | None]]]
    storage: Store
    reload: Reload
    admission: Admission
    bans: Bans | None

    def registrations(self) -> tuple[int, dict[str, int]]:
        return self.location.census()

    def flows(self) -> dict[str, int]:
        return self.listeners.count()

    def calls_active(self) -> dict[str, int]:
        return {} if self.feature_server is None else self.feature_server.calls()

    def longest_hold(self) -> float:
        return 0.0 if self.feature_server is None else self.feature_server.longest_hold()

    def subscriptions_active(self) -> dict[str, int]:
        return self.notifier.count()

    def entities(self) -> dict[str, tuple[bool, float | None]]:
        return self.peers()

    def store(self) -> tuple[bool, int]:
        return self.storage.up, self.storage.waiting

    def admitted(self) -> float:
        return 0.0 if self.admission.draining else self.admission.share

    def sources_banned(self) -> int:
        return 0 if self.bans is None else len(self.bans.list())

    def last_reload(self) -> tuple[bool, float]:
        return self.reload.succeeded, self.reload.succeeded_at
