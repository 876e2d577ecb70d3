"""Calls that do not come about, and calls to several contacts (RFC 3261 §16.7)."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import (
    Scene,
    answered,
    called,
    hang_up,
    invite,
    is_gone,
    register,
    talk,
)
from tests.scenarios.script_call import ScriptCall

# ---- refused


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410, 480, 486, 488, 500, 600, 603])
def test_refused_by_the_callee(scene: Scene, status: int) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, status, "", "Reason: Q.850;cause=17")
    bob << "ACK"
    refusal = alice << f"{status} INVITE"
    assert refusal.get("Reason") == "Q.850;cause=17"
    alice >> a.ack(refusal)


def test_503_of_one_phone_is_500(scene: Scene) -> None:
    """Towards a phone 503 would mean that this server is dead."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 503)
    bob << "ACK"
    alice >> a.ack(alice << "500 INVITE")


@pytest.mark.parametrize("status", [200, 486])
def test_an_answer_without_the_vias_it_should_bring(scene: Scene, status: int) -> None:
    """It cannot be forwarded (RFC 3261 §16.7 step 3), and the caller does not wait for a better one."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> _with_one_via(b.answer(arrived, 180))
    alice.hears_nothing()
    bob >> _with_one_via(b.answer(arrived, status))
    if status >= 300:
        bob << "ACK"
    alice >> a.ack(alice << "502 INVITE")


def _with_one_via(answer: str) -> str:
    head, blank, body = answer.partition("\r\n\r\n")
    lines = head.split("\r\n")
    vias = [line for line in lines if line.startswith("Via:")]
    assert len(vias) > 1
    return "\r\n".join(line for line in lines if line not in vias[1:]) + blank + body


def test_callee_that_does_not_answer_at_all(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, _b, _ = invite(alice, bob)
    alice.inbox.clear()
    took = scene.wait(alice, 33)
    assert took >= 32
    alice >> a.ack(alice << "408 INVITE")


def test_ringing_for_more_than_three_minutes(scene: Scene) -> None:
    """Timer C: CANCEL, and the caller hears that nobody answered (RFC 3261 §16.8)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.wait(bob, 182)
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    alice >> a.ack(alice << "408 INVITE")
    assert scene.count("calls", "no_answer") == 1


def test_ringing_too_long_and_deaf_to_its_cancel(scene: Scene) -> None:
    """Each hop waits longer than the one behind it, so that the caller hears of the phone and not of the hop."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    scene.advance(182)
    bob << "CANCEL"
    scene.wait(alice, 33)
    alice >> a.ack(alice << "408 INVITE")
    assert scene.count("calls", "no_answer") == 1


def test_each_provisional_response_starts_timer_c_anew(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    for _ in range(4):
        bob >> b.answer(arrived, 180)
        alice.inbox.clear()
        scene.advance(100)
    answered(a, b, arrived)
    hang_up(a, b)


def test_merged_request_482(scene: Scene) -> None:
    """The same request by another path: Call-ID, From tag and CSeq of one that is open (RFC 3261 §8.2.2.2)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    alice >> a.again().replace(";branch=z9hG4bK", ";branch=z9hG4bKother", 1)
    refusal = alice << "482 INVITE"
    alice >> a.ack(refusal).replace(";branch=z9hG4bK", ";branch=z9hG4bKother", 1)
    bob.hears_nothing()
    answered(a, b, arrived)
    hang_up(a, b)


def test_the_same_call_id_and_tag_with_a_higher_cseq_is_another_request(scene: Scene) -> None:
    """Off-hook and then the digits, as some phones do it: no merged request."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 484)
    bob << "ACK"
    alice >> a.ack(alice << "484 INVITE")
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_require_of_what_nobody_knows_420(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, "Require: telepathy, 100rel")
    refusal = alice << "420 INVITE"
    assert "telepathy" in (refusal.get("Unsupported") or "")
    alice >> a.ack(refusal)
    bob.hears_nothing()


@pytest.mark.parametrize("accept", ["text/unheardof", ""])
def test_accept_without_descriptions_406(scene: Scene, accept: str) -> None:
    """RFC 4475 §3.3.15: the answer would be a session description, which this caller does not take."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, f"Accept: {accept}")
    refusal = alice << "406 INVITE"
    assert (refusal.get("Warning") or "").startswith("399 ")
    alice >> a.ack(refusal)
    bob.hears_nothing()


