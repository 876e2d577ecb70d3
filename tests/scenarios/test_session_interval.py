"""422: an interval that is too short for us, or ours for a phone (RFC 4028 §6, §7.3, §9)."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import MakeScene, called, hang_up, invite, send_offer
from tests.scenarios.timed_call import LIMITS, SUPPORTED, between, refreshed_by_phone, refreshes_itself, timed_call


def test_too_short_an_interval_is_refused(make_scene: MakeScene) -> None:
    """In the INVITE, in a re-INVITE, in an UPDATE; the call stays as it was."""
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    refused = called(alice, bob.aor, *refreshes_itself(89))
    refusal = alice << "422 INVITE"
    assert refusal.get("Min-SE") == "90"
    alice >> refused.ack(refusal)
    a, b = between(alice, bob, refreshes_itself(), refreshed_by_phone())
    send_offer(a, a.sdp(), *refreshes_itself(30))
    refusal = alice << "422 INVITE"
    assert refusal.get("Min-SE") == "90"
    alice >> a.ack(refusal)
    alice >> a.request("UPDATE", "", *refreshes_itself(30))
    assert (alice << "422 UPDATE").get("Min-SE") == "90"
    bob.hears_nothing()
    hang_up(a, b)


def test_an_interval_that_a_proxy_wrote_does_not_fail_the_call(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, ("Session-Expires: 30",), refreshed_by_phone(3600))
    hang_up(a, b)


def test_422_of_the_callee_is_answered_by_asking_for_more(make_scene: MakeScene) -> None:
    """§7.3: once, CSeq one up, the same Call-ID, From and body; the caller hears nothing of it."""
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, first = invite(alice, bob)
    bob >> b.answer(first, 422, "", "Min-SE: 300")
    bob << "ACK"
    again = bob << "INVITE a=sendrecv"
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("300", "300")
    assert (again.call_id, again.from_.tag, again.cseq) == (first.call_id, first.from_.tag, first.cseq + 1)
    assert again.body == first.body and again.get_all("Supported") == ["timer"] and not again.to.tag
    b.tag = "second"
    bob >> b.answer(again, 200, b.sdp(), SUPPORTED, "Session-Expires: 300;refresher=uas")
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)


@pytest.mark.parametrize("second", ["Min-SE: 600", "Min-SE: 90", "X-Nothing: 1"])
def test_a_second_422_is_ours_to_answer_for(make_scene: MakeScene, second: str) -> None:
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 422, "", "Min-SE: 300")
    bob << "ACK"
    bob >> b.answer(bob << "INVITE", 422, "", second)
    bob << "ACK"
    alice >> a.ack(alice << "500 INVITE")


def test_422_to_a_forwarded_hold(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene)
    send_offer(a, a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 422, "", "Min-SE: 120")
    b.phone << "ACK"
    again = b.phone << "INVITE a=sendonly"
    assert again.get("Session-Expires") == "120;refresher=uac"
    b.phone >> b.answer(again, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_422_after_the_caller_gave_up_is_the_end(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 100)
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 422, "", "Min-SE: 300")
    bob << "ACK"
