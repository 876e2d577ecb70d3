"""What each party's lamp document says, and when it is published and taken back."""

from __future__ import annotations

import pytest

from b2bua.sip.dialog_info import DialogState, parse_dialog_info
from plugins.communication_manager.lamps import Lamps, documents
from tests.feature_server.surroundings import Surroundings
from tests.plugins.standing import StandingCall


def shown(call: StandingCall, role: str) -> DialogState:
    info = documents(call.call)[("caller", "callee").index(role)]
    assert info.entity == call.one(role).party and info.state == "full"
    assert parse_dialog_info(info.encode()) == info  # what is written is what is read
    [dialog] = info.dialogs
    return dialog


def test_the_callers_document() -> None:
    dialog = shown(StandingCall(), "caller")
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("leg-6001", "theirs-6001", "ours-6001")
    assert dialog.direction == "initiator"
    assert (dialog.local.identity, dialog.local.target) == ("sip:6001@example.com", "sip:6001@192.0.2.10")
    assert (dialog.remote.identity, dialog.remote.target) == ("sip:6002@example.com", "sip:6002@192.0.2.20")


def test_the_callees_document() -> None:
    dialog = shown(StandingCall(), "callee")
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("leg-6002", "theirs-6002", "ours-6002")
    assert dialog.direction == "recipient"
    assert (dialog.local.identity, dialog.remote.identity) == ("sip:6002@example.com", "sip:6001@example.com")


@pytest.mark.parametrize(
    ("state", "told"), [("trying", "trying"), ("early", "early"), ("confirmed", "confirmed"), ("ended", "terminated")]
)
def test_the_state(state: str, told: str) -> None:
    for role in ("caller", "callee"):
        assert shown(StandingCall(state), role).state == told


@pytest.mark.parametrize(
    ("holds", "callers", "callees"),
    [
        # local and remote rendering of the caller's document, then of the callee's
        ((False, False), ("yes", "yes"), ("yes", "yes")),
        ((True, False), ("no", ""), ("", "no")),
        ((False, True), ("", "no"), ("no", "")),
        ((True, True), ("no", "no"), ("no", "no")),
    ],
)
def test_the_rendering(holds: tuple[bool, bool], callers: tuple[str, str], callees: tuple[str, str]) -> None:
    call = StandingCall()
    call.caller.holding, call.callee.holding = holds
    for role, wanted in (("caller", callers), ("callee", callees)):
        dialog = shown(call, role)
        assert (dialog.local.rendering, dialog.remote.rendering) == wanted


@pytest.mark.parametrize("state", ["trying", "early", "ended"])
def test_rendering_is_known_of_a_confirmed_call_alone(state: str) -> None:
    call = StandingCall(state)
    call.caller.holding = True
    dialog = shown(call, "caller")
    assert (dialog.local.rendering, dialog.remote.rendering) == ("", "")


@pytest.mark.parametrize(("holding", "wanted"), [(True, ("no", "")), (False, ("", ""))])
def test_a_hold_in_early_media_is_known(holding: bool, wanted: tuple[str, str]) -> None:
    """Where both said before the answer what they want (RFC 3262 §5); while nobody holds it is a ringing call."""
    call = StandingCall("early")
    call.caller.descriptions.completed(b"theirs", b"ours")
    call.caller.holding = holding
    dialog = shown(call, "caller")
    assert (dialog.local.rendering, dialog.remote.rendering) == wanted


def test_written_as_interfaces_say() -> None:
    call = StandingCall()
    call.caller.holding = True
    text = documents(call.call)[0].encode().decode()
    assert '<param pname="+sip.rendering" pval="no"/>' in text
    assert text.index("<local>") < text.index("<remote>")


class Published(Surroundings):
    def __init__(self) -> None:
        super().__init__()
        self.lamps = Lamps(self.environment)
        self.call = StandingCall("trying")

    def change(self, state: str = "", holding: bool | None = None) -> None:
        self.call.call.state = state or self.call.call.state
        if holding is not None:
            self.call.caller.holding = holding
        self.lamps.call_changed(self.call.call)

    def answer_all(self) -> list[tuple[str, str, str]]:
        """Answers every PUBLISH: whose it was, its state (or "" for a removal), its Expires."""
        told = []
        while self.flow.sent:
            publish = self.flow.requests("PUBLISH")[0]
            self.flow.sent.remove(publish)
            state = parse_dialog_info(publish.body).dialogs[0].state if publish.body else ""
            told.append((publish.uri, state, publish.get("Expires") or ""))
            self.answer(publish, 200, ("SIP-ETag", f"e{publish.cseq}"), ("Expires", "3600"))
        return told


def both(state: str, expires: str = "3600") -> list[tuple[str, str, str]]:
    return [("sip:6001@example.com", state, expires), ("sip:6002@example.com", state, expires)]


def test_both_parties_hear_of_every_change() -> None:
    world = Published()
    for state in ("trying", "early", "confirmed"):
        world.change(state)
        assert world.answer_all() == both(state)
    world.change(holding=True)
    assert world.answer_all() == both("confirmed")


def test_the_end_is_published_and_taken_back() -> None:
    world = Published()
    world.change("confirmed")
    world.answer_all()
    world.change("ended")
    world.lamps.call_ended(world.call.call)
    told = world.answer_all()
    assert sorted(told) == sorted(both("terminated") + both("", "0"))
    world.change("ended")
    assert world.answer_all() == [] and world.clock.timers.running() == 0


def test_every_publish_is_of_the_call() -> None:
    world = Published()
    world.change("trying")
    for publish in world.flow.requests("PUBLISH"):
        assert publish.call == "call-1" and publish.get("Event") == "dialog"
        assert publish.get("Content-Type") == "application/dialog-info+xml"
