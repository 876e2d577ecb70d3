"""Refusals of every part of the server, and what the trace says of each: what refused and why, on the fake clock.

That no place in the sources is left out is for tests/test_refusals.py to say.
"""

from __future__ import annotations

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message
from b2bua.transaction.layer import REFUSED
from tests.scenarios.scene import (
    TIMEOUT,
    Scene,
    called,
    hang_up,
    invite,
    is_gone,
    pending_hold,
    send_offer,
    talk,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall, register_text
from tests.scenarios.script_phone import ScriptPhone
from tests.scenarios.test_decisions import made, records, stopped, whys


def last_refusal(scene: Scene, line: str, source: str) -> list[str]:
    """Why the last message that begins so was sent by `source`."""
    found = [record for record in records(scene) if record["source"] == source and record["message"].startswith(line)]
    return list(found[-1].get("decisions", ()))


def asked(phone: ScriptPhone, aor: str, method: str, *lines: str, body: str = "") -> Message:
    """What the phone hears in the end, after it has shown who it is."""
    call = ScriptCall(phone, aor)
    phone >> call.request(method, body, *lines)
    challenge = phone.inbox.popleft()
    assert challenge.status in (401, 407)
    phone >> call.request(method, body, *lines, phone.credentials(challenge, method, aor))
    return phone.inbox.popleft()


def in_dialog(call: ScriptCall, method: str, *lines: str) -> Message:
    """The same in a call that stands, or stood."""
    phone = call.phone
    phone >> call.request(method, "", *lines)
    heard = phone.inbox.popleft()
    if heard.status == 407:
        phone >> call.request(method, "", *lines, phone.credentials(heard, method, call.target))
        heard = phone.inbox.popleft()
    return heard


@pytest.mark.parametrize(("lines", "status", "why"), [
    (("Event: conference",), 489, "event state: no event package of this name is served (RFC 6665 §4.2.1.1)"),
    (("Event: dialog", "Expires: 10"), 423, "event state: the interval that is asked for is below the least"),
    (("Event: dialog", "Accept: application/pidf+xml"), 406, "notifier: Accept leaves out all forms of this event"),
    (("Event: dialog", "Require: telepathy"), 420, "refused: Require names what this server does not know"),
])  # fmt: skip
def test_a_subscribe(lines: tuple[str, ...], status: int, why: str) -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    assert asked(alice, bob.aor, "SUBSCRIBE", *lines).status == status
    assert last_refusal(scene, f"SIP/2.0 {status}", "SM")[-1].startswith(why)


@pytest.mark.parametrize(("lines", "status", "why"), [
    (("Event: presence",), 415, "event state: its Content-Type is not the one of this event"),
    (("Event: presence", "SIP-If-Match: nothing"), 412, "event state: no publication of this sender has this entity tag"),
    (("Event: reg",), 489, "event state: "),
])  # fmt: skip
def test_a_publish(lines: tuple[str, ...], status: int, why: str) -> None:
    scene = made()
    alice = scene.phone("6001")
    assert asked(alice, alice.aor, "PUBLISH", *lines, body="x").status == status
    assert last_refusal(scene, f"SIP/2.0 {status}", "SM")[-1].startswith(why)


def test_a_register() -> None:
    scene = made()
    alice = scene.phone("6001")
    alice >> register_text(alice, 7, expires=5)
    challenge = alice << "401 REGISTER"
    alice >> register_text(alice, 8, alice.credentials(challenge, "REGISTER", "sip:example.com"), expires=5)
    alice << "423 REGISTER"
    assert last_refusal(scene, "SIP/2.0 423", "SM") == [
        "registrar: the interval that is asked for is below the least (RFC 3261 §10.3 step 7)",
    ]  # fmt: skip


def test_a_value_that_cannot_be_read() -> None:
    scene = made()
    alice = scene.phone("6001")
    call = ScriptCall(alice, "sip:6002@example.com")
    alice >> call.invite(call.sdp()).replace("Max-Forwards: 70", "Max-Forwards: many")
    alice >> call.ack(alice << "400 INVITE")
    [sentence] = stopped(scene)
    assert "because refused: Max-Forwards is not as its grammar has it, or missing" in sentence


def test_hops_are_used_up() -> None:
    scene = made()
    alice = scene.phone("6001")
    call = ScriptCall(alice, "sip:6002@example.com")
    alice >> call.invite(call.sdp()).replace("Max-Forwards: 70", "Max-Forwards: 0")
    alice >> call.ack(alice << "483 INVITE")
    assert "because refused: Max-Forwards is used up, it goes no further" in stopped(scene)[0]


@pytest.mark.parametrize(("lines", "status", "why"), [
    (("Require: telepathy",), 420, "B2BUA: Require names what this server does not know (RFC 3261 §8.2.2.3)"),
    (("Accept: text/plain",), 406, "B2BUA: Accept leaves out session descriptions, and the answer is one"),
    (("Privacy: session;critical",), 500, "B2BUA: privacy is critical to the sender"),
    (("Replaces: nothing;to-tag=1;from-tag=2",), 481, "B2BUA: no call that can be taken over is named in Replaces"),
])  # fmt: skip
def test_a_new_call(lines: tuple[str, ...], status: int, why: str) -> None:
    scene = made(features=("pickup", "hold", "lamps"))
    alice, _ = scene.phone("6001"), scene.phone("6002")
    a = called(alice, "sip:6002@example.com", *lines)
    alice >> a.ack(alice << f"{status} INVITE")
    assert last_refusal(scene, f"SIP/2.0 {status}", "CM")[-1].startswith(why)
    assert f"because {why}" in stopped(scene)[0]


def test_one_call_too_many() -> None:
    scene = made(limits=CallLimits(calls_per_user=1))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    carol = scene.phone("6003")
    c = called(carol, a.phone.aor)
    carol >> c.ack(carol << "480 INVITE")
    assert "because overload: a party has as many calls as it may (calls_per_user)" in stopped(scene)[0]
    hang_up(a, b)


def test_who_gives_up_while_it_rings() -> None:
    scene = made()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    assert whys(scene, "SIP/2.0 487", "CM", "SM") == ["cancelled: who asked has given up (RFC 3261 §9.2)"]
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"


def test_an_offer_that_leaves_out_what_the_session_has() -> None:
    scene = made()
    a, b = watched_call(scene)
    send_offer(a, "v=0\r\no=- 1 9 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n")
    a.phone >> a.ack(a.phone << "488 INVITE")
    told = last_refusal(scene, "SIP/2.0 488", "CM")
    assert told[0].startswith("B2BUA: the offer leaves out m= lines of the session")
    assert told[-1] == "B2BUA: the offer cannot be passed on: 488"
    hang_up(a, b)


@pytest.mark.parametrize(("status", "why"), [
    (487, "cancelled: who asked has given up (RFC 3261 §9.2)"),
    (491, "B2BUA: what the other leg was answered, passed back"),
])
def test_a_hold_after_glare(status: int, why: str) -> None:
    """Cancelled while Communication Manager waits; or refused once more."""
    scene = made()
    a, b = watched_call(scene)
    b.phone >> b.answer(pending_hold(a, b), 491)
    b.phone << "ACK"
    if status == 487:
        a.phone >> a.cancel()
        a.phone << "200 CANCEL"
    else:
        scene.wait(b.phone, 4.1)
        b.phone >> b.answer(b.phone << "INVITE a=sendonly", 491)
        b.phone << "ACK"
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    assert last_refusal(scene, f"SIP/2.0 {status}", "CM")[-1] == why
    hang_up(a, b)


@pytest.mark.parametrize(("status", "why"), [
    (408, "B2BUA: what the other leg was answered, passed back"),
    (487, "B2BUA: the other party gave no final answer, which counts as 487 (RFC 3261 §8.1.3.1)"),
])
def test_a_hold_that_ends_the_call(status: int, why: str) -> None:
    """The far phone says 408; or it says nothing, not even to a CANCEL."""
    scene = made()
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    if status == 408:
        b.phone >> b.answer(arrived, 408)
        b.phone << "ACK"
    else:
        a.phone >> a.cancel()
        a.phone << "200 CANCEL"
        scene.advance(TIMEOUT)
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    assert last_refusal(scene, f"SIP/2.0 {status}", "CM")[-1] == why
    is_gone(a)
    is_gone(b)


def test_what_is_not_for_this_call() -> None:
    scene = made()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    assert in_dialog(a, "REFER", "Refer-To: <sip:6003@example.com>").status == 405
    assert last_refusal(scene, "SIP/2.0 405", "CM") == ["B2BUA: no feature takes transfers here"]
    hang_up(a, b)


def test_a_feature_and_what_it_lacked() -> None:
    scene = made(features=("forwarding", "hold", "lamps"))
    alice = scene.phone("6001")
    a = called(alice, "sip:*72@example.com")
    alice >> a.ack(alice << "484 INVITE")
    assert last_refusal(scene, "SIP/2.0 484", "CM") == [
        "feature forwarding: nothing is no number", "feature forwarding: refuses, 484 ",
    ]  # fmt: skip


def test_every_refusal_of_ours_in_these_calls_has_a_reason() -> None:
    """One after the other in one scene: whatever SM or CM say no with, they tell why."""
    scene = made(features=("transfer", "hold", "lamps"))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    for uri, status in (("sip:6003@example.com", 480), ("sip:7777@example.com", 404), ("sip:x@example.net", 403)):
        call = called(alice, uri)
        alice >> call.ack(alice << f"{status} INVITE")
    a, b = talk(alice, bob)
    assert in_dialog(a, "REFER", "Refer-To: <mailto:x@example.com>").status == 603
    assert in_dialog(a, "PRACK", "RAck: 1 1 INVITE").status == 481
    hang_up(a, b)
    assert in_dialog(a, "INFO").status == 481
    refusals = [
        record for record in records(scene)
        if record["message"][8:9] in "456" and record["message"].startswith("SIP/2.0") and record["source"] in ("SM", "CM")
    ]  # fmt: skip
    assert len(refusals) > 8
    silent = [record["message"] for record in refusals if not record.get("decisions") or REFUSED in record["decisions"]]
    assert [message.partition("\r\n")[0] for message in silent] == []
