"""The longest that a call may be, whatever its phones do."""

from __future__ import annotations

from b2bua.feature_server.contract import CallLimits
from tests.scenarios.scene import MakeScene, hang_up, idle, invite
from tests.scenarios.timed_call import ends_with, timed_call


def test_no_call_is_longer_than_its_limit(make_scene: MakeScene) -> None:
    scene = make_scene(limits=CallLimits(session_expires=0, call_length_max=100))
    a, b = timed_call(scene)
    scene.advance(99.8)
    a.phone.hears_nothing()
    scene.advance(0.3)
    ends_with(a, "Call too long")
    ends_with(b, "Call too long")
    idle(scene, a, b)
    assert scene.count("calls", "too_long") == 1


def test_a_call_that_rings_on_has_the_same_limit(make_scene: MakeScene) -> None:
    scene = make_scene(limits=CallLimits(call_length_max=100))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.advance(100.1)
    alice >> a.ack(alice << "480 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    assert scene.count("calls", "too_long") == 1


def test_no_limit(make_scene: MakeScene) -> None:
    scene = make_scene(limits=CallLimits(session_expires=0, call_length_max=0))
    a, b = timed_call(scene)
    scene.advance(20_000)
    a.phone.hears_nothing()
    hang_up(a, b)
