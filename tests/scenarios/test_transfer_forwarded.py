"""A transfer to somebody whose calls go elsewhere: the call that Communication Manager makes for it is forwarded as any."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import has_set
from tests.scenarios.scene import MakeScene, Scene, hang_up, is_gone, watch, watched_call
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import aor, lamp_of, refer, reports, settle


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=("forwarding", "find_me", "hold", "lamps", "transfer"))


@pytest.mark.parametrize("settings", [{"forward_always": "6004"}, {"find_me": "&6004"}, {"forward_busy": "6004"}])
def test_blind_transfer_goes_on_to_another(scene: Scene, settings: dict[str, str]) -> None:
    a, b = watched_call(scene)
    carol, dave = scene.phone("6003"), scene.phone("6004")
    watch(dave, dave)
    has_set(scene, "6003", **settings)
    refer(a, aor("6003"))
    if "forward_always" not in settings:
        here = carol << "INVITE no-body"
        c = ScriptCall.of(carol, here)
        if "forward_busy" in settings:
            carol >> c.answer(here, 486)
            carol << "ACK"
        else:
            carol >> c.answer(here, 180)
    arrived = dave << "INVITE no-body"
    d = ScriptCall.of(dave, arrived)
    dave >> d.answer(arrived, 180)
    dave >> d.answer(arrived, 200, d.sdp())
    if "find_me" in settings:
        carol >> c.answer(carol << "CANCEL", 200)
        carol >> c.answer(here, 487)
        carol << "ACK"
    offered = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(offered, 200, b.sdp())
    b.phone << "ACK no-body"
    dave << "ACK a=sendrecv"
    assert reports(a)[-1] == "200 OK terminated"
    is_gone(a)
    settle(scene)
    assert lamp_of(d) == [("confirmed", b.phone.aor)]
    assert lamp_of(b) == [("confirmed", dave.aor)]
    hang_up(d, b)


def test_nobody_takes_it(scene: Scene) -> None:
    """The old call stands (RFC 5589 §6.3)."""
    a, b = watched_call(scene)
    carol, dave = scene.phone("6003"), scene.phone("6004")
    has_set(scene, "6003", forward_busy="6004")
    refer(a, aor("6003"))
    for phone in (carol, dave):
        arrived = phone << "INVITE no-body"
        phone >> ScriptCall.of(phone, arrived).answer(arrived, 486)
        phone << "ACK"
    assert reports(a)[-1] == "486 Whatever terminated"
    hang_up(b, a)
