"""Phones behind NAT are asked with OPTIONS; one that has stopped answering is not called."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from tests.scenarios.scene import MakeScene, Scene, called, invite, register_again
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone, response
from tests.scenarios.test_reachability import behind_nat


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(keep_alive=30.0, tcp=True)


def asked(phone: ScriptPhone, status: int | None = 200) -> Request:
    """The OPTIONS that comes next, and the phone's answer (None: none)."""
    request = phone << "OPTIONS"
    assert isinstance(request, Request)
    if status is not None:
        phone >> response(request, status, "here")
    return request


def silent(scene: Scene, phone: ScriptPhone, seconds: float) -> None:
    """The phone answers nothing for so long."""
    scene.advance(seconds)
    phone.inbox.clear()


def unregister(phone: ScriptPhone, cseq: int) -> None:
    phone >> register_text(phone, cseq, expires=0)
    challenge = phone << "401 REGISTER"
    phone >> register_text(phone, cseq + 1, phone.credentials(challenge, "REGISTER", "sip:example.com"), expires=0)
    phone << "200 REGISTER"


def test_a_phone_behind_nat_is_asked_every_thirty_seconds(scene: Scene) -> None:
    """At the address it was heard from, with its Contact as Request-URI; any answer will do."""
    bob = behind_nat(scene, "6002", 40002)
    scene.wait(bob, 30)
    first = asked(bob)
    assert first.uri == "sip:6002@10.0.0.5:5060" and first.get("To") == "<sip:6002@example.com>"
    assert first.get("From").startswith("<sip:example.com>;tag=") and first.get("Contact") == "<sip:192.0.2.1:5060>"
    scene.advance(29)
    bob.hears_nothing()
    scene.advance(1.2)
    second = asked(bob, 405)
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    unregister(bob, 3)
    scene.advance(60)
    bob.hears_nothing()


def test_a_phone_in_the_open_is_not_asked(scene: Scene) -> None:
    bob = scene.phone("6002")
    scene.advance(100)
    bob.hears_nothing()


def test_a_phone_that_stops_answering_is_not_called(scene: Scene) -> None:
    """Three questions in a row, 32 s each; its binding stays, and when it answers again it is called again."""
    alice, bob = scene.phone("6001"), behind_nat(scene, "6002", 40002)
    scene.wait(bob, 30)
    asked(bob)
    silent(scene, bob, 30 + 3 * 32)
    assert scene.server.reports == []
    silent(scene, bob, 2)
    assert scene.server.reports == ["contact_silent user=6002 peer=192.0.2.50:40002"]
    a = called(alice, bob.aor)
    alice >> a.ack(alice << "480 INVITE")
    assert len(scene.server.location.bindings("6002")) == 1
    scene.wait(bob, 40)
    asked(bob)
    assert scene.server.reports[1:] == ["contact_answers user=6002 peer=192.0.2.50:40002"]
    a, b, arrived = invite(alice, bob)
    bob.repeated.clear()
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    unregister(bob, 3)


def test_registering_brings_it_back(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), behind_nat(scene, "6002", 40002)
    scene.wait(bob, 30)
    asked(bob)
    silent(scene, bob, 150)
    register_again(bob, 3)
    bob.inbox.clear()
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    unregister(bob, 5)
    bob.inbox.clear()


def test_a_phone_that_never_answers_options_is_called_all_the_same(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), behind_nat(scene, "6002", 40002)
    silent(scene, bob, 300)
    assert scene.server.reports == []
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 486)
    bob << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    unregister(bob, 3)
    bob.inbox.clear()


def test_the_other_device_rings(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002"), behind_nat(scene, "6002", 40002)
    scene.wait(mobile, 30)
    asked(mobile)
    silent(scene, mobile, 150)
    a, b, arrived = invite(alice, desk)
    desk >> b.answer(arrived, 486)
    desk << "ACK"
    alice >> a.ack(alice << "486 INVITE")
    unregister(mobile, 3)
    mobile.inbox.clear()


def test_over_a_connection(scene: Scene) -> None:
    """A phone behind NAT on TCP is asked on its connection; once that is gone it is asked nothing."""
    bob = scene.tcp_phone("6002", listening=False)
    bob.contact, bob.listening = "<sip:6002@10.0.0.5:5060;transport=tcp>", ("10.0.0.5", 5060)
    register_again(bob, 3)
    scene.wait(bob, 30)
    assert asked(bob).get("Contact") == "<sip:192.0.2.1:5080;transport=tcp>"
    scene.network.detach(bob.address)
    scene.server.tcp.cut(bob.address)
    scene.advance(100)
    bob.hears_nothing()
    scene.server.location.replace("6002", ())


def test_a_new_hole_in_the_nat_is_used_at_once(scene: Scene) -> None:
    """In a call, too: the phone has registered from another port since (RFC 5626 §3.3 calls it flow recovery)."""
    alice, bob = scene.phone("6001"), behind_nat(scene, "6002", 40002)
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    scene.network.detach(bob.address)
    bob.connect_from(40010)
    register_again(bob, 3)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bob >> b.answer(bob << "BYE", 200)
    assert isinstance(b, ScriptCall)
    scene.server.location.replace("6002", ())
