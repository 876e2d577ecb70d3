"""Call detail records: what is noted of a call while it lives, and the one line that is left of it (deploy/cdr.schema.json).

A line is written once, whatever dies in between: it is a record of the store before it goes to the file, and stays one until
both the file has it and the record of the call is gone. After a restart the file is asked which lines it has already.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from b2bua.feature_server.contract import Environment
from b2bua.sip.codecs import agreed_codecs
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Request
from b2bua.sip.uri import parse_uri
from b2bua.store.call_detail import DETAIL, CallDetail, Forwarding, Transfer
from b2bua.store.call_detail_line import CallDetailLine, ForwardingLine, SideLine, TransferLine, encode_line

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call
    from b2bua.feature_server.leg import Leg

_Q850: Final = re.compile(r"(?i)^\s*Q\.850\s*;(?:.*;)?\s*cause\s*=\s*(\d{1,3})")
LONGEST: Final = 256
"""Signs of what a peer wrote: URI, Reason."""


class CallDetails:
    """Those of one feature server's calls."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._written: set[str] = set()
        """Calls whose line is in the file, and whose record is not gone."""
        self._standing: set[str] = set()
        """Calls whose line is made, and whose record is not gone."""

    @property
    def on(self) -> bool:
        sink = self._environment.details
        return sink is not None and sink.on

    # -- while the call lives ----------------------------------------------------------------------------------

    def begun(self, call: Call, invite: Request) -> None:
        """A new call."""
        if self.on:
            caller = call.caller
            call.detail = CallDetail(
                self._environment.wall(), invite.uri[:LONGEST], caller.party, caller.dialog.call_id,
                _transport(caller.dialog.remote_target), call.serves,
            )  # fmt: skip
            call.detail.callee, call.detail.callee_call_id = call.callee.party, call.callee.dialog.call_id

    def rang(self, detail: CallDetail) -> None:
        detail.ring = self._environment.wall()

    def answered(self, detail: CallDetail, call: Call) -> None:
        detail.answer, callee = self._environment.wall(), call.callee
        detail.callee, detail.callee_call_id = callee.party, callee.dialog.call_id
        detail.callee_transport = "" if callee.source else _transport(callee.dialog.remote_target)

    def forwarded(self, detail: CallDetail, by: Leg, to: Sequence[str], cause: int) -> None:
        detail.forwardings.append(Forwarding(self._environment.wall(), by.party, [uri[:LONGEST] for uri in to], cause))

    def handed_over(self, call: Call, rest: Call, leaves: str, comes: str) -> None:
        """One party of `call` is another from here on, who was in `rest`, which ends."""
        if call.detail is not None:
            call.detail.transfers.append(Transfer(self._environment.wall(), leaves, comes))
        if rest.detail is not None:
            rest.detail.continued_in = call.id
            self.ended(rest, "answered", ())

    # -- its end -----------------------------------------------------------------------------------------------

    def ended(self, call: Call, result: str, headers: Sequence[tuple[str, str]]) -> None:
        """The call is over; of one without a detail nothing is written."""
        detail, call.detail = call.detail, None
        sink, environment = self._environment.details, self._environment
        if detail is None or sink is None or not sink.on:
            return
        if call.held_since is not None:
            detail.held += environment.layer.timers.now() - call.held_since
        if not detail.reasons:
            detail.reasons = [value for name, value in headers if name == "Reason"]
        text = encode_line(_line(call, detail, result, sink.node, environment.wall()))
        records = environment.records
        if records is None:
            sink.write(call.id, text, _nobody)
            return
        if call.kept:
            self._standing.add(call.id)
        # A store that cannot keep it owes it: the line is written all the same.
        records.keep(DETAIL, call.id, text, inf, lambda _error: sink.write(call.id, text, partial(self._is_written, call.id)))

    def call_gone(self, name: str) -> None:
        """The record of this call is no more."""
        self._standing.discard(name)
        if name in self._written:
            self._forget(name)

    def _is_written(self, name: str) -> None:
        """The file has its line."""
        self._written.add(name)
        if name not in self._standing:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._written.discard(name)
        if self._environment.records is not None:
            self._environment.records.drop(DETAIL, name)

    # -- after a restart ---------------------------------------------------------------------------------------

    def restored(self, calls: Sequence[Call]) -> None:
        """The calls that stand, before they go on: one may have its line already. And lines that the file may not have."""
        sink, records = self._environment.details, self._environment.records
        lines = dict(records.records(DETAIL)) if records is not None else {}
        for call in calls:
            if call.id in lines:
                call.detail = None
                self._standing.add(call.id)
        if lines and sink is not None and sink.on:
            sink.recover(lines, self._is_written)


def _nobody() -> None:
    return


def _line(call: Call, detail: CallDetail, result: str, node: str, end: float) -> CallDetailLine:
    begun = detail.answer or end
    return CallDetailLine(
        id=call.id,
        node=node,
        serves=detail.serves,
        caller=_side(detail.caller, detail.caller_call_id, detail.caller_transport, call.caller),
        callee=_side(detail.callee, detail.callee_call_id, detail.callee_transport, call.callee),
        asked=detail.asked,
        reached=detail.callee if detail.answer else None,
        setup=_when(detail.setup),
        ring=_when(detail.ring) if detail.ring else None,
        answer=_when(detail.answer) if detail.answer else None,
        end=_when(end),
        setup_seconds=round(begun - detail.setup, 3),
        talk_seconds=round(end - begun, 3),
        holds=detail.holds,
        hold_seconds=round(detail.held, 3),
        forwardings=[ForwardingLine(time=_when(one.time), by=one.by, to=one.to, cause=one.cause) for one in detail.forwardings],
        transfers=[TransferLine(time=_when(one.time), leaves=one.leaves, comes=one.comes) for one in detail.transfers],
        continued_in=detail.continued_in or None,
        result=result,
        status=200 if detail.answer else detail.status or None,
        ended_by=detail.ended_by or "server",
        reasons=[value[:LONGEST] for value in detail.reasons],
        q850=next((int(found[1]) for value in detail.reasons if (found := _Q850.match(value))), None),
    )  # fmt: skip


def _side(party: str, call_id: str, transport: str, leg: Leg) -> SideLine:
    descriptions = leg.descriptions
    return SideLine(
        party=party, call_id=call_id, transport=transport or None, codecs=agreed_codecs(descriptions.theirs, descriptions.ours)
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _transport(contact: str) -> str:
    """Of a Contact's URI (RFC 3261 §19.1.1); "" where there is none yet."""
    try:
        uri = parse_uri(contact)
    except MalformedValue:
        return ""
    return (uri.parameter("transport") or ("tls" if uri.scheme == "sips" else "udp")).lower()
