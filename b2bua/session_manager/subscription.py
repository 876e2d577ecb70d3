"""One watcher's subscription: when its next NOTIFY leaves (RFC 6665 §4.2.2).

One is under way at a time, the package's distance lies between two, changes meanwhile fold to the newest.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from b2bua.dialog.dialog import Dialog
from b2bua.session_manager.event_packages.package import EventPackage
from b2bua.session_manager.subscription_keeper import BLOCK
from b2bua.session_manager.watched_list import WatchedList
from b2bua.session_manager.ways import FlowGone
from b2bua.sip.flow import Flow
from b2bua.sip.max_forwards import MAX_FORWARDS
from b2bua.sip.message import Request
from b2bua.sip.rlmi import EVENTLIST
from b2bua.sip.subscription_state import ACTIVE, TERMINATED, SubscriptionState
from b2bua.sip.watched_dialog import WatchedDialog
from b2bua.transaction.timers import TIMEOUT, Timer

if TYPE_CHECKING:
    from b2bua.session_manager.notifier import Notifier

ENDING: Final = frozenset((404, 405, 410, 416, *range(480, 486), 489, 501, 604))
"""Answers to NOTIFY after which the subscription is gone (RFC 6665 §4.2.2)."""
MAX_TIMEOUTS: Final = 2
"""NOTIFYs in a row without an answer that end a subscription. Deviation from RFC 6665 §4.2.2 (SHOULD: after the first):
one lost NOTIFY would kill a lamp until the phone subscribes again (OpenSIPS issue 380)."""
NO_WAY: Final = 0
"""In place of a status: the NOTIFY did not leave, its phone cannot be reached before it registers again."""


CHANGED: Final = "event state: {} watches {}, whose state has changed"
BEGINS: Final = "notifier: {} watches {} and has just asked, so it is told all (RFC 6665 §4.2.1.2)"
ENDS: Final = "notifier: the subscription of {} ends ({}) (RFC 6665 §4.1.3)"


class Subscription:
    """One watcher's subscription: a dialog usage of its own. Made and forgotten by its `Notifier`."""

    __slots__ = (
        "_call", "_changed_at", "_earliest", "_expiry", "_in_flight", "_notifier", "_pending", "_sent_at", "_timeouts", "_timer",
        "answer", "aor", "dialog", "ended", "ending", "event", "expires_at", "flow", "held", "kept", "package", "reserved",
        "told", "wanted", "watched_list", "watcher",
    )  # fmt: skip

    def __init__(
        self, notifier: Notifier, package: EventPackage, event: str, aor: str, watcher: str, dialog: Dialog, flow: Flow,
        watched_list: WatchedList | None = None, wanted: WatchedDialog | None = None,
    ) -> None:  # fmt: skip
        self._notifier = notifier
        self.package = package
        self.event = event
        """The Event value of its NOTIFYs: the event type with the subscriber's id (RFC 6665 §8.2.1)."""
        self.aor = aor
        self.watched_list = watched_list
        """Where `aor` is a list: whom it watches."""
        self.wanted = wanted
        """The one dialog that it is to; None: all that `aor` has."""
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
        self.answer = 0
        """The status of the last NOTIFY that was answered; 408 for silence, 0 before."""
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

    @property
    def resources(self) -> tuple[str, ...]:
        """The addresses of record that it watches: one, or those of its list."""
        return (self.aor,) if self.watched_list is None else self.watched_list.members

    @property
    def under_way(self) -> bool:
        """Whether a NOTIFY waits for its answer."""
        return self._in_flight > 0

    @property
    def waits(self) -> bool:
        """Whether there is news that has not left yet."""
        return self._pending

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
        """What changed may look to this watcher as before, where a package follows others, or it watches one dialog: then there
        is nothing to say."""
        if (self.package.follows or self.wanted is not None) and self.told is not None and not self._notifier.view.is_news(self):
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
        if self.ending:
            request.why = (None, ENDS, self.watcher, self.ending)
        else:
            request.why = (None, CHANGED if changed_at is not None else BEGINS, self.watcher, self.aor)
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
        request.append("Max-Forwards", MAX_FORWARDS)
        request.append("Contact", self.dialog.contact)
        request.append("Event", self.event)
        if self.ending:
            state = SubscriptionState(TERMINATED, None, self.ending)
        else:
            # Cut, not rounded: a NOTIFY may shorten a subscription and never lengthen it (RFC 6665 §4.2.2).
            left = int(self.expires_at - self._notifier.timers.now() + 0.001)
            state = SubscriptionState(ACTIVE, max(left, 0))
        request.append("Subscription-State", str(state))
        if self.watched_list is not None:
            request.append("Require", EVENTLIST)  # RFC 4662 §4.1
        # The versions of the documents rise with the CSeqs, from 0: one number to keep over restarts, not two.
        self._notifier.view.write(self, request.cseq - 1, request)
        request.call = call
        return request

    def _answered(self, call: str, changed_at: float | None, status: int) -> None:
        notifier = self._notifier
        self._in_flight -= 1
        if status == NO_WAY:
            self._wait_for_the_phone(call, changed_at)
            return
        self.answer = status
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
