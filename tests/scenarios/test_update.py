"""UPDATE in a call (RFC 3311)."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from tests.scenarios.scene import MakeScene, called, hang_up, invite, is_gone, renderings, send_offer
from tests.scenarios.timed_call import (
    LIMITS,
    SUPPORTED,
    last_description,
    refreshed_by_phone,
    refreshes_itself,
    timed_call,
)


def test_update_moves_the_target(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    b.phone >> b.request("UPDATE").replace("Contact: <sip:6002@", "Contact: <sip:elsewhere@")
    b.phone << "200 UPDATE"
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    assert isinstance(arrived, Request) and arrived.uri.startswith("sip:elsewhere@")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    hang_up(a, b)


@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_update_with_an_offer_goes_on_as_a_reinvite(make_scene: MakeScene, holder_is_caller: bool) -> None:
    scene = make_scene(limits=LIMITS)
    calls = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    call, far = calls if holder_is_caller else calls[::-1]
    scene.advance(2)
    for mine, answer, lamp in (("sendonly", "recvonly", ("no", "")), ("sendrecv", "sendrecv", ("yes", "yes"))):
        call.phone >> call.request("UPDATE", call.sdp(mine))
        arrived = far.phone << f"INVITE a={mine}"
        call.phone.hears_nothing()
        far.phone >> far.answer(arrived, 180)
        far.phone >> far.answer(arrived, 200, far.sdp(answer))
        far.phone << "ACK"
        call.phone << f"200 UPDATE a={answer}"
        scene.advance(1.1)
        assert renderings(call.phone) == lamp
    assert scene.count("reinvites", "hold", "ok") == scene.count("reinvites", "resume", "ok") == 1
    hang_up(call, far)


def test_update_whose_offer_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    scene.advance(2)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 488)
    b.phone << "ACK"
    a.phone << "488 UPDATE"
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_update_that_repeats_the_description_is_a_refresh(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", a.sdp(), *refreshes_itself())
    answer = a.phone << "200 UPDATE a=sendrecv"
    assert answer.body == last_description(scene, a) and answer.get("Session-Expires") == "90;refresher=uac"
    b.phone.hears_nothing()
    hang_up(a, b)


def test_one_update_at_a_time(make_scene: MakeScene) -> None:
    """RFC 3311 §5.2: 500 + Retry-After; and 491 for the other phone's."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    for body in ("", a.sdp("sendonly")):
        a.phone >> a.request("UPDATE", body)
        refusal = a.phone << "500 UPDATE"
        seconds = refusal.integer("Retry-After")
        assert seconds is not None and 0 <= seconds <= 10
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    b.phone << "491 UPDATE"
    b.version, b._direction = 1, "sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 UPDATE a=recvonly"
    hang_up(a, b)


def test_update_with_an_offer_across_the_phones_own_reinvite(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    assert (a.phone << "500 UPDATE").has("Retry-After")
    a.phone >> a.request("UPDATE", "", *refreshes_itself())
    a.phone << "200 UPDATE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_the_far_phones_own_goes_before_an_update_that_waits(make_scene: MakeScene) -> None:
    """As for a re-INVITE: B answered 491 and comes back first; the UPDATE is answered 491."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 491)
    b.phone << "ACK"
    send_offer(b, b.sdp("sendonly"))
    a.phone << "491 UPDATE"
    a.version, a._direction = 1, "sendrecv"
    arrived = a.phone << "INVITE a=sendonly"
    a.phone >> a.answer(arrived, 200, a.sdp("recvonly"))
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


@pytest.mark.parametrize("who", ["same", "other"])
def test_bye_during_an_update(make_scene: MakeScene, who: str) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    first, second = (a, b) if who == "same" else (b, a)
    first.phone >> first.request("BYE")
    found = {(message.cseq_method, getattr(message, "status", 0)) for message in first.phone.inbox}
    first.phone.inbox.clear()
    assert ("BYE", 200) in found
    assert (("UPDATE", 487) in found) == (who == "same")
    if who == "other":
        a.phone << "487 UPDATE"
    is_gone(second)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"


def test_update_before_the_answer(make_scene: MakeScene) -> None:
    """Without an offer it is answered. With one it is too soon: the caller's own is open (500), ours to the callee, too (491;
    RFC 3311 §5.2). With reliable responses it goes on: test_early_update.py."""
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    ringing = alice << "180 INVITE"
    a.learn(ringing)
    for call in (a, b):
        call.phone >> call.request("UPDATE", "", *refreshes_itself())
        assert not (call.phone << "200 UPDATE no-body").has("Session-Expires")
        call.phone >> call.request("UPDATE", call.sdp())
        refusal = call.phone << ("500 UPDATE" if call is a else "491 UPDATE")
        assert refusal.has("Retry-After") is (call is a)
    bob >> b.answer(arrived, 200, b.sdp(), *refreshed_by_phone())
    bob << "ACK"
    alice >> a.request("ACK", cseq=(alice << "200 INVITE").cseq)
    hang_up(a, b)


def test_update_with_another_body_is_415(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", "hello").replace("application/sdp", "text/plain")
    assert (a.phone << "415 UPDATE").get("Accept") == "application/sdp"
    hang_up(a, b)


@pytest.mark.parametrize("line", ["Session-Expires: soon", "Min-SE: never"])
def test_headers_that_cannot_be_read_are_400(make_scene: MakeScene, line: str) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", "", SUPPORTED, line)
    a.phone << "400 UPDATE"
    refused = called(a.phone, b.phone.aor, SUPPORTED, line)
    a.phone >> refused.ack(a.phone << "400 INVITE")
    hang_up(a, b)


@pytest.mark.parametrize("updater_is_caller", [True, False])
def test_update_that_the_other_party_never_answers_is_answered_in_time(make_scene: MakeScene, updater_is_caller: bool) -> None:
    """504 while the sender still waits, then the call ends as after a re-INVITE without an answer; nothing is left."""
    scene = make_scene(limits=LIMITS)
    calls = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    call, far = calls if updater_is_caller else calls[::-1]
    scene.advance(2)
    call.phone >> call.request("UPDATE", call.sdp("sendonly"))
    arrived = far.phone << "INVITE a=sendonly"
    scene.advance(27.9)
    call.phone.hears_nothing()
    scene.advance(0.3)
    call.phone << "504 UPDATE"
    is_gone(call)
    is_gone(far)
    far.phone >> far.answer(arrived, 487)
    far.phone << "ACK"
    scene.advance(70)
    assert not any(scene.server.leaks().values())


def test_update_whose_time_is_over_while_its_second_try_waits(make_scene: MakeScene) -> None:
    """504 and the end, as where nobody answers at all; the second try does not leave."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(27)
    b.phone >> b.answer(arrived, 491)
    b.phone << "ACK"
    scene.advance(1.1)
    a.phone << "504 UPDATE"
    is_gone(a)
    is_gone(b)
    scene.advance(5)
    b.phone.hears_nothing()
