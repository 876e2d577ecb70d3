"""The notifier: who watches which address of record, and when each hears what (RFC 6665 §4.2).

Two machines meet here. `Notifier` answers SUBSCRIBE and finds the watchers of a change; a `Subscription` decides when
its next NOTIFY leaves: one is under way at a time, a second lies between two, changes meanwhile fold to the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Literal

from b2bua.dialog.dialog import Dialog
from b2bua.observer import Observer
from b2bua.session_manager.event_packages.package import (
    PLAIN,
    Answer,
    EventPackage,
    Form,
    Published,
    allow_events,
    package_for,
    refusal,
)
from b2bua.session_manager.subscription_keeper import BLOCK, SubscriptionKeeper
from b2bua.session_manager.ways import FlowGone
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow, HostPort
from b2bua.sip.message import Request
from b2bua.sip.uri import parse_uri
from b2bua.transaction.timers import TICK, TIMEOUT, Timer, Timers

MAX_SUBSCRIPTIONS: Final = 500
"""Subscriptions that one user may hold: a console with three key modules of 60 keys, once more for those that a power
cut left behind until they expire, and some devices more. Bounds what one account can make this server send."""
RETRY_AFTER: Final = "60"
"""Seconds: the shortest subscription that fills the bound may have expired by then."""
ENDING: Final = frozenset((404, 405, 410, 416, *range(480, 486), 489, 501, 604))
"""Answers to NOTIFY after which the subscription is gone (RFC 6665 §4.2.2)."""
MAX_TIMEOUTS: Final = 2
"""NOTIFYs in a row without an answer that end a subscription. Deviation from RFC 6665 §4.2.2 (SHOULD: after the first):
one lost NOTIFY would kill a lamp until the phone subscribes again (OpenSIPS issue 380)."""

UNKEPT_SECONDS: Final = 60
"""Seconds granted to a refresh that the store does not take: the watcher asks again soon, when it may take it."""
STORE_RETRY_AFTER: Final = "10"
"""Seconds until a watcher that was refused because of the store may ask again."""
NO_WAY: Final = 0
"""In place of a status: the NOTIFY did not leave, its phone cannot be reached before it registers again."""
RESTORED_A_TICK: Final = 25
"""Subscriptions that are told the state in one tick of 50 ms after a restart: 10,000 in 20 s, at a tenth of a CPU."""

Send = Callable[[Request, Flow, Callable[[int], None]], None]
"""Sends a request; the last argument is called once with the final status, 408 also when the transport failed."""
WatchPolicy = Literal["domain", "self"]
Respond = Callable[[Answer, "Subscription | None"], None]


class Subscription:
    """One watcher's subscription: a dialog usage of its own. Made and forgotten by its `Notifier`."""

    __slots__ = (
        "_call", "_changed_at", "_earliest", "_expiry", "_in_flight", "_notifier", "_pending", "_sent_at", "_timeouts", "_timer",
        "aor", "dialog", "ended", "ending", "event", "expires_at", "flow", "held", "kept", "package", "reserved", "told",
        "watcher",
    )  # fmt: skip

    def __init__(
        self, notifier: Notifier, package: EventPackage, event: str, aor: str, watcher: str, dialog: Dialog, flow: Flow
    ) -> None:
        self._notifier = notifier
        self.package = package
        self.event = event
        """The Event value of its NOTIFYs: the event type with the subscriber's id (RFC 6665 §8.2.1)."""
        self.aor = aor
        self.watcher = watcher
        """The user that authenticated."""
        self.dialog = dialog
        self.flow = flow
        """Where the last SUBSCRIBE came from, and NOTIFYs go."""
        self.held = True
        """No NOTIFY yet: the response to the first SUBSCRIBE has not left, or, after a restart, its numbers are not safe."""
        self.ending = ""
        """Why it ends, once the next NOTIFY is the last: a reason of RFC 6665 §4.1.3."""
        self.ended = False
        self.kept = False
        """Whether the store has a record of it, or is about to."""
        self.reserved = 0
        """CSeq up to which NOTIFYs may be sent before the record is to be written anew."""
        self.expires_at = 0.0
        """On the clock of the timers."""
        self.told: Any = None
        """What the last NOTIFY said, for one that says what has changed since; None: the next one says everything."""
        self._expiry: Timer | None = None
        self._pending = False
        self._call = ""
        self._changed_at: float | None = None
        self._in_flight = 0
        self._timeouts = 0
        self._sent_at = 0.0
        self._earliest = 0.0
        self._timer: Timer | None = None

    # -- what happens to it ------------------------------------------------------------------------------------

    def notify_now(self) -> None:
        """Send the NOTIFY that every 2xx to SUBSCRIBE is followed by: to be called right after that response was sent.

        It waits for nothing (RFC 6665 §4.2.1.2). After Expires 0 it is the last one.
        """
        self.held = False
        self.told = None
        if not self.ended:
            self._send()

    def state_changed(self, call: str) -> None:
        """The watched state changed; `call` is the trace id of the call that did it."""
        if self._changed_at is None:  # the first of those that fold waits longest
            self._changed_at = self._notifier.timers.now()
        self._pending = True
        self._call = call
        # With a timer running or a NOTIFY under way the newest state goes when that is over.
        if not (self.held or self._in_flight or self._timer is not None):
            self._send_when_quiet()

    def terminate(self, reason: str) -> None:
        """End it with a last NOTIFY, at once; `reason` is one of RFC 6665 §4.1.3."""
        if not self.ended:
            self.ending, self.told = reason, None
            self._send()

    def live_for(self, seconds: float) -> None:
        """Let it expire so many seconds from now."""
        timers = self._notifier.timers
        self.expires_at = timers.now() + seconds
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = timers.start(seconds, partial(self.terminate, "timeout"))

    def stop(self) -> None:
        """No NOTIFY leaves from here on."""
        self.ended = True
        for timer in (self._expiry, self._timer):
            if timer is not None:
                timer.cancel()
        self._expiry = self._timer = None

    # -- its NOTIFYs -------------------------------------------------------------------------------------------

    def _send_when_quiet(self) -> None:
        wait = self._earliest - self._notifier.timers.now()
        if wait > 0:
            self._timer = self._notifier.timers.start(wait, self._send_news)
        else:
            self._send_news()

    def _send_news(self) -> None:
        """What changed may look to this watcher as before, where a package follows others: then there is nothing to say."""
        if self.package.follows and self.told is not None and self._notifier.value(self) == self.told:
            self._timer = self._changed_at = None
            self._pending, self._call = False, ""
        else:
            self._send()

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        call, self._call = self._call, ""
        changed_at, self._changed_at = self._changed_at, None
        self._pending = False
        request = self._notify(call)
        self._sent_at = self._notifier.timers.now()
        self._earliest = self._sent_at + self.package.min_interval
        self._in_flight += 1
        if self.ending:
            self._notifier.forget(self)
        elif self.kept and request.cseq > self.reserved - BLOCK // 2:
            self._notifier.reserve(self)
        self._notifier.send(request, self.flow, partial(self._answered, call, changed_at))

    def _notify(self, call: str) -> Request:
        request = self.dialog.make_request("NOTIFY")
        request.append("Max-Forwards", "70")
        request.append("Contact", self.dialog.contact)
        request.append("Event", self.event)
        if self.ending:
            state = f"terminated;reason={self.ending}"
        else:
            # Cut, not rounded: a NOTIFY may shorten a subscription and never lengthen it (RFC 6665 §4.2.2).
            left = int(self.expires_at - self._notifier.timers.now() + 0.001)
            state = f"active;expires={max(left, 0)}"
        request.append("Subscription-State", state)
        # The versions of the documents rise with the CSeqs, from 0: one number to keep over restarts, not two.
        request.set_body(self._notifier.document(self, request.cseq - 1), self.package.content_type)
        request.call = call
        return request

    def _answered(self, call: str, changed_at: float | None, status: int) -> None:
        notifier = self._notifier
        self._in_flight -= 1
        if status == NO_WAY:
            self._wait_for_the_phone(call, changed_at)
            return
        notifier.observer.notified(self.package.name, status)
        if changed_at is not None and status < 300:
            notifier.observer.notify_acknowledged(self.package.name, notifier.timers.now() - changed_at)
        if self.ended:
            return
        if status >= 300:
            self.told = None  # perhaps it has not heard that
        if status == 408:
            self._timeouts += 1
            # The watcher lacks that state. Where the transport failed at once, a phone gets the time that a time-out
            # takes to connect again, before the second try decides.
            self._pending, self._call = True, self._call or call
            if changed_at is not None:
                self._changed_at = changed_at
            self._earliest = self._sent_at + TIMEOUT
        else:
            self._timeouts = 0
        if self._timeouts >= MAX_TIMEOUTS and isinstance(self.flow, FlowGone):
            self._timeouts = 0  # its Contact takes no connection either; it has not left, we were gone
            self._wait_for_the_phone(call, changed_at)
        elif status in ENDING or self._timeouts >= MAX_TIMEOUTS:
            self._notifier.forget(self)
        elif self._pending and not self._in_flight:
            self._send_when_quiet()


    def _wait_for_the_phone(self, call: str, changed_at: float | None) -> None:
        """After a restart a connection is gone, and none can be opened: the phone gets the newest state when it registers."""
        self._pending, self._call, self._changed_at = True, self._call or call, changed_at
        self._earliest = 0.0
        if not self.ended:
            self._notifier.strand(self)


