"""UPDATE with an offer before the call is answered (RFC 3311), and hold in early media."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from tests.scenarios.reliable_call import ALLOW, REQUIRED, RSEQ, SUPPORTED, early, in_early_media, picked_up, reliably
from tests.scenarios.scene import Scene, called, hang_up, is_gone, renderings, resume, watch
from tests.scenarios.script_call import ScriptCall


def changed(call: ScriptCall, far: ScriptCall, direction: str, answer: str) -> None:
    """An UPDATE of this party, answered by the other."""
    call.phone >> call.request("UPDATE", call.sdp(direction), ALLOW)
    arrived = far.phone << f"UPDATE a={direction}"
    assert arrived.has("Contact") and not arrived.has("Session-Expires")
    call.phone.hears_nothing()
    far.phone >> far.answer(arrived, 200, far.sdp(answer), f"Contact: {far.phone.contact}")
    call.phone << f"200 UPDATE a={answer}"


@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_hold_in_early_media(scene: Scene, holder_is_caller: bool) -> None:
    """The lamps show it while it rings, and it lasts when the call is answered."""
    a, b, arrived = in_early_media(scene)
    for phone in (a.phone, b.phone):
        watch(phone, phone)
    call, far = (a, b) if holder_is_caller else (b, a)
    scene.advance(1.1)
    assert renderings(call.phone) == renderings(far.phone) == ("", "")
    changed(call, far, "sendonly", "recvonly")
    scene.advance(1.1)
    assert call.phone.lamp.dialogs[0].state == "early"
    assert renderings(call.phone) == ("no", "") and renderings(far.phone) == ("", "no")
    changed(call, far, "sendrecv", "sendrecv")
    scene.advance(1.1)
    assert renderings(call.phone) == renderings(far.phone) == ("", "")
    changed(call, far, "sendonly", "recvonly")
    picked_up(a, b, arrived)
    scene.advance(1.1)
    assert call.phone.lamp.dialogs[0].state == "confirmed"
    assert renderings(call.phone) == ("no", "") and renderings(far.phone) == ("", "no")
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 1}
    resume(call, far)
    hang_up(a, b)


@pytest.mark.parametrize("status", [488, 500])
def test_a_hold_in_early_media_that_is_refused(scene: Scene, status: int) -> None:
    a, b, arrived = in_early_media(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    b.phone >> b.answer(b.phone << "UPDATE a=sendonly", status)
    a.phone << f"{status} UPDATE"
    picked_up(a, b, arrived)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    hang_up(a, b)


def test_a_hold_that_nobody_answers(scene: Scene) -> None:
    """RFC 4320 §4.2: the time-out is not told; the hold is taken back."""
    a, b, arrived = in_early_media(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    b.phone << "UPDATE a=sendonly"
    scene.advance(33)
    a.phone.hears_nothing()
    picked_up(a, b, arrived)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    hang_up(a, b)


def test_one_at_a_time(scene: Scene) -> None:
    """RFC 3311 §5.2: before its own is answered 500 with Retry-After, across the other's 491."""
    a, b, arrived = in_early_media(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    at_callee = b.phone << "UPDATE a=sendonly"
    for body in ("", a.sdp("sendonly")):
        a.phone >> a.request("UPDATE", body)
        if body:
            refusal = a.phone << "500 UPDATE"
            assert 0 <= (refusal.integer("Retry-After") or 0) <= 10 and refusal.has("Retry-After")
        else:
            a.phone << "200 UPDATE no-body"
    b.phone >> b.request("UPDATE", b.sdp())
    b.phone << "491 UPDATE"
    b.phone >> b.answer(at_callee, 200, b.sdp("recvonly"))
    a.phone << "200 UPDATE a=recvonly"
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_the_answer_waits_for_it(scene: Scene) -> None:
    """The callee picks up before it has answered the UPDATE: the caller hears the one after the other."""
    a, b, arrived = in_early_media(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    at_callee = b.phone << "UPDATE a=sendonly"
    b.phone >> b.answer(arrived, 200)
    b.phone << "ACK"
    a.phone.hears_nothing()
    b.phone >> b.answer(at_callee, 200, b.sdp("recvonly"))
    a.phone << "200 UPDATE a=recvonly"
    answer = a.phone << "200 INVITE no-body"
    a.phone >> a.request("ACK", cseq=answer.cseq)
    hang_up(a, b)


@pytest.mark.parametrize("how", ["cancel", "refusal", "bye"])
def test_the_call_ends_before_it_is_answered(scene: Scene, how: str) -> None:
    a, b, arrived = in_early_media(scene)
    invite = a._sent
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    at_callee = b.phone << "UPDATE a=sendonly"
    if how == "refusal":
        b.phone >> b.answer(arrived, 486)
        b.phone << "ACK"
        a.phone << "487 UPDATE"
        a.phone >> a.ack(a.phone << "486 INVITE")
    else:
        if how == "cancel":
            a.phone >> a.cancel()
            a.phone << "200 CANCEL"
        else:
            a.phone >> a.request("BYE")
            a.phone << "200 BYE"
            a._sent = invite
        a.phone << "487 UPDATE"
        a.phone >> a.ack(a.phone << "487 INVITE")
        b.phone >> b.answer(b.phone << "CANCEL", 200)
        b.phone >> b.answer(arrived, 487)
        b.phone << "ACK"
    b.phone >> b.answer(at_callee, 487)
    a.phone.hears_nothing()


def test_a_callee_that_takes_no_update(scene: Scene) -> None:
    """Later the same goes as a re-INVITE: 500 with Retry-After."""
    a, b, arrived = early(scene)
    b.phone >> b.answer(arrived, 183, b.sdp(), REQUIRED, f"RSeq: {RSEQ}", "Allow: INVITE, ACK, PRACK")
    progress = a.phone << "183 INVITE"
    a.learn(progress)
    a.phone >> a.request("PRACK", "", f"RAck: {progress.get('RSeq')} {progress.cseq} INVITE")
    a.phone << "200 PRACK"
    b.phone >> b.answer(b.phone << "PRACK", 200)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"), ALLOW)
    assert (a.phone << "500 UPDATE").has("Retry-After")
    a.version, a._direction = 1, "sendrecv"
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_a_caller_that_takes_no_update(scene: Scene) -> None:
    a, b, arrived = in_early_media(scene, SUPPORTED)
    b.phone >> b.request("UPDATE", b.sdp("sendonly"), ALLOW)
    assert (b.phone << "500 UPDATE").has("Retry-After")
    b.version, b._direction = 1, "sendrecv"
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_before_anything_is_agreed(scene: Scene) -> None:
    """A reliable 180 settles nothing: the caller's offer is open (500), ours to the callee, too (491)."""
    a, b, arrived = early(scene)
    reliably(b, arrived, 180)
    a.learn(a.phone << "180 INVITE")
    a.phone >> a.request("UPDATE", a.sdp(), ALLOW)
    assert (a.phone << "500 UPDATE").has("Retry-After")
    b.phone >> b.request("UPDATE", b.sdp(), ALLOW)
    b.phone << "491 UPDATE"
    picked_up(a, b, arrived, b.sdp())
    hang_up(a, b)


def test_while_the_callees_offer_is_open(scene: Scene) -> None:
    """An INVITE without an offer: the callee's waits for the PRACK. The caller crosses it, the callee comes too soon."""
    a, b, arrived = early(scene, body="")
    reliably(b, arrived, 183, RSEQ, b.sdp())
    offer = a.phone << "183 INVITE a=sendrecv"
    a.learn(offer)
    a.phone >> a.request("UPDATE", a.sdp(), ALLOW)
    a.phone << "491 UPDATE"
    b.phone >> b.request("UPDATE", b.sdp(), ALLOW)
    assert (b.phone << "500 UPDATE").has("Retry-After")
    a.phone >> a.request("PRACK", a.sdp(), f"RAck: {offer.get('RSeq')} {offer.cseq} INVITE")
    a.phone << "200 PRACK"
    b.phone >> b.answer(b.phone << "PRACK a=sendrecv", 200)
    changed(b, a, "sendonly", "recvonly")
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_it_moves_the_target(scene: Scene) -> None:
    a, b, arrived = in_early_media(scene)
    changed(a, b, "sendonly", "recvonly")
    b.phone >> b.request("UPDATE", "", ALLOW).replace("Contact: <sip:6002@", "Contact: <sip:elsewhere@")
    b.phone << "200 UPDATE no-body"
    a.phone >> a.request("UPDATE", a.sdp("sendrecv"), ALLOW)
    at_callee = b.phone << "UPDATE a=sendrecv"
    assert isinstance(at_callee, Request) and at_callee.uri.startswith("sip:elsewhere@")
    b.phone >> b.answer(at_callee, 200, b.sdp("sendrecv"))
    a.phone << "200 UPDATE"
    picked_up(a, b, arrived)
    hang_up(a, b)


def test_two_branches_with_early_media(scene: Scene) -> None:
    """Each early dialog has its own numbers, CSeqs and session; the one that is answered is the call."""
    alice, desk, mobile = scene.phone("6001"), scene.phone("6002", device=1), scene.phone("6002", device=2)
    a = called(alice, desk.aor, SUPPORTED, ALLOW)
    cseq = a.cseq
    sides = []
    for phone in (desk, mobile):
        arrived = phone << "INVITE"
        call = ScriptCall.of(phone, arrived)
        call.media = f"IN IP4 {phone.address[0]}"
        reliably(call, arrived, 183, RSEQ, call.sdp())
        progress = alice << "183 INVITE"
        assert call.media.encode() in progress.body
        half = ScriptCall(alice, desk.aor, a.call_id, a.tag)  # one early dialog, with CSeqs of its own
        half.cseq = cseq
        half.learn(progress)
        sides.append((call, arrived, half, progress))
    for call, _, half, progress in sides:
        alice >> half.request("PRACK", "", f"RAck: {progress.get('RSeq')} {progress.cseq} INVITE")
        alice << "200 PRACK"
        call.phone >> call.answer(call.phone << "PRACK", 200)
    (b, at_desk, one, _), (c, at_mobile, two, _) = sides
    assert one.remote_tag != two.remote_tag
    for half, call in ((two, c), (one, b)):
        alice >> half.request("UPDATE", half.sdp("sendonly"), ALLOW)
        arrived = call.phone << "UPDATE a=sendonly"
        call.phone >> call.answer(arrived, 200, call.sdp("recvonly"))
        assert call.media.encode() in (alice << "200 UPDATE a=recvonly").body
    for half, call in ((two, c), (one, b)):
        alice >> half.request("INFO")
        call.phone >> call.answer(call.phone << "INFO", 200)
        alice << "200 INFO"
        call.phone >> call.request("INFO")
        asked = alice << "INFO"
        assert asked.from_.tag == half.remote_tag
        alice >> half.answer(asked, 200)
        call.phone << "200 INFO"
    mobile >> c.answer(at_mobile, 200)
    mobile << "ACK"
    answer = alice << "200 INVITE no-body"
    assert answer.to.tag == two.remote_tag
    alice >> two.request("ACK", cseq=answer.cseq)
    desk >> b.answer(desk << "CANCEL", 200)
    desk >> b.answer(at_desk, 487)
    desk << "ACK"
    resume(two, c)
    two.phone >> two.request("BYE")
    two.phone << "200 BYE"
    is_gone(c)
