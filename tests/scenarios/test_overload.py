"""What is refused when requests wait too long before they are read, and what goes on all the same."""

from __future__ import annotations

from b2bua.session_manager.admission import A_QUEUE
from b2bua.sip.message import Request
from tests.scenarios.scene import MakeScene, Scene, answered, hang_up, hold, resume, talk
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone


def late(scene: Scene, seconds: float) -> None:
    """Requests wait so long before they are read, and have done so for a while."""
    scene.server.socket.waited = seconds
    dave = scene.phone("6004", registered=False)
    for number in range(A_QUEUE):
        dave >> register_text(dave, number + 1)
        dave << "401 REGISTER"
    scene.advance(0.3)


def test_overload_480_to_a_new_call_and_the_standing_one_goes_on(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    late(scene, 0.2)
    carol = scene.phone("6003", registered=False)
    c = ScriptCall(carol, bob.aor)
    carol >> c.invite(c.sdp())
    refusal = carol << "480 INVITE"
    carol >> c.ack(refusal)
    carol >> register_text(carol, 1)
    assert (carol << "500 REGISTER").get("Retry-After") == "5"
    hold(a, b)
    resume(a, b)
    alice >> register_text(alice, 90)
    alice << "401 REGISTER"  # known here: its refresh is taken
    hang_up(a, b)
    assert scene.count("overload_rejected", "overload") == 2
    scene.server.socket.waited = 0.0
    carol >> register_text(carol, 2)
    carol << "401 REGISTER"


def test_a_call_that_was_challenged_before_goes_through(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = challenged(alice, bob, scene)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    answered(a, b, arrived)
    hang_up(a, b)


def challenged(alice: ScriptPhone, bob: ScriptPhone, scene: Scene) -> tuple[ScriptCall, ScriptCall, Request]:
    """The INVITE with credentials comes when the server is late already."""
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    late(scene, 0.25)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    assert isinstance(arrived, Request)
    return a, ScriptCall.of(bob, arrived), arrived


def test_draining_480_to_a_new_call_and_the_standing_one_goes_on(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    scene.server.admission.draining = True
    c = ScriptCall(bob, alice.aor)
    bob >> c.invite(c.sdp())
    bob >> c.ack(bob << "480 INVITE")
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    assert scene.count("overload_rejected", "draining") == 1
