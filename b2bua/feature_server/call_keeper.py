"""Keeps a record of every call that stands in a store that outlives the process.

A 2xx that promises something leaves after the commit that holds it. A store that fails ends no call: what it did not take
is counted, and the store owes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from b2bua.feature_server.contract import Environment
from b2bua.feature_server.recorded import record_of
from b2bua.store.call_record import CALL, CallRecord, decode_call, encode_call
from b2bua.store.interface import Records
from b2bua.store.records import BadRecord

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

Kept = Callable[[bool], None]
"""Called once, when the record is committed (True) or could not be (False)."""


class CallKeeper:
    """The records of one feature server's calls."""

    def __init__(self, environment: Environment, records: Records) -> None:
        self._environment = environment
        self._records = records

    def keep(self, call: Call, then: Kept | None = None) -> None:
        """Write what the call is now, over what was known of it."""
        environment = self._environment
        record = record_of(call, environment.layer.timers.now(), environment.wall())
        call.kept = True
        self._records.keep(CALL, call.id, encode_call(record), inf, partial(self._written, then))

    def drop(self, call: Call) -> None:
        """Both its parties know that it is over."""
        call.kept = False
        self._records.drop(CALL, call.id)
        call.all_calls.details.call_gone(call.id)

    def load(self) -> Iterator[CallRecord]:
        """The calls that stood; a record that cannot be understood is set aside."""
        for key, text in self._records.records(CALL):
            try:
                record = decode_call(text)
                if record.id != key:
                    raise BadRecord(f"the record is of {record.id!r}")
            except BadRecord as error:
                self._records.set_aside(CALL, key, str(error))
            else:
                yield record

    def forget(self, record: CallRecord) -> None:
        """A record of a call that another one has absorbed."""
        self._records.drop(CALL, record.id)

    def set_aside(self, record: CallRecord, reason: str) -> None:
        """A record that no call can be made of."""
        self._records.set_aside(CALL, record.id, reason)

    def _written(self, then: Kept | None, error: Exception | None) -> None:
        if error is not None:
            self._environment.observer.not_durable("call")
        if then is not None:
            try:
                then(error is None)
            except Exception as mistake:  # of ours: what else this commit lets go must go on
                self._environment.observer.internal_error("transaction user")
                self._environment.failed(mistake, None)
