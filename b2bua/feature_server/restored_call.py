"""A call that stood before a restart: made of its record, and what it does first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CALLER, CONFIRMED
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.media_again import MediaAgain
from b2bua.feature_server.recorded import restored_legs
from b2bua.sip.errors import SipError
from b2bua.store.call_record import CallRecord

if TYPE_CHECKING:
    from b2bua.feature_server.all_calls import AllCalls


def restored_call(all_calls: AllCalls, record: CallRecord) -> Call:
    """A call that stood before a restart; MalformedValue when the record makes none. `go_on` starts it."""
    timers, wall = all_calls.environment.layer.timers, all_calls.environment.wall()
    call = Call(all_calls, record.id, record.invite)
    now = timers.now()
    call.caller, call.callee = restored_legs(call, record, now, wall)
    call.caller.other, call.callee.other = call.callee, call.caller
    call.state, call.kept, call.ended_by, call.absorbed = CONFIRMED, True, record.ended_by, record.absorbed
    call.serves, call.served, call.detail = record.serves, record.served, record.detail
    call.since = record.since - wall + now
    call.held_since = None if record.held_since is None else record.held_since - wall + now
    return call


def go_on(call: Call) -> None:
    """Once restored: show what stands, or bring to its end what was ending."""
    call.name_legs()
    longest = call.environment.limits.call_length_max
    if longest:
        left = call.since + longest - call.environment.layer.timers.now()
        call.environment.layer.timers.put(call, left)
    local = next((leg for leg in (call.caller, call.callee) if leg.source), None)
    again = None if local is None or call.ended_by else _media_again(call, local)
    if again is not None:
        call.changed()
        again.start()
    elif local is not None:
        # The stream ended with the process: so does the call, for whoever listens to nothing cannot know why.
        local.over()
        call.finish("failed", ("Reason", 'SIP;cause=500;text="Media lost"'), spare=local)
    elif call.ended_by:
        gone = call.caller if call.ended_by == CALLER else call.callee
        gone.over()
        if call.detail is not None:
            call.detail.ended_by = call.ended_by
        call.finish("answered", spare=gone)
    else:
        call.changed()


def _media_again(call: Call, local: Leg) -> MediaAgain | None:
    """Another stream of ours in the place of one that ended with an earlier process; None where none is wanted, or none can
    be had."""
    if not local.note:
        return None
    try:
        again = MediaAgain(local)
    except SipError:
        return None
    media = again.take_place(call)
    if local.role == CALLER:
        call.caller = media
    else:
        call.callee = media
    local.take_apart()
    return again