class Notifier:
    """All subscriptions. The rest of its world is handed in:

    `state` gives the publications of a package and address of record (`EventState.state`), `tags` a fresh To tag;
    `watch` is `domain` (any user may watch any other) or `self` (only its own state and that of its pickup group);
    `groups` maps a user to the users that see all of its state, `forms` a watcher to how it wants its documents where that is
    not the usual way, `form`. `keeper` keeps what outlives a restart; None: nothing does.
    """

    def __init__(
        self,
        packages: Mapping[str, EventPackage],
        state: Callable[[str, str], Sequence[Published]],
        send: Send,
        timers: Timers,
        tags: Callable[[], str],
        observer: Observer,
        watch: WatchPolicy = "domain",
        groups: Mapping[str, Collection[str]] | None = None,
        keeper: SubscriptionKeeper | None = None,
        form: Form = PLAIN,
        forms: Mapping[str, Form] | None = None,
    ) -> None:
        self.send = send
        self.timers = timers
        self.observer = observer
        self._packages = packages
        self._allow_events = allow_events(packages)
        self._state = state
        self._tags = tags
        self._watch = watch
        self._groups = groups or {}
        self._by_dialog: dict[tuple[str, str, str], Subscription] = {}
        self._by_resource: dict[tuple[str, str], dict[Subscription, None]] = {}
        self._by_watcher: dict[str, int] = {}
        self._keeper = keeper
        self._form = form
        self._forms = forms or {}
        self._followers = _followers(packages)
        self._restored: dict[Subscription, None] = {}
        """After a restart: those whose turn to be told the state has not come yet."""
        self._stranded: dict[str, dict[Subscription, None]] = {}
        """By watcher: those whose phone cannot be reached until it registers."""

    def follow(self, watch: WatchPolicy, form: Form = PLAIN, forms: Mapping[str, Form] | None = None) -> None:
        """From the next SUBSCRIBE on, refreshes included: this policy. From the next NOTIFY on: these forms."""
        self._watch = watch
        self._form, self._forms = form, forms or {}

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
        known = bool(request.to.tag)
        try:
            if known:
                subscription, seconds = self._refresh(request, watcher, flow, contact)
            else:
                subscription, seconds = self._create(request, aor, watcher, flow, contact)
        except SipError as error:
            respond(refusal(error), None)
            return
        keeper = self._keeper
        if keeper is None or not (seconds or known):  # nothing is kept of a fetch
            respond(self._granted(seconds), subscription)
            return
        done = partial(self._kept, subscription, seconds, known, respond)
        subscription.kept = bool(seconds)
        if seconds:
            keeper.keep(subscription, done)
        else:
            keeper.drop(subscription, done)

    def _granted(self, seconds: int) -> Answer:
        return Answer(200, (("Expires", str(seconds)), ("Allow-Events", self._allow_events)))

    def _kept(
        self, subscription: Subscription, seconds: int, known: bool, respond: Respond, error: Exception | None
    ) -> None:
        if error is None:
            respond(self._granted(seconds), subscription)
        elif known:
            # A lamp that is lit goes on, for as long as can be said without a promise (interfaces.md, no durable answer).
            self.observer.not_durable("subscription")
            if seconds > UNKEPT_SECONDS:
                seconds = UNKEPT_SECONDS
                subscription.live_for(seconds)
            respond(self._granted(seconds), subscription)
        else:
            self.forget(subscription)
            self.observer.overload_rejected("store")
            respond(Answer(500, (("Retry-After", STORE_RETRY_AFTER),)), None)

    def changed(self, package: str, aor: str, call: str) -> None:
        """The state of an address of record changed, by the call with this trace id: tell whoever watches it."""
        for name in self._followers.get(package, ()):
            watching = self._by_resource.get((name, aor))
            if watching is not None:
                for subscription in list(watching):
                    subscription.state_changed(call)
                    if subscription in self._restored:
                        self._resume(subscription)  # before its turn

    def value(self, subscription: Subscription) -> Any:
        """What this watcher may see of the state now."""
        package, aor = subscription.package, subscription.aor
        return package.view(package.compose(aor, self._state(package.name, aor)), self._sees_all(aor, subscription.watcher))

    def document(self, subscription: Subscription, version: int) -> bytes:
        """The same for a NOTIFY."""
        package, value = subscription.package, self.value(subscription)
        if package.document is None:
            if package.follows:
                subscription.told = value
            return package.encode(value, version)
        form = self._forms.get(subscription.watcher, self._form)
        before, subscription.told = subscription.told, value if package.partial or form.partial else None
        return package.document(value, before, version, form)

    def count(self) -> dict[str, int]:
        """Subscriptions by event, counted now."""
        counts = dict.fromkeys(self._packages, 0)
        for (package, _), watching in self._by_resource.items():
            counts[package] += len(watching)
        return counts

    def forget(self, subscription: Subscription) -> None:
        """Take a subscription out, without a word to its watcher."""
        subscription.stop()
        if subscription.kept and self._keeper is not None:
            subscription.kept = False
            self._keeper.drop(subscription)
        if self._by_dialog.pop(_key(subscription.dialog), None) is None:
            return  # a fetch was never in
        resource = subscription.package.name, subscription.aor
        watching = self._by_resource[resource]
        del watching[subscription]
        if not watching:
            del self._by_resource[resource]
        left = self._by_watcher.pop(subscription.watcher) - 1
        if left:
            self._by_watcher[subscription.watcher] = left

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
            flow = flow_to(record.listener, (record.host, record.port))
            subscription = Subscription(self, package, record.event, record.aor, record.watcher, dialog, flow)
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
        self._authorize(package, aor, watcher)
        _check_accept(package, request)
        seconds = package.granted(request)
        if not request.from_.tag:
            raise SipError(400, "Missing From Tag")
        if seconds and self._by_watcher.get(watcher, 0) >= MAX_SUBSCRIPTIONS:
            self.observer.overload_rejected("subscriptions")
            # No 503: to a phone that means the whole server; 403 would say that asking again is useless.
            raise SipError(500, "Too Many Subscriptions", ("Retry-After", RETRY_AFTER))
        dialog = Dialog.as_server(request, self._tags(), contact)
        subscription = Subscription(self, package, _event(package, request), aor, watcher, dialog, flow)
        if seconds:
            self._keep(subscription)
            subscription.live_for(seconds)
        else:
            subscription.ending = "timeout"  # a fetch (RFC 6665 §4.4.3)
        return subscription, seconds

    def _keep(self, subscription: Subscription) -> None:
        self._by_dialog[_key(subscription.dialog)] = subscription
        self._by_resource.setdefault((subscription.package.name, subscription.aor), {})[subscription] = None
        self._by_watcher[subscription.watcher] = self._by_watcher.get(subscription.watcher, 0) + 1

    def _refresh(self, request: Request, watcher: str, flow: Flow, contact: str) -> tuple[Subscription, int]:
        subscription = self._by_dialog.get((request.call_id, request.to.tag, request.from_.tag))
        if subscription is None:
            raise SipError(481)
        if subscription.watcher != watcher:
            raise SipError(403)
        subscription.dialog.check(request)
        package = package_for(self._packages, request)
        if _event(package, request) != subscription.event:
            # A second usage of the same dialog: RFC 6665 §4.5.2 leaves it to old subscribers; 489 ends no other usage.
            raise SipError(489, "", ("Allow-Events", self._allow_events))
        self._authorize(package, subscription.aor, watcher)
        _check_accept(package, request)
        seconds = package.granted(request)
        subscription.dialog.refresh_target(request)
        subscription.dialog.contact = contact
        subscription.flow = flow
        if seconds:
            subscription.live_for(seconds)
        else:
            subscription.ending = "timeout"
        return subscription, seconds

    def _authorize(self, package: EventPackage, aor: str, watcher: str) -> None:
        if (self._watch == "self" or package.audience == "owner") and not self._sees_all(aor, watcher):
            raise SipError(403)

    def _sees_all(self, aor: str, watcher: str) -> bool:
        user = parse_uri(aor).username
        return user == watcher or watcher in self._groups.get(user, ())


def _followers(packages: Mapping[str, EventPackage]) -> dict[str, tuple[str, ...]]:
    """Package → itself and those that follow it."""
    return {name: (name, *(one.name for one in packages.values() if name in one.follows)) for name in packages}


def _key(dialog: Dialog) -> tuple[str, str, str]:
    return dialog.call_id, dialog.local_tag, dialog.remote_tag


def _event(package: EventPackage, request: Request) -> str:
    """The Event value of the NOTIFYs: the subscriber's id as sent, the one parameter that matches (RFC 6665 §8.2.1)."""
    for parameter in (request.get("Event") or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "id":
            return f"{package.name};id={value.strip()}"
    return package.name


def _check_accept(package: EventPackage, request: Request) -> None:
    """No Accept means the package's own format; one without it cannot be served: 406 (RFC 3261 §21.4.7)."""
    if request.has("Accept"):
        family = package.content_type.partition("/")[0]
        if request.tokens("Accept").isdisjoint((package.content_type, f"{family}/*", "*/*")):
            raise SipError(406)
