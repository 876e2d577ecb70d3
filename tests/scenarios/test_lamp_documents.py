"""Every lamp state as a third user's key sees it, and the ways in which watchers may want their documents (RFC 4235 §3.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.session_manager.event_packages.package import Form
from b2bua.sip.dialog_info import DialogInfo
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    answered,
    called,
    hang_up,
    hold,
    invite,
    resume,
    subscribe_text,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.schema_check import check_documents

PARTIAL, SINGLE, PVALUE = Form(partial=True), Form(single_dialog=True), Form(pvalue=True)


def lamp(phone: ScriptPhone) -> tuple[str, str, str, str]:
    """State, direction, and who holds: local and remote rendering of the one dialog."""
    [dialog] = phone.lamp.dialogs
    return dialog.state, dialog.direction, dialog.local.rendering, dialog.remote.rendering


def refresh(phone: ScriptPhone, call: ScriptCall, aor: str) -> None:
    phone >> subscribe_text(phone, aor, dialog=call)
    challenge = phone << "401 SUBSCRIBE"
    phone >> subscribe_text(phone, aor, phone.credentials(challenge, "SUBSCRIBE", call.target), dialog=call)
    phone << "200 SUBSCRIBE"


def test_every_state_of_a_lamp(scene: Scene, tmp_path: Path) -> None:
    """Idle, dialling, ringing, talking, holder, held: of the caller and of the callee, who each may hold."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    keys = {}
    for user, watched in (("6003", alice), ("6004", bob)):
        keys[user] = scene.phone(user)
        watch(keys[user], watched)
    of_caller, of_callee = keys["6003"], keys["6004"]
    check = [("terminated", "", "", "")] * 2
    assert [lamp(of_caller), lamp(of_callee)] == check
    scene.advance(1.1)
    a, b, arrived = invite(alice, bob)
    scene.advance(1.1)
    assert lamp(of_caller) == ("trying", "initiator", "", "")
    assert lamp(of_callee) == ("trying", "recipient", "", "")
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.advance(1.1)
    assert lamp(of_caller) == ("early", "initiator", "", "")
    assert lamp(of_callee) == ("early", "recipient", "", "")
    answered(a, b, arrived)
    for holder, far, of_holder, of_held in ((a, b, of_caller, of_callee), (b, a, of_callee, of_caller)):
        scene.advance(1.1)
        for key in (of_holder, of_held):
            assert lamp(key)[::2] == ("confirmed", "yes") and lamp(key)[3] == "yes"
        hold(holder, far)
        scene.advance(1.1)
        assert (lamp(of_holder)[0], *lamp(of_holder)[2:]) == ("confirmed", "no", "")
        assert (lamp(of_held)[0], *lamp(of_held)[2:]) == ("confirmed", "", "no")
        resume(holder, far)
    hang_up(a, b)
    scene.advance(2.2)
    assert [lamp(of_caller), lamp(of_callee)] == check
    check_documents((request.body for key in keys.values() for request in key.notified), "dialog-info.xsd", tmp_path)


def test_a_call_that_is_refused_or_cancelled_puts_the_lamp_out(scene: Scene) -> None:
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(key, bob)
    scene.advance(1.1)
    a = called(alice, bob.aor)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    scene.advance(2.2)
    assert lamp(key) == ("terminated", "", "", "")


# ---- only what has changed


class Table:
    """A phone's memory, as RFC 4235 §4.3 has it: dialogs by id; a gap in the versions is a fault."""

    def __init__(self, documents: list[DialogInfo]) -> None:
        self.states: dict[str, str] = {}
        for number, document in enumerate(documents):
            assert document.version == number
            if document.state == "full":
                self.states.clear()
            assert document.dialogs
            self.states |= {dialog.id: dialog.state for dialog in document.dialogs}

    @property
    def lit(self) -> list[str]:
        return sorted(state for state in self.states.values() if state != "terminated")


