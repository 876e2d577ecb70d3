"""Calls that go elsewhere behind the media relay: whoever answers in the end is the one that it knows."""

from __future__ import annotations

import pytest

from tests.scenarios.forwarded_call import at, cancelled, has_set, phones, refuses, rings
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, hold, resume
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.virtual_relay import ADDRESS

FEATURES = ("do_not_disturb", "forwarding", "find_me", "hold", "lamps", "media_relay")


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES, relay="pass")


def talk_behind_it(scene: Scene, a: ScriptCall, b: ScriptCall) -> None:
    """The call as it goes on: each hold passes the relay with the one who answered."""
    assert len(scene.server.relay.calls) == 1
    for one, other in ((a, b), (b, a)):
        hold(one, other)
        resume(one, other)
    hang_up(b, a)
    assert not scene.server.relay.calls


def test_busy(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", forward_busy="6003")
    a = called(alice, bob.aor)
    refuses(*at(bob), 486)
    alice << "181 INVITE"
    c, arrived = at(carol)
    assert ADDRESS in arrived.body.decode()
    carol >> c.answer(arrived, 200, c.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    assert ADDRESS in answer.body.decode()
    a.learn(answer)
    alice >> a.ack(answer)
    carol << "ACK"
    talk_behind_it(scene, a, c)


def test_early_media_of_the_first_and_the_answer_of_another(scene: Scene) -> None:
    alice, bob, carol = phones(scene, "6001", "6002", "6003")
    has_set(scene, "6002", find_me="&6003")
    a = called(alice, bob.aor)
    b, first = at(bob)
    c, second = at(carol)
    bob >> b.answer(first, 183, b.sdp())
    heard = alice << "183 INVITE a=sendrecv"
    rings(c, second)
    alice << "180 INVITE"
    carol >> c.answer(second, 200, c.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    assert heard.to.tag != answer.to.tag
    assert ADDRESS in heard.body.decode() and ADDRESS in answer.body.decode()
    cancelled(b, first, 200)
    a.learn(answer)
    alice >> a.ack(answer)
    carol << "ACK"
    talk_behind_it(scene, a, c)
