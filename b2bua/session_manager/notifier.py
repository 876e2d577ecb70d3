"""The notifier: who watches which address of record (RFC 6665 §4.2).

It answers SUBSCRIBE and finds the watchers of a change. When each is told is its `Subscription`'s to say, what, a
`WatcherView`'s. A subscription to a list (RFC 4662) is one of each of its members as far as changes go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Final

from b2bua.dialog.dialog import Dialog
from b2bua.observer import Observer
from b2bua.session_manager.event_packages.package import (
    Answer,
    EventPackage,
    allow_events,
    check_accept,
    check_list_event,
    event_value,
    followers,
    package_for,
    refusal,
)
from b2bua.session_manager.subscription import Subscription
from b2bua.session_manager.subscription_keeper import SubscriptionKeeper
from b2bua.session_manager.watched_list import WatchedList
from b2bua.session_manager.watcher_view import WatcherView
from b2bua.session_manager.ways import Way
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Request
from b2bua.sip.rlmi import EVENTLIST
from b2bua.sip.watched_dialog import WatchedDialog, parse_watched_dialog
from b2bua.sip.why import NOT_STORED
from b2bua.transaction.timers import TICK, Timers

MAX_SUBSCRIPTIONS: Final = 500
"""Subscriptions that one user may hold: a console with three key modules of 60 keys, once more for those that a power
cut left behind until they expire, and some devices more. Bounds what one account can make this server send."""
RETRY_AFTER: Final = "60"
"""Seconds: the shortest subscription that fills the bound may have expired by then."""
UNKEPT_SECONDS: Final = 60
"""Seconds granted to a refresh that the store does not take: the watcher asks again soon, when it may take it."""
STORE_RETRY_AFTER: Final = "10"
"""Seconds until a watcher that was refused because of the store may ask again."""
RESTORED_A_TICK: Final = 25
"""Subscriptions that are told the state in one tick of 50 ms after a restart: 10,000 in 20 s, at a tenth of a CPU."""

Send = Callable[[Request, Flow, Callable[[int], None]], None]
"""Sends a request; the last argument is called once with the final status, 408 also when the transport failed."""
Respond = Callable[[Answer, "Subscription | None"], None]


class Notifier:
    """All subscriptions. The rest of its world is handed in: `view` says who may watch what, `tags` gives a fresh To tag,
    `lists` the members' addresses of record by that of a list; `keeper` keeps what outlives a restart, None: nothing does.
    """

    def __init__(
        self,
        packages: Mapping[str, EventPackage],
        view: WatcherView,
        send: Send,
        timers: Timers,
        tags: Callable[[], str],
        observer: Observer,
        keeper: SubscriptionKeeper | None = None,
        lists: Mapping[str, tuple[str, ...]] | None = None,
        way: Way = lambda request, source, dialog: source,
    ) -> None:
        self.view = view
        self.send = send
        self.timers = timers
        self.observer = observer
        self._packages = packages
        self._allow_events = allow_events(packages)
        self._tags, self._way, self._keeper = tags, way, keeper
        self._lists = lists or {}
        self._by_dialog: dict[tuple[str, str, str], Subscription] = {}
        self._by_request: dict[tuple[str, str], Subscription] = {}
        """By what the first SUBSCRIBE had of its dialog: Call-ID and From tag."""
        self._by_resource: dict[str, dict[str, dict[Subscription, None]]] = {}
        """By address of record and package: nobody watches most of those that change."""
        self._by_watcher: dict[str, int] = {}
        self._followers = followers(packages)
        self._restored: dict[Subscription, None] = {}
        """After a restart: those whose turn to be told the state has not come yet."""
        self._stranded: dict[str, dict[Subscription, None]] = {}
        """By watcher: those whose phone cannot be reached until it registers."""

    def is_list(self, aor: str) -> bool:
        """Whether one may subscribe to this address of record though it is no user's."""
        return aor in self._lists

    def follow(self, lists: Mapping[str, tuple[str, ...]]) -> None:
        """From now on these lists. Who watches one that is another now is told all of it, whose list is gone, that it is."""
        self._lists = lists
        for subscription in list(self._by_dialog.values()):
            before = subscription.watched_list
            if before is None:
                continue
            members = lists.get(subscription.aor)
            if members is None:
                subscription.terminate("noresource")
            elif members != before.members:
                self._unlist(subscription)
                subscription.watched_list = before.with_members(members)
                subscription.told = None
                self._enlist(subscription)
                subscription.state_changed("")

    def subscribe(
        self, request: Request, aor: str, watcher: str, flow: Flow, contact: str, respond: Respond
    ) -> None:
        """Process a SUBSCRIBE of the authenticated user `watcher` (the user part of its address of record).

        `aor` is whom it watches: a known user of the domain, canonical; not looked at inside a dialog. `contact` is our
        Contact value towards this flow, for the response and the NOTIFYs. `respond` is called once: at once, or after the
        commit that holds what is promised. With a subscription the answer is 200: whoever is told sends it, with
        `subscription.dialog.local_tag` in To, and then calls `subscription.notify_now()`. Else the answer is 400, 403, 406,
        423, 481, 482, 489 or 500, and no subscription has changed.
        """
        unheard = self._unheard(request, aor, watcher)
        known = bool(request.to.tag) or unheard is not None
        try:
            if unheard is not None:
                subscription, seconds = unheard, self._take_up(unheard, request, flow, contact)
            elif known:
                subscription, seconds = self._refresh(request, watcher, flow, contact)
            else:
                subscription, seconds = self._create(request, aor, watcher, flow, contact)
        except SipError as error:
            respond(refusal(error), None)
            return
        keeper = self._keeper
        if keeper is None or not (seconds or known):  # nothing is kept of a fetch
            respond(self._granted(seconds, subscription), subscription)
            return
        done = partial(self._kept, subscription, seconds, known, respond)
        subscription.kept = bool(seconds)
        if seconds:
            keeper.keep(subscription, done)
        else:
            keeper.drop(subscription, done)

    def _granted(self, seconds: int, subscription: Subscription) -> Answer:
        headers = (("Expires", str(seconds)), ("Allow-Events", self._allow_events))
        status = self.view.accepted(subscription.watcher)
        return Answer(status, headers if subscription.watched_list is None else (*headers, ("Require", EVENTLIST)))

    def _kept(
        self, subscription: Subscription, seconds: int, known: bool, respond: Respond, error: Exception | None
    ) -> None:
        if error is None:
            respond(self._granted(seconds, subscription), subscription)
        elif known:
            # A lamp that is lit goes on, for as long as can be said without a promise.
            self.observer.not_durable("subscription")
            if seconds > UNKEPT_SECONDS:
                seconds = UNKEPT_SECONDS
                subscription.live_for(seconds)
            respond(self._granted(seconds, subscription), subscription)
        else:
            self.forget(subscription)
            self.observer.overload_rejected("store")
            respond(Answer(500, (("Retry-After", STORE_RETRY_AFTER),), why=NOT_STORED), None)

    def changed(self, package: str, aor: str, call: str) -> None:
        """The state of an address of record changed, by the call with this trace id: tell whoever watches it."""
        watched = self._by_resource.get(aor)
        if watched is None:
            return
        for name in self._followers.get(package, ()):
            for subscription in list(watched.get(name, ())):
                if subscription.watched_list is not None:
                    if not self.view.may_watch(subscription.package, aor, subscription.watcher):
                        continue
                    subscription.watched_list.changed.add(aor)
                subscription.state_changed(call)
                if subscription in self._restored:
                    self._resume(subscription)  # before its turn

    def all(self) -> list[Subscription]:
        """Those that stand, in no order that means anything."""
        return list(self._by_dialog.values())

    def count(self) -> dict[str, int]:
        """Subscriptions by event, counted now."""
        counts = {name: 0 for name, package in self._packages.items() if not package.profile}
        for subscription in self._by_dialog.values():
            name = subscription.package.name
            counts[name] = counts.get(name, 0) + 1
        return counts

    def forget(self, subscription: Subscription) -> None:
        """Take a subscription out, without a word to its watcher."""
        subscription.stop()
        if subscription.kept and self._keeper is not None:
            subscription.kept = False
            self._keeper.drop(subscription)
        if self._by_dialog.pop(_key(subscription.dialog), None) is None:
            return  # a fetch was never in
        if self._by_request.get(_request_key(subscription.dialog)) is subscription:
            del self._by_request[_request_key(subscription.dialog)]
        self._unlist(subscription)

    # -- over restarts -----------------------------------------------------------------------------------------

    def restore(self, flow_to: Callable[[str, HostPort], Flow]) -> int:
        """Go on with the subscriptions that stood when the process ended; how many. `flow_to(listener, remote)` gives the flow
        to who wrote from there. Nothing is sent before `notify_restored`."""
        if self._keeper is None:
            return 0
        for record, dialog, seconds in self._keeper.load():
            package = self._packages.get(record.package)
            if package is None or _key(dialog) in self._by_dialog:
                self._keeper.set_aside(record.local_tag, "no such event package" if package is None else "there twice")
                continue
            watched_list = None
            if record.eventlist:
                if record.aor not in self._lists:
                    self._keeper.set_aside(record.local_tag, "no such list")
                    continue
                watched_list = WatchedList(self._lists[record.aor])
            flow = flow_to(record.listener, (record.host, record.port))
            subscription = Subscription(
                self, package, record.event, record.aor, record.watcher, dialog, flow, watched_list,
                WatchedDialog(*record.wanted) if record.wanted is not None else None,
            )  # fmt: skip
            self._keep(subscription)
            subscription.live_for(seconds)
            subscription.kept = True
            self._restored[subscription] = None
        return len(self._restored)

    def notify_restored(self) -> None:
        """Tell all of them the whole state, a few at a time: whatever they missed is in it."""
        for subscription in list(islice(self._restored, RESTORED_A_TICK)):
            self._resume(subscription)
        if self._restored:
            self.timers.start(TICK, self.notify_restored)

    def _resume(self, subscription: Subscription) -> None:
        """Before the first of its new numbers is used the next ones are kept: a second restart must not use them again."""
        del self._restored[subscription]
        if self._keeper is not None and not subscription.ended:
            self._keeper.keep(subscription, partial(self._safe, subscription))

    def _safe(self, subscription: Subscription, _error: Exception | None) -> None:
        """Its numbers are kept; or the store is down, and a lamp that is right counts for more than the next restart."""
        if subscription.held:
            subscription.notify_now()

    def reserve(self, subscription: Subscription) -> None:
        """It has used up half of the numbers that its record allows for."""
        if self._keeper is not None:
            self._keeper.keep(subscription)

    def strand(self, subscription: Subscription) -> None:
        """There is no way to its phone until that registers."""
        self._stranded.setdefault(subscription.watcher, {})[subscription] = None

    def registered(self, user: str) -> None:
        """The phones of a user may be on another connection now; they are told once they have their 200."""
        for subscription in self._stranded.pop(user, ()):
            self.timers.start(0, subscription.notify_now)

    # -- SUBSCRIBE ---------------------------------------------------------------------------------------------

    def _create(self, request: Request, aor: str, watcher: str, flow: Flow, contact: str) -> tuple[Subscription, int]:
        package = package_for(self._packages, request)
        if not self.view.is_offered(package, watcher):
            raise SipError(489, "", ("Allow-Events", self._allow_events)).because("notifier: this event is not for this watcher")
        watched_list = self._list_of(package, request, aor, watcher)
        check_accept(package, request)
        seconds = package.granted(request)
        if not request.from_.tag:
            raise SipError(400, "Missing From Tag").because("notifier: From has no tag, there is no dialog (RFC 3261 §8.1.1.3)")
        wanted = None if package.narrow is None else parse_watched_dialog(request.get("Event") or "")
        more = 1 if watched_list is None else len(watched_list.members)
        if seconds and self._by_watcher.get(watcher, 0) + more > MAX_SUBSCRIPTIONS:
            self.observer.overload_rejected("subscriptions")
            # No 503: to a phone that means the whole server; 403 would say that asking again is useless.
            raise SipError(500, "Too Many Subscriptions", ("Retry-After", RETRY_AFTER)).because(
                "overload: this watcher has as many subscriptions as it may"
            )
        dialog = Dialog.as_server(request, self._tags(), contact)
        event, flow = event_value(package, request), self._way(request, flow, dialog)
        subscription = Subscription(self, package, event, aor, watcher, dialog, flow, watched_list, wanted)
        if seconds:
            self._keep(subscription)
            subscription.live_for(seconds)
        else:
            subscription.ending = "timeout"  # a fetch (RFC 6665 §4.4.3)
        return subscription, seconds

    def _unheard(self, request: Request, aor: str, watcher: str) -> Subscription | None:
        """The subscription that an earlier copy of this SUBSCRIBE made, whose 200 the watcher has not heard: it died with the
        process or the connection. None when there is none, or the request names its dialog."""
        if request.to.tag:
            return None
        made = self._by_request.get((request.call_id, request.from_.tag))
        if made is None or (made.aor, made.watcher) != (aor, watcher):
            return None
        same = (request.get("Event") or "").partition(";")[0].strip() == made.package.name
        return made if same and event_value(made.package, request) == made.event else None

    def _take_up(self, subscription: Subscription, request: Request, flow: Flow, contact: str) -> int:
        """The same dialog once more, with CSeqs that rise on: a second one would leave the first lit beside it until it
        expires. The seconds granted."""
        dialog = subscription.dialog
        if request.cseq < dialog.remote_cseq:
            raise SipError(500, "CSeq Out of Order").because("notifier: its CSeq is lower than the last (RFC 3261 §12.2.2)")
        seconds = self._granted_for(subscription, request)
        dialog.refresh_target(request)
        dialog.remote_cseq, dialog.route_set = request.cseq, request.elements("Record-Route")
        dialog.forget_lines()
        self._renew(subscription, seconds, self._way(request, flow, dialog), contact)
        return seconds

    def _granted_for(self, subscription: Subscription, request: Request) -> int:
        """The seconds for which a standing one may go on; SipError where it may not."""
        package = subscription.package
        if subscription.watched_list is None and not self.view.may_watch(package, subscription.aor, subscription.watcher):
            raise SipError(403).because("notifier: the watcher may no longer watch this user")
        check_accept(package, request)
        return package.granted(request)

    def _renew(self, subscription: Subscription, seconds: int, flow: Flow, contact: str) -> None:
        subscription.dialog.contact = contact
        subscription.flow = flow
        if seconds:
            subscription.live_for(seconds)
        else:
            subscription.ending = "timeout"

    def _list_of(self, package: EventPackage, request: Request, aor: str, watcher: str) -> WatchedList | None:
        """What a list watches, None where the request is for a user; SipError 403, or 421 (RFC 4662 §4.1). Of a list each
        may watch those members that it may watch alone."""
        members = self._lists.get(aor)
        if members is not None:
            check_list_event(package, request, self._allow_events)
            return WatchedList(members)
        if not self.view.may_watch(package, aor, watcher):
            raise SipError(403).because("notifier: the watcher may not watch this user")
        return None

    def _keep(self, subscription: Subscription) -> None:
        self._by_dialog[_key(subscription.dialog)] = subscription
        self._by_request[_request_key(subscription.dialog)] = subscription
        self._enlist(subscription)

    def _unlist(self, subscription: Subscription) -> None:
        """Hear of no changes for it any more."""
        name = subscription.package.name
        for aor in subscription.resources:
            watched = self._by_resource[aor]
            del watched[name][subscription]
            if not watched[name]:
                del watched[name]
                if not watched:
                    del self._by_resource[aor]
        left = self._by_watcher.pop(subscription.watcher) - len(subscription.resources)
        if left:
            self._by_watcher[subscription.watcher] = left

    def _enlist(self, subscription: Subscription) -> None:
        for aor in subscription.resources:
            self._by_resource.setdefault(aor, {}).setdefault(subscription.package.name, {})[subscription] = None
        watcher = subscription.watcher
        self._by_watcher[watcher] = self._by_watcher.get(watcher, 0) + len(subscription.resources)

    def _refresh(self, request: Request, watcher: str, flow: Flow, contact: str) -> tuple[Subscription, int]:
        subscription = self._by_dialog.get((request.call_id, request.to.tag, request.from_.tag))
        if subscription is None:
            raise SipError(481).because("notifier: no such subscription is known here (RFC 6665 §4.1.2.2)")
        if not self.view.may_refresh(subscription.watcher, watcher):
            raise SipError(403).because("notifier: the subscription is of another watcher")
        subscription.dialog.check(request)
        package = package_for(self._packages, request)
        if event_value(package, request) != subscription.event:
            # A second usage of the same dialog: RFC 6665 §4.5.2 leaves it to old subscribers; 489 ends no other usage.
            raise SipError(489, "", ("Allow-Events", self._allow_events)).because(
                "notifier: in this dialog another event is subscribed to (RFC 6665 §4.5.2)"
            )
        seconds = self._granted_for(subscription, request)
        subscription.dialog.refresh_target(request)
        self._renew(subscription, seconds, self._way(request, flow, subscription.dialog), contact)
        return subscription, seconds


def _key(dialog: Dialog) -> tuple[str, str, str]:
    return dialog.call_id, dialog.local_tag, dialog.remote_tag


def _request_key(dialog: Dialog) -> tuple[str, str]:
    return dialog.call_id, dialog.remote_tag
