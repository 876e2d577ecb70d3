"""Mailboxes: how many voice messages wait for whom, as an operator or a voice mail system sets it. Survives a restart."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from b2bua.sip.message_summary import MOST, MessageSummary, voice_messages
from b2bua.store.interface import Done, Records
from b2bua.store.mailbox_record import MAILBOX, MAILBOX_VERSION, MailboxRecord
from b2bua.store.record_text import decode_record, encode_record
from b2bua.store.records import BadRecord


class Mailbox(NamedTuple):
    """Voice messages of one user."""

    user: str
    new: int
    old: int


class Mailboxes:
    """All that was set. `changed(user)` is called when the messages of a user have changed. `records` keep them; None:
    nothing outlives the process."""

    def __init__(self, records: Records | None, changed: Callable[[str], None]) -> None:
        self._records = records
        self._changed = changed
        self._by_user: dict[str, Mailbox] = {}

    def load(self) -> int:
        """Take up what was set before this start; how many. A bad record is set aside."""
        if self._records is None:
            return 0
        for key, text in self._records.records(MAILBOX):
            try:
                record = decode_record(text, MailboxRecord, MAILBOX_VERSION)
                if record.user != key or not (0 <= record.new <= MOST and 0 <= record.old <= MOST):
                    raise BadRecord(f"the record is of {record.user!r}: {record.new}/{record.old}")
            except BadRecord as error:
                self._records.set_aside(MAILBOX, key, str(error))
            else:
                self._by_user[key] = Mailbox(key, record.new, record.old)
        return len(self._by_user)

    def put(self, user: str, new: int, old: int, done: Done) -> None:
        """Let a user have so many messages, 0 to `MOST`. `done` is called once, after the commit, or with the error: then
        it is in force, and written as soon as the store can."""
        self._by_user[user] = Mailbox(user, new, old)
        self._changed(user)
        if self._records is None:
            done(None)
        else:
            self._records.keep(MAILBOX, user, encode_record(MailboxRecord(user, new, old)), inf, done)

    def clear(self, user: str, done: Done) -> bool:
        """Forget what was set for a user; False, and no call of `done`, if nothing was."""
        if self._by_user.pop(user, None) is None:
            return False
        self._changed(user)
        if self._records is None:
            done(None)
        else:
            self._records.drop(MAILBOX, user, done)
        return True

    def list(self) -> list[Mailbox]:
        """Those that are set, by user."""
        return sorted(self._by_user.values())

    def summary(self, user: str) -> MessageSummary | None:
        """What was set for a user, as its phones are told; None: nothing."""
        mailbox = self._by_user.get(user)
        return None if mailbox is None else voice_messages(mailbox.new, mailbox.old)
