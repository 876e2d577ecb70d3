"""Clauses of the checklist (tests/CHECKLIST.md) that belong to no other scenario."""

from __future__ import annotations

import re

from b2bua.sip.message import Request
from tests.scenarios.scene import MakeScene, Scene, answered, hang_up, hold, invite, resume, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import response


def test_unknown_method_reaches_the_user(scene: Scene) -> None:
    """A proxy knows no methods (RFC 3261 §16.1): what nobody has heard of is challenged and goes to the phone."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.request("FROBNICATE", "", "Subject: tea")
    challenge = alice << "407 FROBNICATE"
    alice >> a.request("FROBNICATE", "", "Subject: tea", alice.credentials(challenge, "FROBNICATE", bob.aor))
    arrived = bob << "FROBNICATE"
    assert arrived.get("Subject") == "tea" and not arrived.has("Proxy-Authorization")
    bob >> response(arrived, 299, "b")
    alice << "299 FROBNICATE"


def test_the_order_of_the_proxys_checks(make_scene: MakeScene) -> None:
    """RFC 3261 §16.3: what is wrong with a request is told in this order, one after the other as it is put right. A loop is
    told last: what has no credentials is challenged and goes nowhere, so that there is none."""
    scene = make_scene(challenge={"MESSAGE": "407"})
    alice, desk, proxy = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = ScriptCall(alice, desk.aor)
    alice >> a.request("MESSAGE")
    challenge = alice << "407 MESSAGE"
    alice >> a.request("MESSAGE", "", alice.credentials(challenge, "MESSAGE", desk.aor))
    desk >> response(desk << "MESSAGE", 486, "d")
    arrived = proxy << "MESSAGE"
    assert isinstance(arrived, Request)
    faults = [
        ("Max-Forwards: 68", "Max-Forwards: 68\r\nMax-Forwards: 68", 400),
        ("MESSAGE sip:6002@example.com SIP/2.0", "MESSAGE tel:6002 SIP/2.0", 416),
        ("Max-Forwards: 68", "Max-Forwards: 0", 483),
        ("Subject: none", "Proxy-Require: foo", 420),
    ]
    lines = [faults[1][0], proxy.via(""), *arrived.lines, faults[3][0]]
    good = "\r\n".join(line.replace("Max-Forwards: 67", "Max-Forwards: 68") for line in lines) + "\r\n\r\n"
    for count in range(len(faults) + 1):
        bent = _fresh(good, count)
        for well, ill, _ in faults[count:]:
            assert well in bent, bent
            bent = bent.replace(well, ill)
        proxy >> bent
        proxy << f"{faults[count][2] if count < len(faults) else 407} MESSAGE"
    proxy >> response(arrived, 482, "p")
    alice << "486 MESSAGE"


def _fresh(text: str, number: int) -> str:
    return text.replace("branch=;", f"branch=z9hG4bK-order-{number};", 1)


def test_every_record_route_is_loose(make_scene: MakeScene) -> None:
    """RFC 3261 §16.6 step 4; in a call between two transports there are the most of them."""
    scene = make_scene(tcp=True)
    alice, bob = scene.phone("6001"), scene.tcp_phone("6002")
    a, b = talk(alice, bob)
    hold(a, b)
    hang_up(a, b)
    routes = [
        route
        for step in scene.network.ladder
        if step.message is not None
        for route in step.message.elements("Record-Route")
    ]
    assert len(routes) > 10
    assert [route for route in routes if not re.search(r";lr(>|;)", route)] == []


def test_a_phones_version_may_jump(scene: Scene) -> None:
    """RFC 3264 §8 counts by one; a phone that counts otherwise is understood, and the other phone hears of one step."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    a.version += 40
    hold(a, b)
    a.version += 1000
    resume(a, b)
    offers = [
        step.message.body.decode().split("\r\n")[1].split()[2]
        for step in scene.network.ladder
        if isinstance(step.message, Request) and (step.destination, step.message.method) == ("6002", "INVITE")
    ]
    first = int(offers[0])
    assert [int(version) - first for version in offers] == [0, 1, 2]
    hang_up(a, b)


def test_a_connection_that_nobody_registered_on_is_not_used_for_calls(make_scene: MakeScene) -> None:
    """RFC 5923 §4: who is at the phone's host, and connected from another port, has shown nothing by that; the call goes to
    the connection on which the phone registered."""
    scene = make_scene(tcp=True)
    alice, bob = scene.phone("6001"), scene.tcp_phone("6002")
    registered = bob.address
    bob.connect_from(49999)
    bob >> ScriptCall(bob, "sip:example.com").request("OPTIONS")
    bob << "200 OPTIONS"
    a, b, arrived = invite(alice, bob)
    step = next(
        step for step in scene.network.ladder if isinstance(step.message, Request) and step.message is not None
        and step.destination == "6002" and step.message.method == "INVITE"
    )  # fmt: skip
    assert scene.network.name(registered) == step.destination
    answered(a, b, arrived)
    hang_up(a, b)