def test_partial_documents_add_up_to_the_truth(make_scene: MakeScene, tmp_path: Path) -> None:
    """Two calls that come and go: the first document is full, the next have what has changed; a refresh is full again."""
    scene = make_scene(forms={"6004": PARTIAL})
    alice, bob, carol, key = (scene.phone(user) for user in ("6001", "6002", "6003", "6004"))
    subscription = watch(key, alice)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    hold(a, b)
    scene.advance(1.1)
    assert Table(key.documents).lit == ["confirmed"]
    second, c, arrived = invite(alice, carol)
    scene.advance(1.1)
    assert [dialog.state for dialog in key.lamp.dialogs] == ["trying"] and key.lamp.state == "partial"
    assert Table(key.documents).lit == ["confirmed", "trying"]
    answered(second, c, arrived)
    scene.advance(1.1)
    assert Table(key.documents).lit == ["confirmed", "confirmed"]
    hang_up(second, c)
    scene.advance(2.2)
    assert Table(key.documents).lit == ["confirmed"]
    refresh(key, subscription, alice.aor)
    assert key.lamp.state == "full" and len(key.lamp.dialogs) == 1
    scene.advance(1.1)
    resume(a, b)
    hang_up(a, b)
    scene.advance(2.2)
    assert Table(key.documents).lit == []
    forms = [document.state for document in key.documents]
    assert forms.count("full") == 2 and forms[0] == "full"
    check_documents((request.body for request in key.notified), "dialog-info.xsd", tmp_path)


def test_a_partial_document_that_was_not_taken_is_followed_by_a_full_one(make_scene: MakeScene) -> None:
    scene = make_scene(forms={"6001": PARTIAL})
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    alice.notify_status = 500
    scene.advance(1.1)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    alice.notify_status = 200
    hold(a, b)
    scene.advance(1.1)
    assert alice.lamp.state == "full"
    resume(a, b)
    hang_up(a, b)


def test_others_get_partial_documents_without_call_ids(make_scene: MakeScene) -> None:
    """The ids are the same over the documents, and tell nothing."""
    scene = make_scene(forms={"6003": PARTIAL})
    alice, bob, key = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    watch(key, alice)
    a, b = talk(alice, bob)
    scene.advance(2.2)
    hold(a, b)
    scene.advance(1.1)
    shown = [document for document in key.documents if document.dialogs[0].id != "idle"]
    assert len({document.dialogs[0].id for document in shown}) == 1
    assert a.call_id.encode() not in b"".join(request.body for request in key.notified)
    resume(a, b)
    hang_up(a, b)


# ---- one dialog, and pvalue


def test_one_dialog_of_several(make_scene: MakeScene, tmp_path: Path) -> None:
    """For phones that crash on several: one that rings, else one that talks, else one that is held."""
    scene = make_scene(forms={"6004": SINGLE})
    alice, bob, carol, key = (scene.phone(user) for user in ("6001", "6002", "6003", "6004"))
    watch(key, alice)
    a, b = talk(alice, bob)
    hold(a, b)
    scene.advance(2.2)
    assert lamp(key) == ("confirmed", "initiator", "no", "")
    c, d, arrived = invite(carol, alice)
    alice >> d.answer(arrived, 180)
    carol << "180 INVITE"
    scene.advance(2.2)
    assert lamp(key) == ("early", "recipient", "", "")
    answered(c, d, arrived)
    scene.advance(2.2)
    assert lamp(key) == ("confirmed", "recipient", "yes", "yes")
    hang_up(c, d)
    scene.advance(2.2)
    assert lamp(key) == ("confirmed", "initiator", "no", "")
    resume(a, b)
    hang_up(a, b)
    scene.advance(2.2)
    assert lamp(key) == ("terminated", "", "", "")
    assert {len(document.dialogs) for document in key.documents} == {1}
    check_documents((request.body for request in key.notified), "dialog-info.xsd", tmp_path)


@pytest.mark.parametrize("form", [PVALUE, Form(pvalue=True, partial=True), Form(pvalue=True, single_dialog=True)])
def test_pvalue(make_scene: MakeScene, form: Form) -> None:
    """As the examples of RFC 4235 §4.4.1 write it; others still get what its schema says."""
    scene = make_scene(forms={"6002": form})
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for phone in (alice, bob):
        watch(phone, alice)
    a, b = talk(alice, bob)
    hold(a, b)
    scene.advance(1.1)
    assert b'<param pname="+sip.rendering" pval="no"/>' in alice.notified[-1].body
    assert b'<param pname="+sip.rendering" pvalue="no"/>' in bob.notified[-1].body
    assert b"pval=" not in bob.notified[-1].body
    resume(a, b)
    hang_up(a, b)


def test_a_form_is_followed_at_run_time(scene: Scene) -> None:
    """From the next document on; partial begins behind a full one."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    watch(alice, alice)
    scene.server.events.view.follow("domain", PARTIAL)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    assert [document.state for document in alice.documents[:2]] == ["full", "full"]
    hold(a, b)
    scene.advance(1.1)
    assert alice.lamp.state == "partial"
    scene.server.events.view.follow("domain")
    resume(a, b)
    scene.advance(1.1)
    assert alice.lamp.state == "full"
    hang_up(a, b)
