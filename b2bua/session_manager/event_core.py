"""The event core of one server: compositor, notifier, and the state that is neither a phone's nor a feature server's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from b2bua.observer import Observer
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_packages import by_name
from b2bua.session_manager.event_packages.avaya_ccs_profile import AVAYA_CCS_PROFILE
from b2bua.session_manager.event_packages.avaya_feature_status import AVAYA_FEATURE_STATUS
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.session_manager.event_packages.message_summary import MESSAGE_SUMMARY
from b2bua.session_manager.event_packages.package import PLAIN, EventPackage, Form, Own, Published
from b2bua.session_manager.event_packages.presence import PRESENCE, Known, is_on_the_phone
from b2bua.session_manager.event_packages.reg import REG, Registration
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.location import Location
from b2bua.session_manager.mailboxes import Mailboxes
from b2bua.session_manager.notifier import Notifier, Send
from b2bua.session_manager.publication_keeper import PublicationKeeper
from b2bua.session_manager.subscription_keeper import SubscriptionKeeper
from b2bua.session_manager.watcher_view import WatcherView, WatchPolicy
from b2bua.session_manager.ways import Way
from b2bua.sip.profiles import Profiles
from b2bua.sip.uri import parse_uri
from b2bua.store.interface import Records
from b2bua.transaction.timers import Timers

PACKAGES: Final = (DIALOG, MESSAGE_SUMMARY, PRESENCE, REG, AVAYA_FEATURE_STATUS, AVAYA_CCS_PROFILE)
"""All that there are."""


class EventWorld(NamedTuple):
    """What the event core is handed."""

    domain: Domain
    location: Location
    timers: Timers
    tags: Callable[[], str]
    """A fresh To tag."""
    entity_tags: Callable[[], str]
    """A fresh entity tag, never given before, nor before a restart."""
    send: Send
    observer: Observer
    records: Records | None
    """A store that outlives the process; None where there is none."""
    wall: Callable[[], float]
    """Unix seconds."""
    same_group: Callable[[str, str], bool]
    """Whether two users are of one pickup group, and see each other's lamps whole."""
    way: Way
    """Which flow NOTIFYs take."""


class EventRules(NamedTuple):
    """What the settings say, and may say otherwise while the server runs."""

    watch: WatchPolicy = "domain"
    form: Form = PLAIN
    """How lamp documents look, and to whom otherwise."""
    forms: Mapping[str, Form] = MappingProxyType({})
    lists: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Users by the name of a list."""
    profiles: Profiles = Profiles()


class EventCore:
    """Made once; `packages` are the names of those that everybody is offered."""

    def __init__(self, world: EventWorld, packages: Sequence[str], rules: EventRules) -> None:
        self._domain = world.domain
        self._location = world.location
        self._wall = world.wall
        named = [replace(one, profile="") for one in PACKAGES if one.name in packages]
        of_profiles = [one for one in PACKAGES if one.profile and one.name not in packages]
        self.packages: Mapping[str, EventPackage] = by_name(*named, *of_profiles)
        records = world.records
        self.view = WatcherView(
            self.state, world.tags, rules.watch, world.same_group, rules.form, rules.forms, rules.profiles
        )  # fmt: skip
        self.notifier = Notifier(
            self.packages, self.view, world.send, world.timers, world.tags, world.observer,
            None if records is None else SubscriptionKeeper(records, world.timers, world.wall),
            self._by_aor(rules.lists), world.way,
        )  # fmt: skip
        self.event_state = EventState(
            self.packages, world.entity_tags, world.timers, self.notifier.changed,
            None if records is None else PublicationKeeper(records, self.packages, world.timers, world.wall), world.observer,
        )  # fmt: skip
        self.mailboxes = Mailboxes(records, self._mailbox_changed)
        self._own: dict[str, Callable[[str], Sequence[Published]]] = {
            "message-summary": self._mailbox, "presence": self._presence, "reg": self._registration,
        }  # fmt: skip
        self._of_registrations = [name for name in ("presence", "reg") if name in self.packages]
        if self._of_registrations:
            world.location.changed = self._registrations_changed

    def follow(self, rules: EventRules) -> None:
        """Go on with these."""
        self.view.follow(rules.watch, rules.form, rules.forms, rules.profiles)
        self.notifier.follow(self._by_aor(rules.lists))

    def _by_aor(self, lists: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        aor = self._domain.aor
        return {aor(name): tuple(aor(member) for member in members) for name, members in lists.items()}

    def state(self, package: str, aor: str) -> Sequence[Published]:
        """All that a document is composed of: what is our own, then the publications, the oldest first."""
        published = self.event_state.state(package, aor)
        own = self._own.get(package)
        return published if own is None else [*own(aor), *published]

    def _mailbox(self, aor: str) -> Sequence[Published]:
        summary = self.mailboxes.summary(parse_uri(aor).username)
        return () if summary is None else (Own(summary),)

    def _presence(self, aor: str) -> Sequence[Published]:
        dialogs = DIALOG.compose(aor, self.event_state.state("dialog", aor)).dialogs
        registered = bool(self._location.bindings(parse_uri(aor).username))
        return (Own(Known(registered, is_on_the_phone(dialogs))),)

    def _registration(self, aor: str) -> Sequence[Published]:
        return (Own(Registration(aor, self._location.bindings(parse_uri(aor).username), self._wall())),)

    def _registrations_changed(self, user: str) -> None:
        for package in self._of_registrations:
            self.notifier.changed(package, self._domain.aor(user), "")

    def _mailbox_changed(self, user: str) -> None:
        self.notifier.changed("message-summary", self._domain.aor(user), "")
