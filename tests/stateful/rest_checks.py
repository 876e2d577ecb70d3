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
_PEERS = {"6001": "6002", "6002": "6001"}
"""Whom a talker talks to."""
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


def wrong_gauges(counted: Mapping[str, int], longest_hold: float, one: ModelPhone, other: ModelPhone) -> list[str]:
    """Calls by state as the server counts them, where the two phones have others: each call once, held when either end holds."""
    there = calls_of(other)
    had = dict.fromkeys(("early", "confirmed", "held"), 0)
    for call in calls_of(one):
        far = _far_end(call, there)
        if far is not None:
            there.remove(far)
            holds = call.media.shown or far.media.shown
            had["early" if call.state is not CallState.ESTABLISHED else "held" if holds else "confirmed"] += 1
    found = [] if counted == had else [f"the server counts {dict(counted)}, the phones have {had}"]
    if (longest_hold > 0) != (had["held"] > 0):
        found.append(f"the longest hold is {longest_hold:.1f} s, {had['held']} calls are held")
    return found


def lying_lamps(phones: Mapping[str, ModelPhone]) -> list[str]:
    """Lamps whose last document is not what the watched phone and its other party are doing (RFC 4235 §3.7), or that have
    none: who subscribes is told the state at once (RFC 6665 §4.2.1.2)."""
    found = []
    for watcher in phones.values():
        for lamp in watcher.lamps:
            watched = lamp.watched.partition(":")[2].partition("@")[0]
            if lamp.active and lamp.document is None:
                found.append(f"{watcher.name}'s lamp of {watched} is active and has no document")
            elif lamp.active:
                calls, there = (calls_of(phones[user]) for user in (watched, _PEERS[watched]))
                found += [f"{watcher.name}'s lamp of {watched}: {lie}" for lie in _lies(lamp, calls, there)]
    return found


def _lies(lamp: Subscription, calls: Iterable[ModelCall], there: list[ModelCall]) -> list[str]:
    assert lamp.document is not None
    dialogs = [dialog for dialog in lamp.document.dialogs if dialog.state != "terminated"]
    found = []
    for call in sorted(calls, key=lambda call: len(_LAMPS.get(call.state, ()))):  # who leaves no choice comes first
        sides = _renderings(call, _far_end(call, there))
        shown = next((dialog for dialog in dialogs if _shows(dialog, call, sides)), None)
        if shown is None:
            known = [(one.state, one.direction, one.local.rendering, one.remote.rendering) for one in dialogs]
            found.append(f"the phone is {call.state}, renderings {sides}; the lamp shows {known}")
        else:
            dialogs.remove(shown)
    return found + [f"{dialog.state} for no call of the phone" for dialog in dialogs]


def _shows(dialog: DialogState, call: ModelCall, sides: tuple[str, str]) -> bool:
    if dialog.state not in _LAMPS.get(call.state, ()) or dialog.direction != ("initiator" if call._ours else "recipient"):
        return False
    return (dialog.local.rendering, dialog.remote.rendering) == sides


def _renderings(call: ModelCall, far: ModelCall | None) -> tuple[str, str]:
    """What a lamp says of the call's own party and of the other one: who holds renders nothing, of who is held it is not
    known, and before the answer there is nothing to render."""
    if call.state is not CallState.ESTABLISHED:
        return "", ""
    ours, theirs = call.media.shown, far is not None and far.media.shown
    return _rendering(ours, theirs), _rendering(theirs, ours)


def _rendering(holds: bool, is_held: bool) -> str:
    return "no" if holds else "" if is_held else "yes"
