"""Do not disturb: who has switched it on is not rung."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import answers, at, dial, has_set, phones
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, talk


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=("do_not_disturb", "forwarding", "hold", "lamps"))


def test_on_and_off(scene: Scene) -> None:
    alice, bob = phones(scene, "6001", "6002")
    assert dial(bob, "*78", "480") == "Do Not Disturb On"
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "486 INVITE")
    bob.hears_nothing()
    hang_up(*talk(bob, alice))  # the user's own calls go out
    assert dial(bob, "*79", "480") == "Do Not Disturb Off"
    hang_up(*talk(alice, bob))


@pytest.mark.parametrize("status", ["480", "603"])
def test_what_callers_are_told(scene: Scene, status: str) -> None:
    alice, bob = phones(scene, "6001", "6002")
    has_set(scene, "6002", do_not_disturb="on", do_not_disturb_status=status)
    a = called(alice, bob.aor)
    alice >> a.ack(alice << f"{status} INVITE")
    bob.hears_nothing()


def test_its_486_is_forwarded_like_a_phones(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", do_not_disturb="on", forward_busy="6003")
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    c, arrived = at(carol)
    answers(a, c, arrived)
    hang_up(a, c)
    bob.hears_nothing()


def test_who_is_forwarded_to_may_want_no_calls_either(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_always="6003")
    has_set(scene, "6003", do_not_disturb="on")
    a = called(alice, bob.aor)
    alice << "181 INVITE"
    alice >> a.ack(alice << "486 INVITE")
    carol.hears_nothing()


def test_a_code_with_something_behind_it_is_no_code(scene: Scene) -> None:
    [bob] = phones(scene, "6002")
    assert dial(bob, "*781", "404") == "Not Found"
    assert scene.server.user_settings.of("6002") == {}
