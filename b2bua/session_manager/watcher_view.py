"""What a watcher may see, and how it is told: the documents of its NOTIFYs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from b2bua.session_manager.event_packages.package import PLAIN, EventPackage, Form, Published
from b2bua.session_manager.watched_list import WatchedList
from b2bua.sip.message import Request
from b2bua.sip.profiles import ASTERISK, AVAYA, Profiles
from b2bua.sip.rlmi import ListState, Resource
from b2bua.sip.uri import parse_uri

if TYPE_CHECKING:
    from b2bua.session_manager.subscription import Subscription

WatchPolicy = Literal["domain", "self"]
_LISTED = "listed"
"""What a subscription to a list was told last: the members know it themselves."""


def _never(user: str, watcher: str) -> bool:
    return False


class WatcherView:
    """The state of all, seen by each.

    `state` gives what a document of a package about an address of record is composed of; `unique` text that was never there
    before. `watch` is `domain` (any user may watch any other) or `self` (only its own state and that of its pickup group);
    `same_group(user, watcher)` says whether they are of one, `forms` maps a watcher to how it wants its documents where that
    is not the usual way, `form`.
    """

    def __init__(
        self,
        state: Callable[[str, str], Sequence[Published]],
        unique: Callable[[], str],
        watch: WatchPolicy = "domain",
        same_group: Callable[[str, str], bool] = _never,
        form: Form = PLAIN,
        forms: Mapping[str, Form] | None = None,
        profiles: Profiles | None = None,
    ) -> None:
        self._state = state
        self._unique = unique
        self._watch = watch
        self._same_group = same_group
        self._form = form
        self._forms = forms or {}
        self._profiles = profiles or Profiles()

    def follow(
        self, watch: WatchPolicy, form: Form = PLAIN, forms: Mapping[str, Form] | None = None, profiles: Profiles | None = None
    ) -> None:
        """From the next SUBSCRIBE on, refreshes too: this policy, these profiles. From the next NOTIFY on: these forms."""
        self._watch = watch
        self._form, self._forms = form, forms or {}
        self._profiles = profiles or Profiles()

    def is_offered(self, package: EventPackage, watcher: str) -> bool:
        """Whether there is such a package as far as this user is concerned."""
        return not package.profile or self._profiles.has(package.profile, watcher)

    def accepted(self, watcher: str) -> int:
        """The status of what a SUBSCRIBE of this user is granted: 200, or 202 as Avaya's Session Manager has it, which RFC 6665
        §8.3.1 does without."""
        return 202 if self._profiles.has(AVAYA, watcher) else 200

    def may_refresh(self, watcher: str, user: str) -> bool:
        """Whether a refresh by this user is one of this watcher. Who is not asked who he is in a dialog (`asterisk`) proves it by
        the dialog's tags."""
        return user == watcher or (not user and self._profiles.has(ASTERISK, watcher))

    def may_watch(self, package: EventPackage, aor: str, watcher: str) -> bool:
        """Whether this user may subscribe to that state."""
        if package.audience == "owner":
            return parse_uri(aor).username == watcher
        return self._watch == "domain" or self._sees_all(aor, watcher)

    def is_news(self, subscription: Subscription) -> bool:
        """Whether the state looks to a watcher otherwise than it was told last."""
        listed = subscription.watched_list
        if listed is None:
            return bool(self._value(subscription, subscription.aor) != subscription.told)
        listed.changed = {one for one in listed.changed if self._value(subscription, one) != listed.told.get(one)}
        return bool(listed.changed)

    def write(self, subscription: Subscription, version: int, notify: Request) -> None:
        """Put the document into a NOTIFY, and note what the watcher is told by it."""
        package, listed = subscription.package, subscription.watched_list
        if listed is not None:
            content_type, body = self._list_document(subscription, listed, version)
            notify.set_body(body, content_type)
            return
        value = self._value(subscription, subscription.aor)
        body, subscription.told = self._document(subscription, value, subscription.told, version)
        notify.set_body(body, package.content_type)

    def _list_document(self, subscription: Subscription, listed: WatchedList, version: int) -> tuple[str, bytes]:
        """All members, or those that have changed since the watcher was told (RFC 4662 §5.2)."""
        full = subscription.told is None
        if full:
            listed.forget_what_was_told()
        resources = []
        for member in listed.due(full):
            if not self.may_watch(subscription.package, member, subscription.watcher):
                resources.append(Resource(member, None, "rejected"))
                continue
            value, number = self._value(subscription, member), listed.next_version(member, version)
            body, told = self._document(subscription, value, listed.told.get(member), number)
            if told is not None:
                listed.told[member] = told
            resources.append(Resource(member, body))
        subscription.told = _LISTED
        state = ListState(subscription.aor, version, full, resources)
        return state.encode(subscription.package.content_type, self._unique(), parse_uri(subscription.aor).host)

    def _document(self, subscription: Subscription, value: Any, before: Any, version: int) -> tuple[bytes, Any]:
        """The document about one resource, and what is to be remembered of it for the next one."""
        package = subscription.package
        if package.document is None:
            return package.encode(value, version), value if package.follows else None
        form = self._forms.get(subscription.watcher, self._form)
        changes = package.partial or form.partial
        told = value if changes or subscription.wanted is not None else None
        return package.document(value, before if changes else None, version, form), told

    def _value(self, subscription: Subscription, aor: str) -> Any:
        package = subscription.package
        value = package.compose(aor, self._state(package.name, aor))
        if subscription.wanted is not None and package.narrow is not None:
            value = package.narrow(value, subscription.wanted)  # before the view, which may hide what it goes by
        return package.view(value, self._sees_all(aor, subscription.watcher))

    def _sees_all(self, aor: str, watcher: str) -> bool:
        user = parse_uri(aor).username
        return user == watcher or self._same_group(user, watcher)
