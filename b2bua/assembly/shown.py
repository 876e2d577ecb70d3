"""What is asked of a server over HTTP."""

from __future__ import annotations

from typing import Protocol

from b2bua.cdr.file import CdrFile
from b2bua.config.settings import Settings
from b2bua.faults.faults import Faults
from b2bua.feature_server.feature_server import FeatureServer
from b2bua.feature_server.user_settings import UserSettings
from b2bua.media.rtpengine import Rtpengine
from b2bua.observer import Observer
from b2bua.reload import Reload
from b2bua.session_manager.admission import Admission
from b2bua.session_manager.bans import Bans
from b2bua.session_manager.event_core import EventCore
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.location import Location
from b2bua.session_manager.notifier import Notifier
from b2bua.session_manager.trunk_watch import TrunkWatch
from b2bua.store.file_users import FileUsers
from b2bua.store.interface import Store
from b2bua.trace.recorder import Recorder
from b2bua.transaction.heartbeat import Heartbeat
from b2bua.transaction.timers import Timers
from b2bua.transport.listener_set import ListenerSet


class Shown(Protocol):
    """The owners of what stands; `b2bua.service.Server` has them all."""

    settings: Settings
    ready: bool
    reload: Reload
    observer: Observer
    timers: Timers
    recorder: Recorder
    store: Store
    listeners: ListenerSet
    file_users: FileUsers
    users: UserSettings | None
    location: Location
    admission: Admission
    bans: Bans | None
    events: EventCore
    notifier: Notifier
    event_state: EventState
    faults: Faults
    cdr: CdrFile | None
    feature_server: FeatureServer | None
    rtpengine: Rtpengine | None
    heartbeats: dict[str, Heartbeat]
    watches: dict[str, TrunkWatch]

    def calls(self) -> int:
        """How many calls stand here; those of feature servers elsewhere are theirs to tell."""

    def entities(self) -> dict[str, tuple[bool, float | None]]:
        """Feature server, trunk and rtpengine → whether it answers, and the round trip of its last answer."""
