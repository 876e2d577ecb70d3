"""A call is set up or given up: RFC 3261 §13 and §9."""

from __future__ import annotations

import re

import pytest

from b2bua.sip import sdp
from b2bua.sip.address import parse_address
from b2bua.sip.message import Message, Request
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    answered,
    called,
    hang_up,
    invite,
    is_gone,
    send_offer,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.virtual_network import BRIDGE, FEATURE_SERVER
from tests.sip.origin import without_origin

# ---- answered


def test_call_that_is_answered_and_ended_by_the_caller(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(a, b)


def test_call_that_the_callee_ends(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hang_up(b, a)


def test_100_comes_first_and_is_never_forwarded(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor)
    trying = alice << "100 INVITE"
    assert not trying.to.tag
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 100)
    assert not alice.inbox
    for status in (180, 181, 182, 183):
        bob >> b.answer(arrived, status, b.sdp() if status == 183 else "")
        progress = alice << f"{status} INVITE"
        assert progress.to.tag and progress.has("Contact") and progress.has("Record-Route")
        assert bool(progress.body) is (status == 183)
    answered(a, b, arrived)
    hang_up(a, b)


def test_what_the_callee_sees_of_the_caller(scene: Scene) -> None:
    """A B2BUA: own Call-ID, tag, CSeq and o= line; hops counted; the address of Session Manager and no other of ours."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, "Subject: hello", "X-Unknown: kept")
    assert isinstance(arrived, Request)
    assert arrived.uri == "sip:6002@192.0.2.12:5060"
    assert arrived.call_id != a.call_id and arrived.from_.tag != a.tag
    assert arrived.from_.uri == alice.aor and arrived.to.uri == bob.aor
    assert arrived.get("Max-Forwards") == "67"
    assert arrived.get("Subject") == "hello" and arrived.get("X-Unknown") == "kept"
    contact = arrived.contact()
    assert contact is not None and contact.uri.endswith("@192.0.2.1:5060;fs=cm")
    ours = {"memory": [], "udp": ["<sip:192.0.2.1:5070;lr>"], "tcp": ["<sip:192.0.2.1:5070;transport=tcp;lr>"]}
    assert arrived.elements("Record-Route")[1:] == ours[scene.server.options.link] and not arrived.has("Route")
    assert sdp.parse_origin(arrived.body).address == "IN IP4 192.0.2.1"
    assert without_origin(arrived.body) == without_origin(a.sdp().encode())
    assert arrived.get("P-Asserted-Identity") == "<sip:6001@example.com>"
    assert len(arrived.elements("Via")) == 2
    answered(a, b, arrived)
    hang_up(a, b)


def tells_only(message: Message, host: str, port: int, media: str = "IN IP4 192.0.2.200") -> None:
    """Whatever leads back to us, or says who made the description, has this address of ours and no other."""
    if isinstance(message, Request):
        assert (message.top_via.host, message.top_via.port) == (host, port)
    contact = message.contact()
    assert contact is not None
    route = parse_address(message.elements("Record-Route")[0 if isinstance(message, Request) else -1])
    for address in (contact, route):
        uri = address.parsed_uri()
        assert (uri.host, uri.port) == (host, port), message
    assert sdp.parse_origin(message.body).address == f"IN IP4 {host}"
    assert f"c={media}" in message.body.decode().splitlines()


@pytest.mark.bug("livekit/sip 515")
@pytest.mark.bug("docker-freepbx 114")
@pytest.mark.parametrize("over_tcp", [False, True])
def test_no_bridge_address_of_a_container_is_told(make_scene: MakeScene, over_tcp: bool) -> None:
    """docker-freepbx 114, livekit/sip 515. The server is bound to an address that no phone reaches: on both legs Contact,
    Record-Route, Via and SDP have the one that it advertises, in the INVITE, its 200, and re-INVITEs of either side."""
    scene = make_scene(bridged=True, tcp=True)
    alice = scene.phone("6001")
    bob = scene.tcp_phone("6002") if over_tcp else scene.phone("6002")
    watch(alice, alice)
    a, b, arrived = invite(alice, bob)
    tells_only(arrived, *bob.server)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE a=sendrecv"
    tells_only(answer, *alice.server)
    a.learn(answer)
    alice >> a.ack(answer)
    for call, far in ((a, b), (b, a)):
        for direction, back in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            arrived = pending(call, far, direction)
            tells_only(arrived, *far.phone.server)
            far.phone >> far.answer(arrived, 200, far.sdp(back))
            far.phone << "ACK"
            answer = call.phone << f"200 INVITE a={back}"
            tells_only(answer, *call.phone.server)
            call.phone >> call.ack(answer)
    hang_up(a, b)
    scene.advance(1.1)
    heard = [step.message for step in scene.network.ladder if step.destination in ("6001", "6002") and step.message is not None]
    assert len(heard) > 30 and [message for message in heard if BRIDGE.encode() in message.encode()] == []
    inner = [*(message.get("Contact") or "" for message in heard), *(message.body.decode() for message in heard)]
    assert [text for text in inner if re.search(rf"\b{re.escape(FEATURE_SERVER[0])}\b", text)] == []


def pending(call: ScriptCall, far: ScriptCall, direction: str) -> Message:
    """A re-INVITE up to the far phone."""
    send_offer(call, call.sdp(direction))
    return far.phone << f"INVITE a={direction}"


def test_asserted_identity_of_a_phone_is_worth_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, "P-Asserted-Identity: <sip:boss@example.com>", "P-Preferred-Identity: <sip:x@y>")
    assert arrived.get_all("P-Asserted-Identity") == ["<sip:6001@example.com>"]
    assert not arrived.has("P-Preferred-Identity")
    answered(a, b, arrived)
    hang_up(a, b)


def test_every_alias_of_the_domain_reaches_the_user(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for uri in ("sip:6002@192.0.2.1", "sip:6002@192.0.2.1:5060", "sip:6002@EXAMPLE.com", "sip:6002@example.com:5080"):
        a = called(alice, uri)
        arrived = bob << "INVITE"
        assert arrived.to.uri == uri
        b = ScriptCall.of(bob, arrived)
        answered(a, b, arrived)
        hang_up(a, b)


def test_offerless_invite_with_the_answer_in_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    assert not arrived.body
    bob >> b.answer(arrived, 200, b.sdp())
    offer = alice << "200 INVITE a=sendrecv"
    bob.hears_nothing()
    a.learn(offer)
    alice >> a.ack(offer, a.sdp())
    bob << "ACK a=sendrecv"
    hang_up(a, b)


def test_offerless_invite_answered_on_hold_in_the_ack(scene: Scene) -> None:
    """Who wants no media in the very first answer holds, also when that answer stands in the ACK."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    offer = alice << "200 INVITE a=sendrecv"
    a.learn(offer)
    alice >> a.ack(offer, a.sdp("sendonly"))
    bob << "ACK a=sendonly"
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 1}
    hang_up(a, b)


