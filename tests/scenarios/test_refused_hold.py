"""Holds that come to nothing: refused, or never answered. The lamp follows each time."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    as_it_was,
    hang_up,
    hold,
    idle,
    is_gone,
    lamps_are_back,
    pending_hold,
    renderings,
    resume,
    send_offer,
    watch,
    watched_call,
)
from tests.scenarios.virtual_network import perfect

# ---- refused


@pytest.mark.row(5)
@pytest.mark.bug("SIP.js 685")
@pytest.mark.parametrize("status", [302, 400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603, 606])
def test_sipjs_685_refused_hold_takes_the_lamp_back(scene: Scene, status: int) -> None:
    """The session stays as it was; the same hold may be tried again, with the same o= version."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    assert renderings(a.phone) == ("no", "")
    b.phone >> b.answer(arrived, status)
    b.phone << "ACK"
    # Another server's 503 says nothing about this one: SM makes it 500 (RFC 3261 §16.7 step 6).
    told = 500 if status == 503 else status
    a.phone >> a.ack(a.phone << f"{told} INVITE")
    lamps_are_back(scene, a, b)
    as_it_was(a)
    hold(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_refused_resume_leaves_it_held(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    send_offer(a, a.sdp("sendrecv"))
    arrived = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


@pytest.mark.row(5)
def test_refused_offer_leaves_no_trace(scene: Scene) -> None:
    """The refused description offered again is no refresh: it goes to the far phone once more, its version the same."""
    a, b = watched_call(scene)
    first = pending_hold(a, b)
    b.phone >> b.answer(first, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    again = pending_hold(a, b)
    assert again.body == first.body
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_refresh_after_a_refused_hold_is_answered_with_what_stands(scene: Scene) -> None:
    a, b = watched_call(scene)
    standing = a.sdp()
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    send_offer(a, standing)
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    b.phone.hears_nothing()
    hang_up(a, b)


def test_refusal_carries_what_the_far_phone_says(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 488, "", 'Warning: 370 phone "Insufficient Bandwidth"', "Reason: Q.850;cause=65")
    b.phone << "ACK"
    refusal = a.phone << "488 INVITE"
    assert refusal.get("Warning") == '370 phone "Insufficient Bandwidth"'
    assert refusal.get("Reason") == "Q.850;cause=65"
    a.phone >> a.ack(refusal)
    hang_up(a, b)


# ---- 408, 481, no answer: the call ends


@pytest.mark.row(5)
@pytest.mark.parametrize("status", [408, 481])
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_408_and_481_end_the_call(scene: Scene, status: int, holder_is_caller: bool) -> None:
    """The code goes back, then BYE on both legs; the lamp ends with the call."""
    calls = watched_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    far.phone >> far.answer(arrived, status)
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << f"{status} INVITE")
    is_gone(call)
    bye = far.phone << "BYE"
    far.phone >> far.answer(bye, 481)
    idle(scene, *calls)


@pytest.mark.row(5)
def test_no_answer_at_all_is_408_and_the_end(scene: Scene) -> None:
    a, b = watched_call(scene)
    pending_hold(a, b)
    scene.advance(31)
    a.phone.hears_nothing()
    scene.advance(TIMEOUT - 31)
    a.phone >> a.ack(a.phone << "408 INVITE")
    is_gone(a)
    is_gone(b)
    idle(scene, a, b)


def test_no_answer_and_a_bye_that_nobody_answers_either(scene: Scene) -> None:
    """A BYE that times out ends its leg and causes nothing more."""
    a, b = watched_call(scene)
    pending_hold(a, b)
    scene.advance(TIMEOUT)
    a.phone >> a.ack(a.phone << "408 INVITE")
    is_gone(a)
    b.phone << "BYE"
    scene.advance(TIMEOUT)
    b.phone.hears_nothing()
    a.phone.hears_nothing()
    idle(scene, a)


def test_no_answer_but_a_bye_of_the_holder(scene: Scene) -> None:
    """A BYE that came in meanwhile is the end: no second BYE to that side, no 408."""
    a, b = watched_call(scene)
    pending_hold(a, b)
    scene.advance(10)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(b)
    scene.advance(TIMEOUT)
    a.phone.hears_nothing()


def test_provisional_answer_and_then_nothing(scene: Scene) -> None:
    """A far phone that says 100 and no more: Session Manager's Timer C gives up after three minutes, which is a 408
    (RFC 3261 §16.8), and a 408 to a re-INVITE ends the call (§14.1)."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    scene.advance(180)
    a.phone.hears_nothing()
    assert scene.wait(b.phone, 5) < 5
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "408 INVITE")
    is_gone(a)
    is_gone(b)
    idle(scene, a, b)


def test_session_manager_does_not_carry_the_hold_on(make_scene: MakeScene) -> None:
    """Nobody has said that the far phone is gone: 500, not 408, and the call stands (RFC 5057 §5.1 is about its dialog)."""
    scene = make_scene()
    if scene.server.options.link != "udp":
        return
    a, b = watched_call(scene)
    scene.network.link_rule = lambda index, data: () if data.startswith(b"INVITE sip:6002@") else (0.0,)
    send_offer(a, a.sdp("sendonly"))
    scene.advance(TIMEOUT)
    a.phone >> a.ack(a.phone << "500 INVITE")
    b.phone.hears_nothing()
    scene.network.link_rule = perfect
    lamps_are_back(scene, a, b)
    as_it_was(a)
    hold(a, b)
    hang_up(a, b)


# ---- around them


def test_hold_that_is_retransmitted_is_handled_once(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    a.phone >> a.again()
    b.phone.hears_nothing()
    assert len(scene.linked("SM", "CM", "INVITE")) > 0
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    a.phone >> a.again()
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    assert not b.phone.repeated
    resume(a, b)
    hang_up(a, b)


def test_lower_cseq_is_refused(scene: Scene) -> None:
    """RFC 3261 §12.2.2: 500, and the call goes on; a gap is fine."""
    a, b = watched_call(scene)
    hold(a, b)
    a.phone >> a.request("INFO", cseq=1)
    a.phone << "500 INFO"
    a.cseq += 50
    resume(a, b)
    hang_up(a, b)


def test_watcher_sees_the_lamp_go_back_too(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    watch(carol, a.phone)
    scene.advance(1.1)
    arrived = pending_hold(a, b)
    assert renderings(carol) == ("no", "")
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    scene.advance(1.1)
    assert renderings(carol) == ("yes", "yes")
    hang_up(a, b)
