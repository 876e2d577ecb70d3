"""Whoever hears elsewhere than it writes from: what is for it goes to its Contact, or along its route (RFC 3261 §12.2.1.1)."""

from __future__ import annotations

import re

import pytest

from tests.scenarios.events import ask
from tests.scenarios.options import DOMAIN
from tests.scenarios.scene import Scene, hang_up, hold, register, renderings, resume, subscribe_text, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.test_reachability import behind_nat

AOR = f"sip:6002@{DOMAIN}"
EDGE = "<sip:192.0.2.60:5070;lr>"


def two_ports(scene: Scene, user: str) -> ScriptPhone:
    """A phone that writes from another port each time it starts, and hears at 5060 alone: it does not ask for answers where it
    writes from (no rport), and its answers go where its Via says (RFC 3261 §18.2.2)."""
    phone = ScriptPhone(scene.network, user, (f"192.0.2.{int(user) - 5950}", 5060))
    phone.address = (phone.address[0], 49152)
    setattr(phone, "via", lambda branch: f"Via: SIP/2.0/UDP {phone.listening[0]}:5060;branch={branch}")  # noqa: B010 - typed
    scene.phones.append(phone)
    register(phone)
    return phone


def test_a_call_to_a_phone_with_two_ports(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), two_ports(scene, "6002")
    a, b = talk(alice, bob)
    hold(a, b)
    resume(a, b)
    hold(b, a)
    hang_up(a, b)


def test_a_call_of_a_phone_with_two_ports(scene: Scene) -> None:
    alice, bob = two_ports(scene, "6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(b, a)
    resume(b, a)
    hold(a, b)
    hang_up(b, a)


def test_a_lamp_of_a_phone_with_two_ports(scene: Scene) -> None:
    alice, bob = two_ports(scene, "6001"), scene.phone("6002")
    watch(alice, bob)
    a, b = talk(alice, bob)
    scene.advance(1.1)
    hold(a, b)
    scene.advance(1.1)
    assert renderings(alice) == ("", "no")
    hang_up(a, b)


def without_contact(request: str) -> str:
    return re.sub("Contact: .*\r\n", "", request)


def test_notify_goes_to_the_contact(scene: Scene) -> None:
    """A watcher in the open hears where its Contact says, and after a refresh where that one's says; one that says
    nothing of it leaves the target as it is."""
    alice = scene.phone("6001")
    ears = [ScriptPhone(scene.network, "6001", ("192.0.2.71", port), f"ear{port}") for port in (5090, 5092)]
    scene.phones += ears
    alice.contact = ears[0].contact
    answer, call = ask(alice, "dialog", AOR)
    call.learn(answer)
    alice.contact = ears[1].contact
    ask(alice, "dialog", AOR, dialog=call)
    alice >> without_contact(subscribe_text(alice, AOR, dialog=call, expires=0))
    authorization = alice.credentials(alice << "401 SUBSCRIBE", "SUBSCRIBE", call.target)
    alice >> without_contact(subscribe_text(alice, AOR, authorization, dialog=call, expires=0))
    alice << "200 SUBSCRIBE"
    states = [[notify.get("Subscription-State") for notify in phone.notified] for phone in (alice, *ears)]
    assert states == [[], ["active;expires=600"], ["active;expires=600", "terminated;reason=timeout"]]


def test_notify_goes_along_the_route(scene: Scene) -> None:
    """The proxy that record-routed is the next hop, wherever the Contact leads, on a refresh without its Record-Route, too."""
    alice, edge = scene.phone("6001"), ScriptPhone(scene.network, "6001", ("192.0.2.60", 5070), "edge")
    scene.phones.append(edge)
    call = ScriptCall(alice, AOR)
    answer, _ = ask(alice, "dialog", AOR, f"Record-Route: {EDGE}", dialog=call)
    call.learn(answer)
    ask(alice, "dialog", AOR, dialog=call, expires=0)
    assert [notify.elements("Route") for notify in edge.notified] == [[EDGE], [EDGE]]
    assert not alice.notified


def test_a_watcher_behind_nat(scene: Scene) -> None:
    """Its Contact is no way to it: it hears where it writes from, as its registration does."""
    alice = behind_nat(scene, "6001", 40001)
    watch(alice, scene.phone("6002"))
    assert len(alice.notified) == 1


@pytest.mark.parametrize("status", [200, 403])
def test_the_record_route_of_a_subscribe_comes_back(scene: Scene, status: int) -> None:
    """RFC 3261 §12.1.1: in the answer that makes the dialog, in its order; else the watcher refreshes past its proxies."""
    alice, edge = scene.phone("6001"), ScriptPhone(scene.network, "6001", ("192.0.2.60", 5070), "edge")
    scene.phones.append(edge)
    routes = [EDGE, "<sip:192.0.2.61;lr>"]
    event = "dialog" if status == 200 else "message-summary"  # one's own alone
    answer, _ = ask(alice, event, AOR, f"Record-Route: {routes[0]}", f"Record-Route: {routes[1]}")
    assert (answer.status, answer.elements("Record-Route")) == (status, routes if status == 200 else [])
