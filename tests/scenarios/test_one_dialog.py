"""A subscription to one dialog alone (RFC 4235 §3.2, §3.3): it is told of that one, and only when that one changes."""

from __future__ import annotations

import pytest

from tests.scenarios.events import refused, subscribe
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, register_again, renderings, resume, talk, watch
from tests.scenarios.script_call import ScriptCall


def event(call: ScriptCall, *more: str) -> str:
    """The Event that names the dialog of this call as its phone knows it."""
    return ";".join([f'dialog;call-id="{call.call_id}";to-tag={call.tag}', *more])


def exactly(call: ScriptCall) -> str:
    return event(call, f"from-tag={call.remote_tag}")


def told(call: ScriptCall) -> list[tuple[str, str]]:
    """Call-ID and state of each dialog in the newest document of the phone."""
    return [(dialog.call_id, dialog.state) for dialog in call.phone.lamp.dialogs]


@pytest.mark.parametrize("named", [exactly, event])
def test_it_is_told_of_that_one_alone(scene: Scene, named) -> None:  # type: ignore[no-untyped-def]  # either of the two above
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    second, c = talk(alice, carol)
    scene.advance(2)
    subscribe(alice, named(a), alice.aor)
    assert told(a) == [(a.call_id, "confirmed")]
    known = len(alice.notified)
    hold(second, c)
    scene.advance(2)
    hang_up(second, c)
    scene.advance(2)
    assert len(alice.notified) == known
    hold(a, b)
    scene.advance(2)
    assert renderings(alice) == ("no", "") and len(alice.notified) == known + 1
    resume(a, b)
    scene.advance(2)
    hang_up(a, b)
    scene.advance(2)
    assert [state for _, state in told(a)] == ["terminated"]
    assert all(notify.get("Event") == "dialog" for notify in alice.notified)


def test_no_such_dialog(scene: Scene) -> None:
    """One terminated dialog, as where there is none at all: phones' lamps need it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.advance(2)
    subscribe(alice, "dialog;call-id=nobody;to-tag=1;from-tag=2", alice.aor)
    assert [(dialog.id, dialog.state) for dialog in alice.lamp.dialogs] == [("idle", "terminated")]
    known = len(alice.notified)
    hang_up(a, b)
    scene.advance(3)
    assert len(alice.notified) == known


def test_beside_one_to_all(scene: Scene) -> None:
    """Two phones watch: the one is told of everything, the other of one dialog, each with a version of its own."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    desk = scene.phone("6001", device=1)
    a, b = talk(bob, alice)[::-1]
    second, c = talk(carol, alice)[::-1]
    for phone in (alice, desk):
        phone.inbox.clear()  # the second INVITE of each rang at the desk, too
    scene.advance(2)
    watch(alice, alice)
    subscribe(desk, exactly(a), alice.aor)
    assert {call_id for call_id, _ in told(a)} == {a.call_id, second.call_id}
    assert [dialog.call_id for dialog in desk.lamp.dialogs] == [a.call_id]
    hang_up(second, c)
    hang_up(a, b)
    scene.advance(3)
    assert desk.lamp.dialogs[0].state == "terminated"


def test_others_see_no_more_of_it_than_of_all(scene: Scene) -> None:
    """Who knows Call-ID and tags by other ways is told of that dialog, without them (RFC 4235 §3.7.2)."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    scene.advance(2)
    subscribe(carol, exactly(a), alice.aor)
    (dialog,) = carol.lamp.dialogs
    assert (dialog.state, dialog.call_id, dialog.local_tag) == ("confirmed", "", "")
    hang_up(a, b)


@pytest.mark.parametrize(
    "wanted", ["dialog;call-id=abc", "dialog;to-tag=1;from-tag=2", "dialog;call-id=;to-tag=1", 'dialog;call-id="abc;to-tag=1']
)
def test_half_of_a_dialog_is_400(scene: Scene, wanted: str) -> None:
    alice = scene.phone("6001")
    assert refused(alice, wanted, alice.aor) == 400


def test_partial_documents_are_of_that_dialog(make_scene: MakeScene) -> None:
    scene = make_scene(profiles=("partial",))
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    second, c = talk(alice, carol)
    scene.advance(2)
    subscribe(alice, exactly(a), alice.aor)
    hold(a, b)
    scene.advance(2)
    assert alice.lamp.state == "partial" and told(a) == [(a.call_id, "confirmed")]
    hang_up(second, c)
    resume(a, b)
    hang_up(a, b)


def test_it_outlives_a_restart() -> None:
    scene = Scene(Options(records=KeptRecords()))
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    second, c = talk(alice, carol)
    scene.advance(2)
    subscribe(alice, exactly(a), alice.aor)
    scene.restart()
    scene.advance(2)
    assert told(a) == [(a.call_id, "confirmed")]
    for number, phone in enumerate((alice, bob, carol)):
        register_again(phone, 11 + 10 * number)
    known = len(alice.notified)
    hang_up(second, c)
    scene.advance(2)
    assert len(alice.notified) == known
    hang_up(a, b)
    scene.advance(2)
    assert [state for _, state in told(a)] == ["terminated"]
    scene.quiet()
