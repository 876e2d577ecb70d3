"""What must be true when nobody does anything any more and every transaction is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from b2bua.phone.call import CallState
from b2bua.phone.subscription import Subscription
from b2bua.sip.dialog_info import DialogState
from tests.stateful.model_phone import ModelCall, ModelPhone, calls_of

_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_LAMPS = {
    CallState.DIALLING: frozenset(("trying", "proceeding", "early")),
    CallState.RINGING: frozenset(("early",)),
    CallState.OFFERED: frozenset(("trying", "proceeding", "early")),  # our 180 may be lost: it is sent once
    CallState.ESTABLISHED: frozenset(("confirmed",)),
}
_PAIRS = {
    CallState.DIALLING: (CallState.OFFERED,),
    CallState.RINGING: (CallState.OFFERED,),
    CallState.ESTABLISHED: (CallState.ESTABLISHED,),
}


def unequal_ends(one: ModelPhone, other: ModelPhone) -> list[str]:
    """Calls that stand at one phone only, or whose two ends disagree on the directions of the media."""
    found = []
    there = calls_of(other)
    for call in calls_of(one):
        far = _far_end(call, there)
        if far is None:
            found.append(f"{one.name} is {call.state} in {call.dialog.call_id}, {other.name} knows nothing of it")
            continue
        there.remove(far)
        ours, theirs = (call, far) if call.state in _PAIRS else (far, call)
        if theirs.state not in _PAIRS.get(ours.state, ()):
            found.append(f"{one.name} is {call.state}, {other.name} {far.state}")
        elif call.state is CallState.ESTABLISHED and _MIRRORED.get(call.session.direction) != far.session.direction:
            found.append(f"{one.name} has {call.session.direction}, {other.name} {far.session.direction}")
    found += [f"{other.name} is {call.state} in {call.dialog.call_id}, {one.name} knows nothing of it" for call in there]
    return found


def _far_end(call: ModelCall, there: list[ModelCall]) -> ModelCall | None:
    """Which call of the other phone has this one's media on its other side; of calls that are not answered, any that rings."""
    if call.state is CallState.ESTABLISHED:
        return next((far for far in there if far.state is call.state and _faces(call, far)), None)
    return next((far for far in there if far.state is not CallState.ESTABLISHED and far._ours is not call._ours), None)


def _faces(call: ModelCall, far: ModelCall) -> bool:
    """Whether each sends its media to the other: the server is no party to that."""
    return call.media.peer == far.session.address and far.media.peer == call.session.address


def lying_lamps(phones: Mapping[str, ModelPhone]) -> list[str]:
    """Lamps whose last document is not what the watched phone is doing (RFC 4235 §3.7)."""
    found = []
    for watcher in phones.values():
        for lamp in watcher.lamps:
            watched = lamp.watched.partition(":")[2].partition("@")[0]
            if lamp.active and lamp.document is not None:
                found += [f"{watcher.name}'s lamp of {watched}: {lie}" for lie in _lies(lamp, calls_of(phones[watched]))]
    return found


def _lies(lamp: Subscription, calls: Iterable[ModelCall]) -> list[str]:
    assert lamp.document is not None
    dialogs = [dialog for dialog in lamp.document.dialogs if dialog.state != "terminated"]
    found = []
    for call in sorted(calls, key=lambda call: len(_LAMPS.get(call.state, ()))):  # who leaves no choice comes first
        shown = next((dialog for dialog in dialogs if _shows(dialog, call)), None)
        if shown is None:
            known = [(dialog.state, dialog.direction, dialog.local.rendering) for dialog in dialogs]
            found.append(f"the phone is {call.state}, holding: {call.media.shown}; the lamp shows {known}")
        else:
            dialogs.remove(shown)
    return found + [f"{dialog.state} for no call of the phone" for dialog in dialogs]


def _shows(dialog: DialogState, call: ModelCall) -> bool:
    if dialog.state not in _LAMPS.get(call.state, ()) or dialog.direction != ("initiator" if call._ours else "recipient"):
        return False
    return call.state is not CallState.ESTABLISHED or (dialog.local.rendering == "no") == call.media.shown
