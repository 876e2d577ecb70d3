"""Whether a user's dialogs make it one that is on the phone (presence)."""

from __future__ import annotations

import pytest

from b2bua.session_manager.event_packages.presence import is_on_the_phone
from b2bua.sip.dialog_info import STATES, DialogState


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("direction", ["initiator", "recipient"])
def test_who_talks_or_dials(state: str, direction: str) -> None:
    """One that only rings is not, nor one whose call has ended."""
    on_the_phone = state == "confirmed" or (direction == "initiator" and state != "terminated")
    assert is_on_the_phone([DialogState("1", state, direction=direction)]) is on_the_phone
