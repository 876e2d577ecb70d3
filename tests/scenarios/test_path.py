"""Phones behind a proxy that added a Path (RFC 3327): what is for them goes to its first hop, in the call too."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from tests.scenarios.scene import MakeScene, Scene, called, hang_up, hold, invite, register, resume
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone

EDGE = ("192.0.2.60", 5070)
CONTACT = "sip:6002@192.0.2.99:5060"
"""Where the phone itself is: nothing of ours may go there past the edge."""
PATH = f"<sip:t0ken@{EDGE[0]}:{EDGE[1]};lr>"
INNER = "<sip:192.0.2.98;lr;ob>"


class Edge(ScriptPhone):
    """An edge proxy and the phone behind it in one: the server sees only the proxy."""

    def __init__(self, scene: Scene, user: str = "6002") -> None:
        super().__init__(scene.network, user, EDGE, f"edge-{user}")
        self.contact = f"<{CONTACT}>"
        self.past = ScriptPhone(scene.network, user, ("192.0.2.99", 5060), f"past-{user}")
        scene.phones += [self, self.past]

    def register(self, *path: str, cseq: int = 1, expires: int = 3600) -> None:
        lines = [f"Path: {value}" for value in path]
        self >> register_text(self, cseq, *lines, expires=expires)
        challenge = self << "401 REGISTER"
        credentials = self.credentials(challenge, "REGISTER", "sip:example.com")
        self >> register_text(self, cseq + 1, credentials, *lines, expires=expires)
        answer = self << "200 REGISTER"
        assert answer.elements("Path") == list(path)


def talk_through(caller: ScriptPhone, edge: Edge, *record_route: str) -> tuple[ScriptCall, ScriptCall]:
    """A call to the phone behind the edge, which record-routes on top of us or does not."""
    a, b, arrived = invite(caller, edge)
    assert isinstance(arrived, Request)
    assert arrived.uri == CONTACT
    lines = [f"Record-Route: {value}" for value in record_route]
    answer = b.answer(arrived, 200, b.sdp())
    start, _, rest = answer.partition("\r\n")
    edge >> "\r\n".join([start, *lines, rest])
    answered = caller << "200 INVITE a=sendrecv"
    a.learn(answered)
    caller >> a.ack(answered)
    ack = edge << "ACK"
    assert ack.elements("Route") == list(record_route)
    return a, b


@pytest.mark.parametrize("record_route", [(), (PATH,)], ids=["edge drops out", "edge record-routes"])
def test_a_call_goes_through_the_path(scene: Scene, record_route: tuple[str, ...]) -> None:
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH, INNER)
    a, b = talk_through(alice, edge, *record_route)
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    hang_up(a, b)
    edge.past.hears_nothing()


def test_the_path_is_the_preloaded_route(scene: Scene) -> None:
    """In its order, on top; the CANCEL takes the same way (RFC 3261 §9.1)."""
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH, INNER)
    a, b, arrived = invite(alice, edge)
    assert arrived.elements("Route") == [PATH, INNER]
    edge >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    cancel = edge << "CANCEL"
    assert cancel.elements("Route") == [PATH, INNER]
    edge >> b.answer(cancel, 200)
    edge >> b.answer(arrived, 487)
    edge << "ACK"
    alice >> a.ack(alice << "487 INVITE")


@pytest.mark.parametrize("path", [PATH, "<sip:edge.example.com;lr>"], ids=["address", "name"])
def test_the_call_stays_on_its_way_when_the_registration_goes(scene: Scene, path: str) -> None:
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(path)
    a, b = talk_through(alice, edge)
    edge.register(path, cseq=3, expires=0)
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    edge.past.hears_nothing()
    c = called(alice, edge.aor)
    alice >> c.ack(alice << "480 INVITE")


def test_the_registration_without_the_path_is_direct_again(scene: Scene) -> None:
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH)
    edge.register(cseq=3)
    a = called(alice, edge.aor)
    arrived = edge.past << "INVITE"
    assert not arrived.has("Route")
    b = ScriptCall.of(edge.past, arrived)
    edge.past >> b.answer(arrived, 486)
    edge.past << "ACK"
    alice >> a.ack(alice << "486 INVITE")


def test_phone_to_phone_without_a_feature_server(make_scene: MakeScene) -> None:
    """Session Manager alone: the caller's Routes lead through ours to the edge that record-routed."""
    scene = make_scene(feature_server=False)
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH)
    a, b = talk_through(alice, edge, PATH)
    alice >> a.request("BYE")
    bye = edge << "BYE"
    assert bye.elements("Route") == [PATH]
    edge >> b.answer(bye, 200)
    alice << "200 BYE"
    edge.past.hears_nothing()


def test_a_message_goes_through_the_path(make_scene: MakeScene) -> None:
    scene = make_scene(challenge={"MESSAGE": "none"})
    alice, edge = scene.phone("6001"), Edge(scene)
    edge.register(PATH)
    a = ScriptCall(alice, edge.aor)
    alice >> a.request("MESSAGE")
    arrived = edge << "MESSAGE"
    assert arrived.elements("Route") == [PATH]
    edge >> ScriptCall(edge, alice.aor).answer(arrived, 200)
    alice << "200 MESSAGE"


def test_a_caller_behind_the_edge(scene: Scene) -> None:
    """Its INVITE brings the Record-Route of the edge: what comes back takes that way, not its Contact."""
    edge, bob = Edge(scene, "6001"), scene.phone("6003")
    edge.contact = "<sip:6001@192.0.2.99:5060>"
    register(edge)
    a = ScriptCall(edge, bob.aor)
    edge >> a.invite(a.sdp(), f"Record-Route: {PATH}")
    challenge = edge << "407 INVITE"
    edge >> a.ack(challenge)
    edge >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = edge << "200 INVITE"
    a.learn(answer)
    a.routes = a.routes[1:]  # the edge takes itself off before it sends on
    edge >> a.ack(answer)
    bob << "ACK"
    hold(b, a)
    resume(b, a)
    hang_up(b, a)
    edge.past.hears_nothing()
