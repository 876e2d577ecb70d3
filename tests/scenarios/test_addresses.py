"""Several addresses of the server: each phone is told the one that it is reached from."""

from __future__ import annotations

from dataclasses import replace

from b2bua.sip.flow import own_uri
from tests.scenarios.scene import Scene, hang_up, hold, invite, resume
from tests.scenarios.virtual_network import VirtualSocket


def test_contact_on_each_leg_names_the_address_that_its_phone_knows(scene: Scene) -> None:
    """CM's Contact has Session Manager's address towards that peer."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    manager = scene.server.session_manager
    way = manager._parts.location.bindings("6002")[0].flow(manager._parts.flows)
    assert way is not None and manager._proxy._uri_towards("6002", "token") == own_uri(way, "token", False)
    told = way.local
    other = ("192.0.2.77", 5060)
    second = scene.server._listen(VirtualSocket(scene.network, other, scene.server.recorder))
    moved = [replace(binding, listener=second.name) for binding in scene.server.location.bindings("6002")]
    scene.server.location.replace("6002", moved)
    bob.server = other
    a, b, arrived = invite(alice, bob)
    contact = arrived.contact().parsed_uri()
    assert (contact.host, contact.port) == other
    assert b"IN IP4 192.0.2.77" in arrived.body.split(b"\r\n")[1]
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    contact = answer.contact().parsed_uri()
    assert (contact.host, contact.port) == told
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hold(b, a)  # the callee's own requests find back by that address
    resume(b, a)
    hang_up(b, a)


def test_phone_that_is_not_registered_is_told_the_callers_address(scene: Scene) -> None:
    assert scene.server.session_manager._proxy._uri_towards("6009", "token") == ""
