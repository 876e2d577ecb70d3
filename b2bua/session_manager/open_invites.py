"""INVITEs that are open, in a store that outlives the process: recovery.py ends or goes on with what it finds there.

Two kinds: those of phones on their way to a feature server in this process, which dies with us and must get them again; and
those that make a phone ring, which somebody must cancel. A record stands before its INVITE goes on, and goes with the ACK;
that of an INVITE that has failed with its last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, NamedTuple

from b2bua.observer import Observer
from b2bua.session_manager.arrival import Arrival
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.store.interface import Records
from b2bua.store.invite_record import RECEIVED, SENT, InviteRecord, encode_invite
from b2bua.transaction.client import ClientTransaction
from b2bua.transaction.client_invite import InviteClient
from b2bua.transaction.machine import Machine, State
from b2bua.transaction.server import ServerTransaction
from b2bua.transaction.timers import TIMEOUT, TIMER_C, Timers

SWEEP: Final = TIMEOUT
"""Seconds between two looks for records whose INVITE is over: a 2xx may have no ACK that passes here."""
LIFE: Final = TIMER_C + 2 * TIMEOUT
"""Seconds that a record is good for: no INVITE is open for longer."""
_OVER: Final = (State.COMPLETED, State.CONFIRMED, State.TERMINATED)
_ANSWERED: Final = (State.ACCEPTED, *_OVER)

Kept = Callable[[bool], None]
"""Called once, when the record is committed (True) or could not be (False)."""


class OpenInvites:
    """The records of one Session Manager. `wall` gives Unix seconds, `strip` takes credentials of our realm out of a
    request."""

    def __init__(
        self, records: Records, wall: Callable[[], float], timers: Timers, observer: Observer, strip: Callable[[Request], None]
    ) -> None:
        self.records = records
        self._wall = wall
        self._timers = timers
        self._observer = observer
        self._strip = strip
        self._open: dict[tuple[str, str, int], list[_Open]] = {}
        """By Call-ID, From tag and CSeq of the INVITE; several where it was forked."""
        self._since: dict[str, float] = {}
        """By key: when an earlier process recorded what is to be received once more."""
        self._sweeps = False

    def received_before(self, key: str, since: float) -> None:
        """The next INVITE of this key is the one recorded at `since` (Unix seconds): its record gets no younger by a start."""
        if since:
            self._since[key] = since

    def age(self, since: float) -> float:
        """Seconds since an INVITE was recorded first; 0 where that was not kept."""
        return max(0.0, self._wall() - since) if since else 0.0

    def received(self, arrival: Arrival, owner: str, then: Kept) -> None:
        """Keep an INVITE as it came from a phone, before it goes on."""
        request, transaction = arrival.request, arrival.transaction
        assert transaction is not None, "an INVITE has one"
        copy = request.copy()
        self._strip(copy)
        key = f"{request.call_id} {request.from_.tag} {request.cseq}"
        since = self._since.pop(key, 0.0) or self._wall()
        self._keep(RECEIVED, key, _record(copy, arrival.source, owner, since), then)
        self.waits(request, key, transaction)

    def waits(self, request: Request, key: str, transaction: ServerTransaction) -> None:
        """It goes on in this transaction."""
        self._follow(request, RECEIVED, key, transaction)
        # A refusal is acknowledged hop by hop, so its ACK does not pass `acknowledged`; replayed, it would be asked for again.
        transaction.acknowledged = partial(self._refused, (request.call_id, request.from_.tag, request.cseq))

    def _refused(self, identity: tuple[str, str, int]) -> None:
        if identity in self._open:
            self._drop(identity, _OVER)

    def sending(self, request: Request, flow: Flow, branch: str, then: Kept) -> None:
        """Keep an INVITE before it leaves for a phone."""
        copy = request.copy()
        copy.set_body(b"", "")
        self._keep(SENT, branch, _record(copy, flow, "", self._wall()), then)

    def sent(self, request: Request, branch: str, transaction: ClientTransaction) -> None:
        """It has left."""
        self._follow(request, SENT, branch, transaction)
        assert isinstance(transaction, InviteClient), "an INVITE has one"
        # Whoever has refused rings no more: a CANCEL after a restart would match nothing there.
        transaction.failed = partial(self._refused, (request.call_id, request.from_.tag, request.cseq))
        transaction.moved = partial(self._moved, branch)
        if transaction.fallback is not None:  # too long for the flow that it was recorded with
            self._moved(branch, transaction)

    def _moved(self, branch: str, transaction: ClientTransaction) -> None:
        """It takes another flow: a CANCEL after a restart has its Via, and its flow with that (RFC 3261 §9.1, §18.1.1)."""
        assert transaction.request is not None, "it is not answered"
        copy = transaction.request.copy()
        copy.remove_first("Via")
        copy.set_body(b"", "")
        self._keep(SENT, branch, _record(copy, transaction.flow, "", self._wall()), lambda kept: None)

    def answered(self, branch: str, record: InviteRecord, then: Kept) -> None:
        """Keep what the record of an INVITE to a phone says of its answers, which are to be acknowledged."""
        self._keep(SENT, branch, record, then)

    def given_up(self, branch: str) -> None:
        """It does not leave after all."""
        self.records.drop(SENT, branch)

    def acknowledged(self, ack: Request) -> None:
        """The ACK of a 2xx passes: whoever sends it knows how its INVITE ended."""
        identity = ack.call_id, ack.from_.tag, ack.cseq
        if identity in self._open:
            self._drop(identity, _ANSWERED)

    def _keep(self, kind: str, key: str, record: InviteRecord, then: Kept) -> None:
        self.records.keep(kind, key, encode_invite(record), record.since + LIFE, partial(self._written, then))

    def _written(self, then: Kept, error: Exception | None) -> None:
        if error is not None:
            self._observer.not_durable("invite")
        then(error is None)

    def _follow(self, request: Request, kind: str, key: str, transaction: Machine) -> None:
        identity = request.call_id, request.from_.tag, request.cseq
        self._open.setdefault(identity, []).append(_Open(kind, key, transaction))
        if not self._sweeps:
            self._sweeps = True
            self._timers.start(SWEEP, self._sweep)

    def _drop(self, identity: tuple[str, str, int], states: Collection[State]) -> None:
        """Drop what is in one of these states; of a fork that was given up the branches that still ring stay."""
        left = []
        for one in self._open.pop(identity):
            if one.transaction.state in states:
                self.records.drop(one.kind, one.key)
            else:
                left.append(one)
        if left:
            self._open[identity] = left

    def _sweep(self) -> None:
        """Drop the records of INVITEs that were refused, or whose 2xx nobody acknowledged."""
        for identity in list(self._open):
            self._drop(identity, _OVER)
        self._sweeps = bool(self._open)
        if self._sweeps:
            self._timers.start(SWEEP, self._sweep)


class _Open(NamedTuple):
    kind: str
    key: str
    transaction: Machine


def _record(request: Request, flow: Flow, owner: str, since: float) -> InviteRecord:
    host, port = flow.remote
    return InviteRecord(request.encode(), flow.transport, flow.listener, host, port, owner, since)
