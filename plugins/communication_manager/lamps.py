"""Lamps (RFC 4235, RFC 3903): publishes each party's dialog state, so that Session Manager can notify whoever watches.

One publication per address of record and call: trying, early, confirmed, hold on and off, terminated, and then removed.
"""

from __future__ import annotations

from typing import Final

from b2bua.feature_server.call import Call
from b2bua.feature_server.contract import Environment
from b2bua.feature_server.feature import Feature
from b2bua.feature_server.leg import CALLER, Leg
from b2bua.feature_server.publication import Publication, Publications
from b2bua.sip.dialog_info import CONTENT_TYPE, DialogInfo, DialogState, Participant

_STATES: Final = {"trying": "trying", "early": "early", "confirmed": "confirmed", "ended": "terminated"}


class Lamps(Feature):
    """Publishes on every change of state or hold."""

    def __init__(self, environment: Environment) -> None:
        self._publications = Publications(environment, "dialog", CONTENT_TYPE)
        self._open: dict[str, tuple[Publication, Publication]] = {}

    def call_changed(self, call: Call) -> None:
        """Both parties' documents change with every change of either."""
        pair = self._open.get(call.id)
        if pair is None:
            if call.state == "ended":
                return
            pair = (
                self._publications.open(call.caller.party, call.id),
                self._publications.open(call.callee.party, call.id),
            )
            self._open[call.id] = pair
        for publication, leg in zip(pair, (call.caller, call.callee), strict=True):
            publication.update(document(call, leg))

    def call_ended(self, call: Call) -> None:
        for publication in self._open.pop(call.id, ()):
            publication.end()


def document(call: Call, leg: Leg) -> DialogInfo:
    """The dialog state of one party, seen from that party: its own tag is the local one."""
    other, dialog = leg.other, leg.dialog
    confirmed = call.state == "confirmed"
    state = DialogState(
        call.id,
        _STATES[call.state],
        dialog.call_id,
        dialog.remote_tag,
        dialog.local_tag,
        "initiator" if leg.role == CALLER else "recipient",
        Participant(leg.party, dialog.remote_target, _rendering(leg) if confirmed else ""),
        Participant(other.party, other.dialog.remote_target, _rendering(other) if confirmed else ""),
    )
    return DialogInfo(leg.party, (state,))


def _rendering(leg: Leg) -> str:
    """`no` for a party that holds, `yes` while nobody holds; of a held party it is not known (interfaces.md)."""
    if leg.holding:
        return "no"
    return "" if leg.other.holding else "yes"
