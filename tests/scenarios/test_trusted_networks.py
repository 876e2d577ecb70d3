"""A gateway in a trusted network: not challenged, and believed; everybody else as ever (RFC 3325)."""

from __future__ import annotations

import pytest

from b2bua.session_manager.entities import Entity
from b2bua.sip.flow import HostPort
from b2bua.sip.uri import parse_uri
from tests.scenarios.scene import MakeScene, Scene, answered, hang_up, hold, register, subscribe_text
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

NETWORK = ("10.0.0.0/24", "192.0.2.80/32")
INSIDE: HostPort = ("10.0.0.80", 5060)
OUTSIDE: HostPort = ("10.0.1.80", 5060)
ALICE = "P-Asserted-Identity: <sip:6001@example.com>"


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(trusted=NETWORK)


def gateway(scene: Scene, address: HostPort = INSIDE, user: str = "gateway") -> ScriptPhone:
    made = ScriptPhone(scene.network, user, address)
    made.aor = "sip:0170@example.net"
    scene.phones.append(made)
    return made


def call_in(gate: ScriptPhone, phone: ScriptPhone, *lines: str) -> tuple[ScriptCall, ScriptCall]:
    a = ScriptCall(gate, phone.aor)
    gate >> a.invite(a.sdp(), *lines)
    arrived = phone << "INVITE"
    b = ScriptCall.of(phone, arrived)
    answered(a, b, arrived)
    return a, b


