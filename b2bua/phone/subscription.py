"""A lamp: a subscription to somebody's dialog state (RFC 6665 §4.1, RFC 4235), the last document kept."""

from __future__ import annotations

from typing import Final, Protocol

from b2bua.dialog.dialog import Dialog, contact_uri
from b2bua.phone.agent import Agent, refresh_after
from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, parse_dialog_info
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.sip.subscription_state import TERMINATED, SubscriptionState, subscription_state
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import Timer

EVENT: Final = "dialog"
RESUBSCRIBE: Final = frozenset(("deactivated", "timeout"))
"""Reasons for which a subscription that the notifier ended is made anew at once (RFC 6665 §4.1.3)."""
GONE: Final = frozenset((404, 405, 410, 416, *range(480, 486), 489, 501, 604))
"""Answers to a refresh that end the subscription; after any other it stands until it runs out (RFC 6665 §4.1.2.2)."""
RETRY_SECONDS: Final = 30.0
"""Wait before a refresh that failed is tried again."""


class LampUser(Protocol):
    """Who looks at the lamp."""

    def lamp_changed(self, lamp: Subscription) -> None:
        """A newer document, or the subscription began or ended."""


class Subscription:
    """One lamp. A new dialog replaces one that the notifier has lost, so `key` may change."""

    def __init__(self, agent: Agent, user: LampUser, watched: str) -> None:
        """`watched` is the address of record whose lamp it is, as a URI."""
        self.watched = watched
        self.active = False
        self.reason = ""
        """Why it ended: the notifier's reason, or the status of a SUBSCRIBE that was refused."""
        self.document: DialogInfo | None = None
        """The newest document; a partial one is merged into what was known."""
        self.dialog: Dialog | None = None
        self._agent = agent
        self._user = user
        self._expires = 0
        self._version = -1
        self._timer: Timer | None = None
        self._until = 0.0
        """When it runs out, on the clock of the timers."""

    @property
    def key(self) -> tuple[str, str]:
        """What its NOTIFYs are matched by: Call-ID and our tag."""
        return self.dialog.key if self.dialog is not None else ("", "")

    def subscribe(self, expires: int = 3600) -> None:
        """Begin, in a dialog of its own, and keep it."""
        self._expires = expires
        self._start()

    def unsubscribe(self) -> None:
        """End it (RFC 6665 §4.1.2.3); the notifier's last NOTIFY follows."""
        self._expires = 0
        if self.dialog is not None and self.active:
            self._refresh()

    def stop(self) -> None:
        """No refresh any more; it runs out by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- SUBSCRIBE ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        call_id = self._agent.layer.identifiers.call_id()
        request = self._agent.request("SUBSCRIBE", self.watched, self.watched, call_id, 1)
        self._version = -1  # versions begin again with each subscription
        self.dialog = Dialog.as_client(request)
        self._send(request, self.dialog)

    def _refresh(self) -> None:
        if self.dialog is not None:
            self._send(self._agent.in_dialog(self.dialog, "SUBSCRIBE"), self.dialog)

    def _send(self, request: Request, dialog: Dialog) -> None:
        self.stop()
        request.append("Event", EVENT)
        request.append("Accept", CONTENT_TYPE)
        request.append("Expires", str(self._expires))

        def next_cseq() -> int:
            dialog.local_cseq += 1
            return dialog.local_cseq

        self._agent.send(request, next_cseq, lambda status, response: self._answered(dialog, status, response))

    def _answered(self, dialog: Dialog, status: int, response: Response | None) -> None:
        if dialog is not self.dialog:
            return
        if response is None or status >= 300:
            self._failed(status)
            return
        if not dialog.remote_tag:
            dialog.establish(response)  # else the first NOTIFY overtook its 200 (RFC 6665 §4.4.1)
        granted = min(response.integer("Expires") or self._expires, self._expires)
        if granted:
            self._refresh_in(granted)
            if not self.active:
                self.active, self.reason = True, ""
                self._user.lamp_changed(self)

    def _failed(self, status: int) -> None:
        known = self.dialog is not None and bool(self.dialog.remote_tag)
        if status == 481 and known and self._expires:
            self._start()  # the notifier has lost it (RFC 6665 §4.1.2.2)
            return
        if known and status not in GONE and self._agent.timers.now() + RETRY_SECONDS < self._until:
            self._timer = self._agent.timers.start(RETRY_SECONDS, self._refresh)
            return
        self._over(str(status))

    def _refresh_in(self, seconds: int) -> None:
        self.stop()
        self._until = self._agent.timers.now() + seconds
        self._timer = self._agent.timers.start(refresh_after(seconds), self._refresh)

    def _over(self, reason: str) -> None:
        self.stop()
        self.active, self.reason, self.dialog = False, reason, None
        self._user.lamp_changed(self)

    # -- NOTIFY ------------------------------------------------------------------------------------------------

    def notify_received(self, transaction: ServerTransaction, request: Request) -> None:
        """A NOTIFY whose Call-ID and To tag are ours; SipError refuses it."""
        dialog = self.dialog
        if dialog is None or (dialog.remote_tag and dialog.remote_tag != request.from_.tag):
            raise SipError(481)
        if (request.get("Event") or "").partition(";")[0].strip() != EVENT:
            raise SipError(489)
        state = subscription_state(request)
        newer = parse_dialog_info(request.body) if request.body else None
        if not dialog.remote_tag:
            dialog.remote_tag = request.from_.tag
            dialog.route_set = request.elements("Record-Route")
            dialog.remote_target = contact_uri(request)
        dialog.check(request)
        dialog.refresh_target(request)
        self._agent.layer.respond(transaction, response_to(request, 200))
        self._notified(newer, state)

    def _notified(self, newer: DialogInfo | None, state: SubscriptionState) -> None:
        changed = newer is not None and self._take(newer)
        if state.state == TERMINATED:
            self._terminated(state.reason)
            return
        if self._expires and state.expires is not None:
            self._refresh_in(state.expires)
        began, self.active = not self.active, True
        if changed or began:
            self._user.lamp_changed(self)

    def _take(self, newer: DialogInfo) -> bool:
        """Versions only rise: an older document changes nothing, and after a gap before a partial one all is asked for
        again (RFC 4235 §4.3)."""
        known, version = self.document, self._version
        if newer.version <= version:
            return False
        if newer.state == "partial":
            if known is None or newer.version != version + 1:
                self._refresh()
                return False
            dialogs = {dialog.id: dialog for dialog in (*known.dialogs, *newer.dialogs)}
            newer = DialogInfo(newer.entity, tuple(dialogs.values()), newer.version)
        self.document, self._version = newer, newer.version
        return True

    def _terminated(self, reason: str) -> None:
        if self._expires and reason in RESUBSCRIBE:
            self.stop()
            self.active = False
            self._start()
            return
        self._over(reason)



