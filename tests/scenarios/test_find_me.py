"""Find-me (RFC 5359 §2.12): places one after another, and at once."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import answers, at, cancelled, dial, has_set, phones, refuses, rings, states
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, watch


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=("do_not_disturb", "forwarding", "find_me", "hold", "lamps"))


def test_5359_2_12_sequential(scene: Scene) -> None:
    """B1 does not answer, B2 is not logged in, B3 is busy, B4 answers."""
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    assert dial(bob, "*376009*6003*6004", "480") == "Find-Me: 6009 6003 6004"
    has_set(scene, "6002", find_me_seconds="6")
    a = called(alice, bob.aor)
    b, first = at(bob)
    rings(b, first)
    alice << "180 INVITE"
    scene.advance(6.1)
    cancelled(b, first, 408)
    alice << "181 INVITE"
    c, second = at(carol)  # 6009 is nobody
    refuses(c, second, 486)
    d, third = at(dave)
    rings(d, third)
    answers(a, d, third)
    hang_up(d, a)
    assert dial(bob, "*39", "480") == "Find-Me Off"
    a = called(alice, bob.aor)
    b, first = at(bob)
    scene.advance(20)
    answers(a, b, first)
    hang_up(a, b)


def test_each_step_rings_so_long(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    has_set(scene, "6002", find_me="6003,6004", find_me_seconds="6")
    a = called(alice, bob.aor)
    b, first = at(bob)
    rings(b, first)
    alice << "180 INVITE"
    scene.advance(6.1)
    cancelled(b, first, 408)
    alice << "181 INVITE"
    c, second = at(carol)
    rings(c, second)
    scene.advance(6.1)
    cancelled(c, second, 408)
    d, third = at(dave)
    rings(d, third)
    scene.advance(30)  # the last one rings on
    answers(a, d, third)
    hang_up(a, d)


def test_5359_2_12_parallel(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    for phone in (bob, carol, dave):
        watch(phone, phone)
    scene.advance(3)
    assert dial(bob, "*386003*6004", "480") == "Find-Me: 6003 6004"
    scene.advance(3)
    a = called(alice, bob.aor)
    legs = [at(phone) for phone in (bob, carol, dave)]
    for b, arrived in legs:
        rings(b, arrived)
    alice << "180 INVITE"
    scene.advance(1.1)
    assert [states(phone) for phone in (bob, carol, dave)] == [["early"]] * 3
    d, third = legs.pop()
    dave >> d.answer(third, 200, d.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    for b, arrived in legs:
        cancelled(b, arrived, 200)
    a.learn(answer)
    alice >> a.ack(answer)
    dave << "ACK"
    scene.advance(1.1)
    assert [states(phone) for phone in (bob, carol, dave)] == [["terminated"], ["terminated"], ["confirmed"]]
    hang_up(a, d)


def test_a_step_of_several_after_the_users_own_phone(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    has_set(scene, "6002", find_me="6003&6004")
    a = called(alice, bob.aor)
    refuses(*at(bob), 486)
    alice << "181 INVITE"
    c, first = at(carol)
    d, second = at(dave)
    refuses(c, first, 480)
    answers(a, d, second)
    hang_up(a, d)


def test_who_declines_ends_the_search(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", find_me="6003")
    a = called(alice, bob.aor)
    refuses(*at(bob), 603)
    alice >> a.ack(alice << "603 INVITE")
    carol.hears_nothing()


def test_nobody_is_found(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", find_me="6003")
    a = called(alice, bob.aor)
    refuses(*at(bob), 480)
    alice << "181 INVITE"
    refuses(*at(carol), 486)
    alice >> a.ack(alice << "486 INVITE")


def test_who_is_looked_for_elsewhere_may_be_forwarded(scene: Scene) -> None:
    alice, bob, carol, dave = phones(scene, "6001", "6002", "6003", "6004")
    has_set(scene, "6002", find_me="&6003")
    has_set(scene, "6003", forward_always="6004")
    a = called(alice, bob.aor)
    b, first = at(bob)
    d, second = at(dave)
    carol.hears_nothing()
    alice << "181 INVITE"
    dave >> d.answer(second, 200, d.sdp())
    answer = alice << "200 INVITE"
    rings(b, first)
    cancelled(b, first, 200)
    a.learn(answer)
    alice >> a.ack(answer)
    dave << "ACK"
    hang_up(a, d)


@pytest.mark.parametrize(("digits", "status"), [("*37", 484), ("*37*6003", 484), ("*38", 484), ("*396003", 404)])
def test_what_cannot_be_dialled(scene: Scene, digits: str, status: int) -> None:
    [bob] = phones(scene, "6002")
    dial(bob, digits, str(status))
    assert scene.server.user_settings.of("6002") == {}
