"""Lamps (RFC 4235, RFC 3903): publishes each party's dialog state, so that Session Manager can notify whoever watches.

One publication per address of record and call: trying, early, confirmed, hold on and off, terminated, and then removed.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.call_state import CALLER, CONFIRMED, EARLY, ENDED, TRYING
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import Leg
from b2bua.feature_server.publication import Publication, Publications
from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, DialogState, Participant
from b2bua.sip.fast_tuple import new_tuple

_STATES: Final = {TRYING: "trying", EARLY: "early", CONFIRMED: "confirmed", ENDED: "terminated"}


class Lamps(Feature):
    """Publishes on every change of state or hold."""

    def __init__(self, environment: Environment) -> None:
        self._publications = Publications(environment, "dialog", CONTENT_TYPE)
        self._open: dict[Leg, Publication] = {}

    def call_changed(self, call: Call) -> None:
        """All parties' documents change with every change of one."""
        for leg, document in zip(call.legs, documents(call), strict=True):
            self._show(call, leg, document)

    def callee_left(self, call: Call, leg: Leg) -> None:
        """Its lamp goes out, while the others' go on."""
        publication = self._open.pop(leg, None)
        if publication is not None:
            there = call.callee if leg.role == CALLER else call.caller
            own, other = _participant(leg, False), _hidden(there, _participant(there, False))
            publication.update(_document(call, leg, "terminated", own, other))
            publication.end()

    def call_ended(self, call: Call) -> None:
        for leg in (call.caller, call.callee):
            publication = self._open.pop(leg, None)
            if publication is not None:
                publication.end()

    def _show(self, call: Call, leg: Leg, document: DialogInfo) -> None:
        """A leg's publication goes with it, where a transfer brings it into another call."""
        publication = self._open.get(leg)
        if publication is None:
            if call.state == ENDED or leg.stand_in is not None or not (leg.has_lamp and call.tells_of(leg)):
                return
            publication = self._open[leg] = self._publications.open(leg.party, call.id)
        publication.call = call.id
        publication.update(document)


def documents(call: Call) -> list[DialogInfo]:
    """What the publication of each leg of the call says, as in `call.legs`."""
    caller, *callees = call.legs
    state = call.state
    shows = state == CONFIRMED or (state == EARLY and _held_in_early_media(call))
    callee = call.callee
    one, other = _participant(caller, shows), _participant(callee, shows)
    shown_one, shown_other = one, other
    if caller.known_as or callee.known_as:
        shown_one, shown_other = _hidden(caller, one), _hidden(callee, other)
    found = [_document(call, caller, _STATES[state], one, shown_other)]
    for leg in callees:
        own = other if leg is callee else _participant(leg, shows)
        said = "trying" if leg.silent and state == EARLY else _STATES[state]
        found.append(_document(call, leg, said, own, shown_one))
    return found


def _held_in_early_media(call: Call) -> bool:
    """Whether there is a session before the answer (RFC 3262 §5), and somebody holds it. That a phone wants no media at all
    in what it said first shows when the call is answered."""
    caller, callee = call.caller, call.callee
    return (caller.holding or callee.holding) and bool(caller.descriptions.theirs)


def _participant(leg: Leg, shows: bool) -> Participant:
    """A party as both documents show it; `shows`: whether there is media that it may hold."""
    return new_tuple(Participant, (leg.party, leg.dialog.remote_target, _rendering(leg) if shows else "", ""))


def _hidden(leg: Leg, truth: Participant) -> Participant:
    """A party as those see it who watch the other one."""
    return truth if not leg.known_as else truth._replace(identity=leg.known_as, target=leg.known_as)


def _document(call: Call, leg: Leg, state: str, own: Participant, other: Participant) -> DialogInfo:
    """The dialog state of one party, seen from that party: its own tag is the local one."""
    dialog, direction = leg.dialog, "recipient" if leg.invited else "initiator"
    if leg.gone:
        state = "terminated"
    fields = (call.id, state, dialog.call_id, dialog.remote_tag, dialog.local_tag, direction, own, other, "")
    return new_tuple(DialogInfo, (leg.party, (new_tuple(DialogState, fields),), 0, "full"))


def _rendering(leg: Leg) -> str:
    """`no` for a party that holds, `yes` while nobody holds; of a held party it is not known."""
    if leg.holding:
        return "no"
    return "" if leg.other.holding else "yes"
