"""Calls that are over are freed by their reference counts, whatever became of them."""

from __future__ import annotations

import pytest

from tests.garbage import left_to_the_collector
from tests.scenarios.forwarded_call import at, has_set, phones, refuses, rings
from tests.scenarios.scene import MakeScene, called, hang_up, hold, watched_call
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import FEATURES, aor, refer, reports, settle

LINGER = 150.0
"""Seconds after which nothing of an ended call stands any more."""


@pytest.mark.parametrize("status", [200, 486])
def test_blind_transfer(make_scene: MakeScene, status: int) -> None:
    """The target answers, or not: the old call ends, or stands until somebody hangs up."""
    scene = make_scene(features=FEATURES)
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    with left_to_the_collector() as found:
        hold(a, b)
        refer(a, aor("6003"))
        arrived = carol << "INVITE no-body"
        c = ScriptCall.of(carol, arrived)
        if status == 200:
            carol >> c.answer(arrived, 200, c.sdp())
            offered = b.phone << "INVITE a=sendrecv"
            b.phone >> b.answer(offered, 200, b.sdp())
            b.phone << "ACK no-body"
            carol << "ACK a=sendrecv"
            reports(a)
            a.phone << "BYE"
            settle(scene)
            hang_up(c, b)
        else:
            carol >> c.answer(arrived, status)
            carol << "ACK"
            reports(a)
            settle(scene)
            hang_up(b, a)
        scene.advance(LINGER)
    assert not found


@pytest.mark.parametrize("when", ["forward_always", "forward_busy"])
def test_forwarding_in_a_circle(make_scene: MakeScene, when: str) -> None:
    """Who would have it next has had it already."""
    scene = make_scene(features=("hold", "lamps", "forwarding"))
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", **{when: "6003"})
    has_set(scene, "6003", **{when: "6002"})
    with left_to_the_collector() as found:
        a = called(alice, bob.aor)
        if when == "forward_always":
            alice << "181 INVITE"
            alice >> a.ack(alice << "482 INVITE")
        else:
            refuses(*at(bob), 486)
            alice << "181 INVITE"
            refuses(*at(carol), 486)
            alice >> a.ack(alice << "486 INVITE")
        scene.advance(LINGER)
    assert not found


def test_the_caller_gives_up(make_scene: MakeScene) -> None:
    scene = make_scene()
    alice, bob = phones(scene, "6001", "6002")
    with left_to_the_collector() as found:
        a = called(alice, bob.aor)
        b, arrived = at(bob)
        rings(b, arrived)
        alice << "180 INVITE"
        alice >> a.cancel()
        alice << "200 CANCEL"
        alice >> a.ack(alice << "487 INVITE")
        stopped = bob << "CANCEL"
        bob >> b.answer(stopped, 200)
        refuses(b, arrived, 487)
        scene.advance(LINGER)
    assert not found
