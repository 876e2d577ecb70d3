"""Keeps a record of every subscription in a store that outlives the process, and makes subscriptions of them at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri
from b2bua.store.interface import Done, Records
from b2bua.store.record_text import decode_record, encode_record
from b2bua.store.records import BadRecord
from b2bua.store.subscription_record import SUBSCRIPTION, SUBSCRIPTION_VERSION, SubscriptionRecord
from b2bua.transaction.timers import Timers

if TYPE_CHECKING:
    from b2bua.session_manager.subscription import Subscription

BLOCK: Final = 64
"""How many NOTIFYs a record allows for: so many may be sent until it is written anew."""


class SubscriptionKeeper:
    """The records of one notifier. `wall` gives Unix seconds."""

    def __init__(self, records: Records, timers: Timers, wall: Callable[[], float]) -> None:
        self._records = records
        self._timers = timers
        self._wall = wall

    def keep(self, subscription: Subscription, done: Done | None = None) -> None:
        """Write what the subscription is now, with its numbers reserved ahead."""
        dialog, flow = subscription.dialog, subscription.flow
        subscription.reserved = dialog.local_cseq + BLOCK
        host, port = flow.remote
        expires_at = self._wall() + subscription.expires_at - self._timers.now()
        record = SubscriptionRecord(
            subscription.event, subscription.package.name, subscription.aor, subscription.watcher, dialog.call_id, dialog.local,
            dialog.local_tag, dialog.remote, dialog.remote_tag, subscription.reserved, dialog.remote_cseq,
            list(dialog.route_set), dialog.remote_target, dialog.contact, flow.listener, host, port, expires_at,
            subscription.watched_list is not None, subscription.wanted,
        )  # fmt: skip
        self._records.keep(SUBSCRIPTION, dialog.local_tag, encode_record(record), expires_at, done)

    def drop(self, subscription: Subscription, done: Done | None = None) -> None:
        self._records.drop(SUBSCRIPTION, subscription.dialog.local_tag, done)

    def load(self) -> Iterator[tuple[SubscriptionRecord, Dialog, float]]:
        """Each record that has not expired, with its dialog and the seconds it has left; a bad one is set aside."""
        for key, text in self._records.records(SUBSCRIPTION):
            try:
                record = decode_record(text, SubscriptionRecord, SUBSCRIPTION_VERSION)
                if record.local_tag != key:
                    raise BadRecord(f"the record is of {record.local_tag!r}")
                dialog = _dialog(record)
            except (BadRecord, MalformedValue) as error:
                self.set_aside(key, str(error))
            else:
                seconds = record.expires_at - self._wall()
                if seconds > 0:
                    yield record, dialog, seconds

    def set_aside(self, key: str, reason: str) -> None:
        """A record that no subscription can be made of."""
        self._records.set_aside(SUBSCRIPTION, key, reason)


def _dialog(record: SubscriptionRecord) -> Dialog:
    """MalformedValue where the record holds what none can be made of."""
    if parse_uri(record.remote_target).scheme not in ("sip", "sips") or not record.remote_tag:
        raise MalformedValue("dialog")
    dialog = Dialog(record.call_id, record.local, record.local_tag, record.remote, record.remote_target, record.contact)
    dialog.remote_tag = record.remote_tag
    dialog.local_cseq, dialog.remote_cseq = record.numbers, record.remote_cseq
    dialog.route_set = record.route_set
    return dialog
