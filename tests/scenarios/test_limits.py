"""What one address and one user may ask for, and what is never refused."""

from __future__ import annotations

import pytest

from b2bua.feature_server.contract import CallLimits
from tests.scenarios.scene import MakeScene, called, hang_up, hold, resume, talk
from tests.scenarios.script_call import ScriptCall, register_text

WRONG = 'Authorization: Digest username="6002", realm="example.com", nonce="x", uri="sip:example.com", response="0"'


def test_register_flood_with_a_wrong_password(make_scene: MakeScene) -> None:
    """Challenged up to the limit, then 500 + Retry-After, then nothing; a second later it may ask again."""
    scene = make_scene(requests_per_source=20)
    bob = scene.phone("6002", registered=False)
    for number in range(60):
        bob >> register_text(bob, number + 1, WRONG)
    statuses = [message.status for message in bob.inbox]  # type: ignore[attr-defined]  # responses
    assert statuses == [401] * 40 + [500] * 4
    assert {message.get("Retry-After") for message in list(bob.inbox)[40:]} == {"5"}
    assert scene.count("overload_rejected", "requests") == 20
    assert scene.count("messages_dropped", "source over its limit") == 16
    bob.inbox.clear()
    scene.advance(1)
    bob >> register_text(bob, 99)
    bob << "401 REGISTER"


def test_new_call_over_the_limit_480_and_the_standing_one_goes_on(make_scene: MakeScene) -> None:
    scene = make_scene(requests_per_source=20)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    for _ in range(38):
        alice >> ScriptCall(alice, bob.aor).request("OPTIONS", target="sip:example.com")
    alice.inbox.clear()
    c = ScriptCall(alice, bob.aor)
    alice >> c.invite(c.sdp())
    refusal = alice << "480 INVITE"
    alice >> c.ack(refusal)
    assert refusal.to.tag and not refusal.has("Retry-After")
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_a_to_tag_alone_is_no_way_round_the_limit(make_scene: MakeScene) -> None:
    scene = make_scene(requests_per_source=20)
    alice = scene.phone("6001", registered=False)
    for _ in range(60):
        a = ScriptCall(alice, "sip:6002@example.com")
        a.remote_tag = "made-up"
        alice >> a.request("BYE")
    statuses = [message.status for message in alice.inbox]  # type: ignore[attr-defined]  # responses
    assert statuses == [481] * 40 + [500] * 4
    alice.inbox.clear()


def test_other_addresses_are_not_touched(make_scene: MakeScene) -> None:
    scene = make_scene(requests_per_source=20)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    eve = scene.phone("6003", registered=False)
    for number in range(100):
        eve >> register_text(eve, number + 1)
    eve.inbox.clear()
    a, b = talk(alice, bob)
    hang_up(a, b)


@pytest.mark.parametrize("limited", ["caller", "callee"])
def test_calls_per_user(make_scene: MakeScene, limited: str) -> None:
    """One more than a party may have gets 480; when one ends the next may come."""
    scene = make_scene(limits=CallLimits(calls_per_user=1))
    alice, bob, carol = scene.phone("6001"), scene.phone("6002"), scene.phone("6003")
    a, b = talk(alice, bob)
    caller, callee = (alice, carol) if limited == "caller" else (carol, bob)
    c = called(caller, callee.aor)
    caller >> c.ack(caller << "480 INVITE")
    callee.hears_nothing()
    assert scene.count("overload_rejected", "calls") == 1
    hold(a, b)
    hang_up(a, b)
    c, d = talk(caller, callee)
    hang_up(c, d)
    assert not scene.server.b2bua.all_calls._calls_of