@pytest.mark.parametrize("accept", ["application/sdp;level=1, text/plain", "APPLICATION/*", "*/*"])
def test_accept_with_descriptions(scene: Scene, accept: str) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, f"Accept: {accept}")
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_proxy_require_420(scene: Scene) -> None:
    """Before any challenge: syntax, scheme, Max-Forwards, Proxy-Require, then authorization (RFC 3261 §16.3)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp(), "Proxy-Require: gruu")
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "gruu"
    alice >> a.ack(refusal)


@pytest.mark.parametrize(("hops", "status"), [(0, 483), (1, 483), (2, 483), (3, 0)])
def test_max_forwards(scene: Scene, hops: int, status: int) -> None:
    """Each hop takes one, Communication Manager too (RFC 7332): SM, CM and SM again stand before the callee."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    text = a.invite(a.sdp()).replace("Max-Forwards: 70", f"Max-Forwards: {hops}")
    alice >> text
    if hops:
        challenge = alice << "407 INVITE"
        alice >> a.ack(challenge)
        alice >> a.with_credentials(challenge).replace("Max-Forwards: 70", f"Max-Forwards: {hops}")
    if status:
        alice >> a.ack(alice << f"{status} INVITE")
        bob.hears_nothing()
        return
    arrived = bob << "INVITE"
    assert arrived.get("Max-Forwards") == "0"
    b = ScriptCall.of(bob, arrived)
    answered(a, b, arrived)
    hang_up(a, b)


def test_options_that_may_not_go_on_is_483_before_it_is_challenged(scene: Scene) -> None:
    """Max-Forwards is looked at before credentials (RFC 3261 §16.3 steps 3 and 6)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.request("OPTIONS").replace("Max-Forwards: 70", "Max-Forwards: 0")
    alice << "483 OPTIONS"
    alice >> a.request("OPTIONS", target="sip:example.com").replace("Max-Forwards: 70", "Max-Forwards: 0")
    alice << "200 OPTIONS"


def test_another_scheme_416(scene: Scene) -> None:
    alice = scene.phone("6001")
    a = ScriptCall(alice, "tel:+15551234")
    a.remote = "<tel:+15551234>"
    alice >> a.invite(a.sdp())
    alice >> a.ack(alice << "416 INVITE")


def test_invite_without_a_contact_400(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    lines = a.with_credentials(challenge).split("\r\n")
    alice >> "\r\n".join(line for line in lines if not line.startswith("Contact:"))
    alice >> a.ack(alice << "400 INVITE")
    bob.hears_nothing()


# ---- several contacts


def test_forked_to_two_contacts_and_one_answers(scene: Scene) -> None:
    """The other is cancelled; the caller hears both ring and one answer."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    assert at_desk.call_id == at_mobile.call_id and at_desk.top_via.branch != at_mobile.top_via.branch
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 180)
    alice << "180 INVITE"
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    mobile >> c.answer(at_mobile, 200, c.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    mobile << "ACK"
    desk >> b.answer(desk << "CANCEL", 200)
    desk >> b.answer(at_desk, 487)
    desk << "ACK"
    hang_up(a, c)


def test_both_contacts_answer(scene: Scene) -> None:
    """The second 2xx is acknowledged and given back with BYE (RFC 3261 §13.2.2.4); the caller hears of one."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, 180)
    mobile >> c.answer(at_mobile, 180)
    mobile >> c.answer(at_mobile, 200, c.sdp())
    desk >> b.answer(at_desk, 200, b.sdp())
    alice << "180 INVITE"
    alice << "180 INVITE"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    alice.hears_nothing()
    mobile << "ACK"
    desk >> b.answer(desk << "CANCEL", 481)
    desk << "ACK"
    is_gone(b)
    hang_up(a, c)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (486, 480, 486),
        (404, 302, 302),
        (500, 486, 486),
        (486, 415, 415),
        (503, 500, 500),
        (503, 503, 500),
        (486, 603, 603),
    ],
)
def test_best_response_of_all_contacts(scene: Scene, first: int, second: int, told: int) -> None:
    """6xx at once, else the lowest class, in it what tells the caller most (RFC 3261 §16.7)."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    desk >> b.answer(at_desk, first)
    desk << "ACK"
    alice.hears_nothing()
    mobile >> c.answer(at_mobile, second)
    mobile << "ACK"
    alice >> a.ack(alice << f"{told} INVITE")


def test_6xx_of_one_contact_ends_the_others(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    at_desk, at_mobile = desk << "INVITE", mobile << "INVITE"
    b, c = ScriptCall.of(desk, at_desk), ScriptCall.of(mobile, at_mobile)
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    desk >> b.answer(at_desk, 603)
    desk << "ACK"
    mobile >> c.answer(mobile << "CANCEL", 200)
    mobile >> c.answer(at_mobile, 487)
    mobile << "ACK"
    alice >> a.ack(alice << "603 INVITE")


def test_one_contact_is_dead_and_the_other_answers(scene: Scene) -> None:
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor)
    desk << "INVITE"
    at_mobile = mobile << "INVITE"
    c = ScriptCall.of(mobile, at_mobile)
    mobile >> c.answer(at_mobile, 180)
    alice << "180 INVITE"
    scene.advance(40)
    answered(a, c, at_mobile)
    hang_up(a, c)


def test_reregistration_keeps_one_binding(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert len(scene.server.location.bindings("6002")) == 1
    bob.name = "6002-again"
    listing = register(bob)
    assert len(listing.elements("Contact")) == 1
    a, b = talk(alice, bob)
    hang_up(a, b)
