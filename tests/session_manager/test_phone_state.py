"""What the lamp of a whole phone shows of its dialogs, with the profile `asterisk`."""

from __future__ import annotations

import pytest

from b2bua.session_manager.event_packages.dialog_event import IDLE
from b2bua.session_manager.event_packages.phone_state import phone_state
from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant

ALICE, BOB = "sip:6001@example.com", "sip:6002@example.com"


def dialog(state: str, direction: str = "recipient", own: str = "", others: str = "") -> DialogState:
    """One of 6001 with 6002: who holds it, if anybody."""
    local = Participant(ALICE, "sip:6001@192.0.2.11", own, "Alice")
    remote = Participant(BOB, "sip:6002@192.0.2.12", others, "Bob")
    return DialogState("d", state, "call", "local", "remote", direction, local, remote)


def shown(*dialogs: DialogState) -> DialogState:
    document = phone_state(DialogInfo(ALICE, dialogs))
    (found,) = document.dialogs
    assert (document.entity, document.state, found.id) == (ALICE, "full", "6001")
    return found


OUT, RINGS, TALKS = dialog("trying", "initiator"), dialog("early"), dialog("confirmed")
HOLDS, HELD = dialog("confirmed", own="no"), dialog("confirmed", others="no")


@pytest.mark.parametrize(("dialogs", "state", "rendering"), [
    ((IDLE,), "terminated", ""), ((dialog("terminated"),), "terminated", ""),
    ((dialog("trying"),), "terminated", ""), ((dialog("proceeding"),), "terminated", ""),
    ((OUT,), "confirmed", ""), ((dialog("early", "initiator"),), "confirmed", ""), ((RINGS,), "early", ""),
    ((TALKS,), "confirmed", ""), ((RINGS, TALKS), "confirmed", ""), ((RINGS, OUT), "confirmed", ""),
    ((HELD,), "confirmed", "no"), ((HELD, HELD), "confirmed", "no"), ((HELD, TALKS), "confirmed", ""),
    ((HELD, RINGS), "confirmed", ""), ((HOLDS,), "confirmed", ""), ((HELD, dialog("terminated")), "confirmed", "no"),
])  # fmt: skip
def test_one_state_of_all(dialogs: tuple[DialogState, ...], state: str, rendering: str) -> None:
    found = shown(*dialogs)
    assert (found.state, found.local.rendering) == (state, rendering)
    assert (found.call_id, found.local_tag, found.remote_tag) == ("", "", "")


def test_who_rings_says_who_calls() -> None:
    found = shown(RINGS)
    assert found.direction == "recipient" and found.local == Participant(ALICE, ALICE)
    assert found.remote == Participant(BOB, BOB, "", "Bob")


def test_who_talks_does_not_say_with_whom() -> None:
    assert shown(TALKS).remote == shown(TALKS).local == Participant() and shown(TALKS).direction == ""
    assert shown(HELD).local == Participant("", ALICE, "no")
