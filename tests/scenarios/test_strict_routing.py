"""Peers of RFC 2543, which route strictly (RFC 3261 §16.4, §16.6 step 6): phones, and proxies between a phone and us."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message, Request, Response
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, invite, reinvite, resume, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

STRICT = "<sip:192.0.2.60:5070>"


class StrictCall(ScriptCall):
    """A dialog of a phone that puts the next hop into the Request-URI and the target behind all Routes."""

    @classmethod
    def of_call(cls, call: ScriptCall) -> StrictCall:
        strict = cls(call.phone, call.target)
        strict.__dict__.update(call.__dict__)
        return strict

    def request(self, method: str, body: str = "", *lines: str, cseq: int = 0, branch: str = "", target: str = "") -> str:
        first, *rest = self.routes
        loose, self.routes = self.routes, [*rest, f"<{self.target}>"]
        try:
            return super().request(method, body, *lines, cseq=cseq, branch=branch, target=first.strip("<>"))
        finally:
            self.routes = loose


@pytest.mark.parametrize("feature_server", [True, False])
def test_a_phone_that_routes_strictly(make_scene: MakeScene, feature_server: bool) -> None:
    """Its re-INVITEs, with their challenges, ACKs and BYE go where a loose router's go."""
    scene = make_scene(feature_server=feature_server)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    a, b = StrictCall.of_call(a), StrictCall.of_call(b)
    alice >> a.ack(answer)
    acknowledged = bob << "ACK"
    assert isinstance(acknowledged, Request) and acknowledged.uri == bob.contact.strip("<>")
    if feature_server:
        hold(a, b)
        resume(a, b)
        hold(b, a)
        hang_up(a, b)
        return
    alice >> a.request("BYE")
    bye = bob << "BYE"
    assert isinstance(bye, Request) and (bye.uri, bye.elements("Route")) == (bob.contact.strip("<>"), [])
    bob >> b.answer(bye, 200)
    alice << "200 BYE"


def test_a_record_route_of_another_call_is_none(scene: Scene) -> None:
    """RFC 3261 §16.4 is about a value that we have put there: for this dialog, and with its token whole."""
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a, b = talk(alice, bob)
    c = StrictCall.of_call(ScriptCall(carol, a.target))
    c.remote_tag, c.routes = a.remote_tag, a.routes
    carol >> c.request("BYE")
    carol << "481 BYE"
    hang_up(a, b)




def test_a_proxy_that_routes_strictly_before_the_callee(scene: Scene) -> None:
    """§16.6 step 6: it finds itself in the Request-URI, and the target in the last Route."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    router = ScriptPhone(scene.network, "6002", ("192.0.2.60", 5070), "router")
    scene.phones.append(router)
    a, b, arrived = invite(alice, bob)
    start, _, rest = b.answer(arrived, 200, b.sdp()).partition("\r\n")
    bob >> f"{start}\r\nRecord-Route: {STRICT}\r\n{rest}"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    through(router << "ACK", bob)
    b.phone, router.contact = router, bob.contact  # what the phone answers comes back by it
    reinvite(a, b, "sendonly", "recvonly")
    alice >> a.request("BYE")
    bye = router << "BYE"
    through(bye, bob)
    router >> b.answer(bye, 200)
    assert isinstance(alice << "200 BYE", Response)


def through(message: Message, phone: ScriptPhone) -> None:
    assert isinstance(message, Request)
    assert (message.uri, message.elements("Route")) == (STRICT.strip("<>"), [phone.contact]), message
