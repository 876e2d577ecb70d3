"""Phones that say which instance they are (RFC 5626 §7): one of their contacts is asked at a time, however many they have."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import MakeScene, Scene, answered, called, hang_up, hold, register, register_again, resume
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone, response
from tests.scenarios.server_under_test import STREAM_SERVERS
from tests.scenarios.test_path import INNER, PATH, Edge
from tests.scenarios.test_streams import cut

DESK = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'
SOFT = ';+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(tcp=True)


def at(scene: Scene, port: int, instance: str, reg_id: int = 0) -> ScriptPhone:
    """A contact of 6002 by UDP: its phone from this port, or one of its flows."""
    phone = ScriptPhone(scene.network, "6002", ("192.0.2.12", port), f"6002:{port}")
    phone.contact += instance + (f";reg-id={reg_id}" if reg_id else "")
    scene.phones.append(phone)
    register(phone)
    return phone


def flow(scene: Scene, port: int, reg_id: int) -> ScriptPhone:
    """A flow of 6002 by TCP, whose Contact takes no connection."""
    address = ("192.0.2.12", 5060)
    phone = ScriptPhone(scene.network, "6002", address, f"6002:{port}", STREAM_SERVERS["tcp"], "TCP")
    scene.network.detach(address)
    phone.connect_from(port)
    phone.contact = f"<sip:6002@192.0.2.12:{port};transport=tcp>{DESK};reg-id={reg_id}"
    scene.phones.append(phone)
    register(phone)
    return phone


def refused(phone: ScriptPhone, invite: Message, status: int) -> None:
    phone >> response(invite, status, "r")
    phone << "ACK"


@pytest.mark.parametrize("reg_id", [1, 0], ids=["two flows", "started anew"])
def test_the_newest_contact_of_an_instance_alone(scene: Scene, reg_id: int) -> None:
    """Its second flow, or what it was reached at before it started anew with another port, hears nothing; so its answer is the
    caller's at once, also when there is nobody at the old one."""
    alice = scene.phone("6001")
    old, new = at(scene, 5060, DESK, reg_id), at(scene, 5062, DESK, 2 * reg_id)
    a = called(alice, new.aor)
    refused(new, new << "INVITE", 486)
    alice >> a.ack(alice << "486 INVITE")
    old.hears_nothing()
    register_again(old, 3)
    a = called(alice, old.aor)
    answered(a, b := ScriptCall.of(old, arrived := old << "INVITE"), arrived)
    hang_up(a, b)


def test_two_instances_ring_both(scene: Scene) -> None:
    """A fork is of phones; one that names no instance is one of its own."""
    alice = scene.phone("6001")
    phones = [at(scene, 5060, DESK), at(scene, 5062, SOFT), at(scene, 5064, ""), at(scene, 5066, "")]
    a = called(alice, phones[0].aor)
    for phone in phones:
        refused(phone, phone << "INVITE", 486)
    alice >> a.ack(alice << "486 INVITE")


def test_a_flow_that_is_gone_is_not_taken(scene: Scene) -> None:
    """Its connection broke: the other flow of that phone is asked, though it is the older one."""
    alice = scene.phone("6001")
    first, second = flow(scene, 49152, 1), flow(scene, 49153, 2)
    cut(scene, second)
    a = called(alice, first.aor)
    refused(first, first << "INVITE", 486)
    alice >> a.ack(alice << "486 INVITE")


def test_a_flow_that_had_died_unnoticed(scene: Scene) -> None:
    """Nobody told us: it shows when it is written to, and the other flow is asked. Where that has died, too, nobody is."""
    alice = scene.phone("6001")
    first, second = flow(scene, 49152, 1), flow(scene, 49153, 2)
    scene.network.detach(second.address)
    a = called(alice, first.aor)
    answered(a, b := ScriptCall.of(first, arrived := first << "INVITE"), arrived)
    hang_up(a, b)
    scene.network.detach(first.address)
    a = called(alice, first.aor)
    alice >> a.ack(alice << "500 INVITE")


def test_a_flow_that_has_failed_behind_an_edge(scene: Scene) -> None:
    """The proxy before the phone says 430: the phone's other flow is asked (RFC 5626 §7). Whatever else it says of the phone
    is the phone's answer."""
    alice = scene.phone("6001")
    other = at(scene, 5064, DESK, 2)
    edge = Edge(scene)
    edge.contact += f"{DESK};reg-id=1"
    edge.register(PATH.replace(";lr", ";lr;ob"), INNER)
    a = called(alice, edge.aor)
    refused(edge, edge << "INVITE", 430)
    answered(a, b := ScriptCall.of(other, arrived := other << "INVITE"), arrived)
    hang_up(a, b)
    a = called(alice, edge.aor)
    refused(edge, edge << "INVITE", 486)
    alice >> a.ack(alice << "486 INVITE")


def test_two_flows_through_one_edge(scene: Scene) -> None:
    """By their Paths the edge knows one from the other; when both have failed the phone cannot be reached."""
    alice, edge = scene.phone("6001"), Edge(scene)
    paths = ["<sip:one@192.0.2.60:5070;lr;ob>", "<sip:two@192.0.2.60:5070;lr;ob>"]
    contact = edge.contact
    for number, path in enumerate(paths, 1):
        edge.contact = f"{contact}{DESK};reg-id={number}"
        edge.register(path, cseq=2 * number)
    a = called(alice, edge.aor)
    for path in reversed(paths):
        arrived = edge << "INVITE"
        assert arrived.elements("Route") == [path]
        refused(edge, arrived, 430)
    alice >> a.ack(alice << "480 INVITE")


def test_no_endpoint_hears_of_a_flow(scene: Scene) -> None:
    """The phone has no other flow: it cannot be reached, and 430 is between proxies (RFC 5626 §11.5)."""
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH)
    a = called(alice, edge.aor)
    refused(edge, edge << "INVITE", 430)
    alice >> a.ack(alice << "480 INVITE")


def test_a_call_stays_on_its_flow(scene: Scene) -> None:
    """The token in the Route names it, and it stands: the same Contact by another flow, which has registered since, is not in
    this dialog (RFC 5626 §5.3.1). When it is gone that is the way."""
    alice = scene.phone("6001")
    flows = [flow(scene, 49152, 1), flow(scene, 49153, 2)]
    for number, phone in enumerate(flows, 1):
        phone.contact = f"<sip:6002@phone.invalid;transport=tcp>{DESK};reg-id={number}"
        register_again(phone, 3)
    first, second = flows
    a = called(alice, first.aor)
    answered(a, b := ScriptCall.of(second, arrived := second << "INVITE"), arrived)
    register_again(first, 5)
    hold(a, b)
    cut(scene, second)
    b.phone = first
    resume(a, b)
    hang_up(a, b)