def test_a_call_in_with_hold_from_both_ends(scene: Scene) -> None:
    gate, bob = gateway(scene), scene.phone("6002")
    a, b = call_in(gate, bob)
    gate >> a.offer("sendonly")  # not challenged either
    bob >> b.answer(bob << "INVITE a=sendonly", 200, b.sdp("recvonly"))
    bob << "ACK"
    gate >> a.ack(gate << "200 INVITE a=recvonly")
    gate >> a.offer("sendrecv")
    bob >> b.answer(bob << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    bob << "ACK"
    gate >> a.ack(gate << "200 INVITE a=sendrecv")
    hold(b, a)  # the phone's own is
    hang_up(a, b)


@pytest.mark.parametrize("asserted", ["<sip:0170@example.net>", '"Alice" <sip:6001@example.com>'])
def test_what_it_asserts_is_believed_once(scene: Scene, asserted: str) -> None:
    gate, bob = gateway(scene), scene.phone("6002")
    a = ScriptCall(gate, bob.aor)
    gate >> a.invite(a.sdp(), f"P-Asserted-Identity: {asserted}")
    arrived = bob << "INVITE"
    assert arrived.get_all("P-Asserted-Identity") == [asserted]
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    gate >> a.ack(gate << "486 INVITE")


def test_where_it_asserts_nothing_its_from_is_believed(scene: Scene) -> None:
    gate, bob = gateway(scene), scene.phone("6002")
    gate.aor = "sip:6001@example.com"
    a, b = call_in(gate, bob)
    [invite] = [step.message for step in scene.network.ladder
                if step.destination == "6002" and step.message is not None and step.message.cseq_method == "INVITE"
                and str(step.message).startswith("INVITE")]  # fmt: skip
    assert invite.get("P-Asserted-Identity") == "<sip:6001@example.com>"
    hang_up(a, b)


def test_an_identity_that_is_to_stay_here_reaches_no_phone(scene: Scene) -> None:
    gate, bob = gateway(scene), scene.phone("6002")
    a = ScriptCall(gate, bob.aor)
    gate >> a.invite(a.sdp(), ALICE, "Privacy: id")
    arrived = bob << "INVITE"
    assert not arrived.has("P-Asserted-Identity")
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    gate >> a.ack(gate << "486 INVITE")


@pytest.mark.parametrize("address", [OUTSIDE, ("192.0.2.80", 5060)])
def test_anybody_else_is_challenged(scene: Scene, address: HostPort) -> None:
    """Outside; or over UDP from a network that is not private."""
    stranger = gateway(scene, address)
    a = ScriptCall(stranger, "sip:6002@example.com")
    stranger >> a.invite(a.sdp(), ALICE)
    stranger >> a.ack(stranger << "407 INVITE")


def test_over_tcp_the_address_is_proven(make_scene: MakeScene) -> None:
    scene = make_scene(trusted=NETWORK, tcp=True)
    bob = scene.phone("6002")
    gate = ScriptPhone(scene.network, "gateway", ("192.0.2.80", 5060), server=("192.0.2.1", 5080), transport="TCP")
    gate.aor = "sip:0170@example.net"
    gate.connect_from(49152)
    scene.phones.append(gate)
    a, b = call_in(gate, bob)
    hang_up(a, b)


def test_register_is_the_phones_own(scene: Scene) -> None:
    """Challenged from anywhere: a proxy in front passes the challenge on."""
    gate = gateway(scene, user="6003")
    gate.aor = "sip:6003@example.com"
    gate >> register_text(gate, 1, ALICE)
    gate << "401 REGISTER"
    register(gate)


def test_it_watches_for_its_users(scene: Scene) -> None:
    gate = gateway(scene)
    call = ScriptCall(gate, "sip:6002@example.com")
    for expires in (600, 0):
        gate >> subscribe_text(gate, "sip:6002@example.com", ALICE, dialog=call, expires=expires)
        call.learn(gate << "200 SUBSCRIBE")
    assert len(gate.notified) == 2


def test_it_publishes_for_the_user_it_asserts_alone(scene: Scene) -> None:
    gate = gateway(scene)
    event = ("Event: dialog", "Expires: 60")
    for line, target, status in (
        (ALICE, "sip:6001@example.com", 400),  # without a document: it came as far as the compositor
        (ALICE, "sip:6002@example.com", 403),
        ("Subject: nobody", "sip:6001@example.com", 403),
    ):
        gate >> ScriptCall(gate, target).request("PUBLISH", "", *event, line)
        gate << f"{status} PUBLISH"


def test_out_go_its_users_and_nobody_else(make_scene: MakeScene) -> None:
    carrier = Entity("carrier", parse_uri("sip:192.0.2.90"), (("192.0.2.90", 5060),), numbers=("0",))
    scene = make_scene(trusted=NETWORK, entities=(carrier,))
    gate, trunk = gateway(scene), gateway(scene, ("192.0.2.90", 5060), "carrier")
    a = ScriptCall(gate, "sip:0171@example.com")
    gate >> a.invite(a.sdp())
    gate >> a.ack(gate << "403 INVITE")
    a = ScriptCall(gate, "sip:0171@example.com")
    gate >> a.invite(a.sdp(), ALICE)
    arrived = trunk << "INVITE"
    b = ScriptCall.of(trunk, arrived)
    assert not arrived.has("P-Asserted-Identity")  # this trunk is not trusted
    answered(a, b, arrived)
    hang_up(b, a)


def test_an_entity_in_a_trusted_network_has_its_own_rules(make_scene: MakeScene) -> None:
    carrier = Entity("carrier", parse_uri("sip:10.0.0.80"), (INSIDE,), numbers=("0",))
    scene = make_scene(trusted=NETWORK, entities=(carrier,))
    gate, bob = gateway(scene), scene.phone("6002")
    a = ScriptCall(gate, bob.aor)
    gate >> a.invite(a.sdp(), ALICE)
    arrived = bob << "INVITE"
    assert not arrived.has("P-Asserted-Identity")
    bob >> ScriptCall.of(bob, arrived).answer(arrived, 486)
    bob << "ACK"
    gate >> a.ack(gate << "486 INVITE")
    gate >> ScriptCall(gate, bob.aor).request("REFER", "", ALICE)
    gate << "407 REFER"