def test_offerless_invite_whose_ack_never_comes(scene: Scene) -> None:
    """After 64·T1 ACK and BYE to both."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    a.learn(alice << "200 INVITE")
    scene.wait(bob, TIMEOUT)
    bob << "ACK"
    is_gone(b)
    is_gone(a)


def test_offerless_invite_and_bye_instead_of_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    a.learn(alice << "200 INVITE")
    alice >> a.request("BYE")
    alice << "200 BYE"
    bob << "ACK"
    is_gone(b)


def test_ack_that_is_lost_ends_in_bye(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    a.learn(alice << "200 INVITE")
    scene.wait(alice, TIMEOUT)
    assert len(alice.repeated) > 5
    is_gone(a)
    is_gone(b)


def test_callee_repeats_its_2xx_until_it_has_the_ack(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    answer = b.answer(arrived, 200, b.sdp())
    bob >> answer
    bob << "ACK"
    reply = alice << "200 INVITE"
    a.learn(reply)
    alice >> a.ack(reply)
    scene.advance(0.5)
    bob >> answer
    bob << "ACK"
    alice.hears_nothing()
    hang_up(a, b)


# ---- cancelled


@pytest.mark.parametrize("ringing", [True, False])
def test_cancel(scene: Scene, ringing: bool) -> None:
    """200 to it and 487 to the INVITE at once; the callee hears of it as soon as it has said anything."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    if ringing:
        bob >> b.answer(arrived, 180)
        alice << "180 INVITE"
    alice >> a.cancel('Reason: SIP;cause=200;text="Call completed elsewhere"')
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    if not ringing:
        bob.hears_nothing()
        bob >> b.answer(arrived, 180)
    cancel = bob << "CANCEL"
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.top_via.branch == arrived.top_via.branch
    bob >> b.answer(cancel, 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice.hears_nothing()


def test_cancel_that_crosses_with_the_answer(scene: Scene) -> None:
    """RFC 5407 §3.1.2: the caller has its 487; the callee's 2xx is acknowledged and given back with BYE."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    cancel = bob << "CANCEL"
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    is_gone(b)
    bob >> b.answer(cancel, 481)
    alice.hears_nothing()


def test_cancel_after_the_answer_changes_nothing(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    alice >> a.cancel()
    answer = alice << "200 INVITE"
    alice << "200 CANCEL"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)


def test_bye_in_an_early_dialog(scene: Scene) -> None:
    """The caller may end an early dialog with BYE (RFC 3261 §15): 200, 487 to the INVITE, CANCEL to the callee."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    ringing = alice << "180 INVITE"
    first = a.again()
    a.learn(ringing)
    alice >> a.request("BYE")
    alice << "200 BYE"
    a._sent = first
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
