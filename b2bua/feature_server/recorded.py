"""A call as its record, and back: all that both legs go on with after a restart (CSeqs, versions, who holds).

Early dialogs, open exchanges and whoever waits for an ACK are not recovered: they end in good order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from b2bua.dialog.dialog import Dialog
from b2bua.feature_server.call_state import CALLEE, CALLER, Role
from b2bua.feature_server.leg import Leg
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri
from b2bua.store.call_record import CallRecord, LegRecord

if TYPE_CHECKING:
    from b2bua.feature_server.call import Call

CSEQ_BLOCK: Final = 64
"""How far the stored CSeq lies ahead of the last request: so many may be sent until the record is written anew."""


def record_of(call: Call, now: float, wall: float) -> CallRecord:
    """What the call is now. `now` is on the clock of the timers, `wall` the same moment in Unix seconds."""
    ahead = wall - now
    held_since = None if call.held_since is None else call.held_since + ahead
    caller, callee = _leg_record(call.caller, ahead), _leg_record(call.callee, ahead)
    return CallRecord(
        call.id, call.identity, call.since + ahead, held_since, call.ended_by, caller, callee, absorbed=call.absorbed,
        serves=call.serves, served=call.served, detail=call.detail,
    )  # fmt: skip


def _leg_record(leg: Leg, ahead: float) -> LegRecord:
    dialog, usage, descriptions, session = leg.dialog, leg.usage, leg.descriptions, leg.session
    leg.reserved = dialog.local_cseq + CSEQ_BLOCK
    interval, refreshes, negotiated, agreed_at = session.agreement()
    return LegRecord(
        leg.party, dialog.call_id, dialog.local, dialog.local_tag, dialog.remote, dialog.remote_tag, leg.reserved,
        dialog.remote_cseq, list(dialog.route_set), dialog.remote_target, dialog.contact, usage.invited_cseq,
        usage.answered_cseq, descriptions.session_id, descriptions.version, descriptions.ours, descriptions.theirs,
        leg.holding, interval, refreshes, negotiated, session.updates, agreed_at + ahead, leg.known_as,
        leg.invited, leg.source, leg.note,
    )  # fmt: skip


def restored_legs(call: Call, record: CallRecord, now: float, wall: float) -> tuple[Leg, Leg]:
    """Both legs as they stood; MalformedValue where a record holds what none can be made of."""
    back = now - wall
    return _leg(call, CALLER, record.caller, back), _leg(call, CALLEE, record.callee, back)


def _leg(call: Call, role: Role, record: LegRecord, back: float) -> Leg:
    if parse_uri(record.remote_target).scheme not in ("sip", "sips") or not record.remote_tag:
        raise MalformedValue("record of a leg")
    dialog = Dialog(record.call_id, record.local, record.local_tag, record.remote, record.remote_target, record.contact)
    dialog.remote_tag, dialog.route_set = record.remote_tag, record.route_set
    dialog.local_cseq, dialog.remote_cseq = record.local_cseq, record.remote_cseq
    leg = Leg(call, call.environment, role, dialog, record.party)
    leg.reserved = record.local_cseq
    leg.answered = leg.confirmed = leg.restored = True
    leg.holding, leg.known_as, leg.source, leg.note = record.holding, record.known_as, record.source, record.note
    if record.invited is not None:
        leg.invited = record.invited
    leg.usage.resume(record.invited_cseq, record.answered_cseq)
    leg.descriptions.resume(record.session_id, record.version, record.theirs, record.ours)
    leg.session.resume(record.interval, record.refreshes, record.negotiated, record.updates, record.agreed_at + back)
    return leg
