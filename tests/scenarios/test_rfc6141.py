"""RFC 6141: what a re-INVITE changes, when it may still be refused, and whom it moves. Sections are in the tests' names.

Reliable provisional responses are for the first INVITE (test_reliable.py): no re-INVITE of ours says `Supported: 100rel`, so
none is due there. From a phone that sends one all the same it is taken: acknowledged, its Contact moves the target, and its
description is the answer where the 2xx has none. To the holder it goes on unreliably, and an UPDATE with an offer within a
re-INVITE is 491 or 500: for the holder a 2xx is the only thing that executes a change. An UPDATE without an offer moves its
sender at once.
"""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message, Request
from tests.scenarios.scene import (
    Scene,
    as_it_was,
    hang_up,
    hold,
    invite,
    lamps_are_back,
    pending_hold,
    renderings,
    resume,
    send_offer,
    talk,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall

ELSEWHERE = "<sip:elsewhere@192.0.2.{}:5060>"


def moved(call: ScriptCall) -> str:
    """A Contact of the phone that says another user part, at its old address."""
    return ELSEWHERE.format(call.phone.address[0].rpartition(".")[2])


def target(request: Message) -> str:
    assert isinstance(request, Request)
    return request.uri.partition("@")[0]


# ---- §3 session changes


def test_3_3_an_error_only_while_nothing_has_been_executed(scene: Scene) -> None:
    """488 of the far phone: neither leg's session has changed, and the next offer starts from what stood."""
    a, b = watched_call(scene)
    first = pending_hold(a, b)
    b.phone >> b.answer(first, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    lamps_are_back(scene, a, b)
    as_it_was(a)
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_3_3_what_the_far_phone_executed_is_never_refused(scene: Scene) -> None:
    """Its 2xx stands for both, though the holder's ACK is long in coming; a BYE is what ends it, no error."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    answer = a.phone << "200 INVITE a=recvonly"
    scene.advance(10)
    assert {str(message.status) for _, message in a.phone.repeated} == {"200"}  # type: ignore[attr-defined]  # responses all
    a.phone >> a.ack(answer)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_3_3_no_update_executes_anything_within_a_reinvite(scene: Scene) -> None:
    """500 to the one whose offer is open, 491 to the other (RFC 3311 §5.2): an error to the re-INVITE is right after both."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    a.phone >> a.request("UPDATE", a.sdp("sendrecv"))
    assert (a.phone << "500 UPDATE").has("Retry-After")
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    b.phone << "491 UPDATE"
    as_it_was(b)
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    lamps_are_back(scene, a, b)
    as_it_was(a)
    hang_up(a, b)


def test_3_5_two_reinvites_without_offers_cross(scene: Scene) -> None:
    """The rules of glare are not about offers: 491 all the same."""
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    send_offer(b, "")
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp())
    b.phone << "ACK a=sendrecv"
    hang_up(a, b)


def test_3_8_cancel_before_anything_is_executed_487(scene: Scene) -> None:
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone >> b.answer(b.phone << "CANCEL", 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    lamps_are_back(scene, a, b)
    hang_up(a, b)


@pytest.mark.parametrize("status", [486, 500, 603])
def test_3_8_the_far_phones_own_final_answers_the_cancelled_one(scene: Scene, status: int) -> None:
    """It does not take the CANCEL for the reason: what it says is passed on, nothing has changed."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    b.phone >> b.answer(b.phone << "CANCEL", 481)
    b.phone >> b.answer(arrived, status)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    lamps_are_back(scene, a, b)
    hang_up(a, b)


def test_3_8_cancel_that_crosses_the_2xx(scene: Scene) -> None:
    """The change has been executed: 2xx to the holder, not 487, and the hold stands."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 100)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    b.phone >> b.answer(cancel, 200)
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


# ---- §4 the targets of the dialog


def test_4_3_a_refused_reinvite_moves_nobody(scene: Scene) -> None:
    """Neither the holder by its request nor the far phone by its refusal (§4.6: an error must not update the target)."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    home, alice.contact = alice.contact, moved(a)
    send_offer(a, a.sdp("sendonly"))
    arrived = bob << "INVITE"
    bob >> b.answer(arrived, 488, "", f"Contact: {moved(b)}")
    bob << "ACK"
    alice >> a.ack(alice << "488 INVITE")
    alice.contact = home
    alice >> a.request("INFO")
    info = bob << "INFO"
    assert target(info) == "sip:6002"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    bye_to(b, a, "sip:6001")


def test_4_4_a_reinvite_that_is_only_challenged_moves_nobody(scene: Scene) -> None:
    """A target refresh may be authenticated: who cannot answer the 407 has moved nothing."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    home, alice.contact = alice.contact, moved(a)
    alice >> a.invite(a.sdp("sendonly"))
    alice >> a.ack(alice << "407 INVITE")
    alice.contact = home
    bye_to(b, a, "sip:6001")


def test_4_6_a_2xx_to_the_request_moves_its_sender(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice.contact = moved(a)
    hold(a, b)
    bye_to(b, a, "sip:elsewhere")


def test_4_7_the_contact_of_a_2xx_moves_who_sent_it(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    bob.contact = moved(b)
    hold(a, b)
    bye_to(a, b, "sip:elsewhere")


def test_4_7_the_contact_of_an_unreliable_provisional_response_moves_nobody(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    arrived = pending_hold(a, b)
    home, bob.contact = bob.contact, moved(b)
    bob >> b.answer(arrived, 183)
    bob.contact = home
    alice << "183 INVITE"
    bob >> b.answer(arrived, 488)
    bob << "ACK"
    alice >> a.ack(alice << "488 INVITE")
    bye_to(a, b, "sip:6002")


RELIABLY = ("Require: 100rel", "RSeq: 17")
"""What a provisional response has that is sent reliably (RFC 3262 §3)."""


def prack(call: ScriptCall, arrived: Message, rseq: int = 17) -> Message:
    """The PRACK of this reliable response to the re-INVITE, answered."""
    found = call.phone << "PRACK no-body"
    assert found.get("RAck") == f"{rseq} {arrived.cseq} INVITE" and found.cseq > arrived.cseq
    call.phone >> call.answer(found, 200)
    return found


@pytest.mark.parametrize("status", [200, 488])
@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_4_7_the_contact_of_a_reliable_provisional_response_moves_who_sent_it(
    scene: Scene, holder_is_caller: bool, status: int
) -> None:
    """At once, and for good: a refusal afterwards takes nothing of it back."""
    calls = talk(scene.phone("6001"), scene.phone("6002"))
    call, far = calls if holder_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    home, far.phone.contact = far.phone.contact, moved(far)
    far.phone >> far.answer(arrived, 183, "", *RELIABLY)
    assert target(prack(far, arrived)) == "sip:elsewhere"
    call.phone << "183 INVITE"
    if status == 200:
        # A 2xx that repeats where the phone is now: it may not say another thing (§4.8).
        far.phone >> far.answer(arrived, 200, far.sdp("recvonly"))
    else:
        far.phone.contact = home
        far.phone >> far.answer(arrived, 488)
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << f"{status} INVITE")
    far.phone.contact = home
    bye_to(call, far, "sip:elsewhere")


@pytest.mark.parametrize("lines", [(), ("Supported: 100rel",), ("Require: 100rel",)])
def test_a_reliable_provisional_response_that_nobody_asked_for(scene: Scene, lines: tuple[str, ...]) -> None:
    """Whatever the holder knows: the far phone is told of no 100rel, and has its PRACK all the same, each response once, in
    order. The holder gets it unreliably, or where it demands reliable ones not at all."""
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly"), *lines)
    arrived = b.phone << "INVITE a=sendonly"
    assert not arrived.tokens("Supported") & {"100rel"} and not arrived.has("Require")
    for status, rseq, comes in ((183, 17, True), (183, 17, False), (182, 19, False), (180, 18, True), (182, 19, True)):
        b.phone >> b.answer(arrived, status, "", "Require: 100rel", f"RSeq: {rseq}")
        if comes:
            prack(b, arrived, rseq)
        if comes and lines != ("Require: 100rel",):
            progress = a.phone << f"{status} INVITE"
            assert not progress.has("RSeq") and not progress.has("Require")
        a.phone.hears_nothing()
        b.phone.hears_nothing()
    assert not a.phone.repeated and not b.phone.repeated
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("again", [True, False])
def test_the_answer_in_a_reliable_provisional_response_stands_for_the_2xx(scene: Scene, again: bool) -> None:
    """The far phone's 2xx needs no description any more (RFC 3262 §5): the holder's has one. After 491 all begins anew."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 183, b.sdp("recvonly"), *RELIABLY)
    prack(b, arrived)
    a.phone << "183 INVITE a=recvonly"
    if again:
        b.phone >> b.answer(arrived, 491)
        b.phone << "ACK"
        scene.wait(b.phone, 4.1)
        arrived = b.phone << "INVITE a=sendonly"
        b.phone >> b.answer(arrived, 183, b.sdp("inactive"), *RELIABLY)
        prack(b, arrived)
        a.phone << "183 INVITE a=inactive"
    b.phone >> b.answer(arrived, 200)
    b.phone << "ACK"
    answer = "inactive" if again else "recvonly"
    a.phone >> a.ack(a.phone << f"200 INVITE a={answer}")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    a.phone << f"200 UPDATE a={answer}"  # the same again is a refresh, answered here
    b.phone.hears_nothing()
    hang_up(a, b)


@pytest.mark.parametrize("said", ["", "inactive"])
def test_the_answer_that_was_said_reliably_stays_the_answer(scene: Scene, said: str) -> None:
    """Reliable responses behind it need none, and another description is ignored (RFC 6337 §3.1.1)."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 183, b.sdp("recvonly"), *RELIABLY)
    prack(b, arrived)
    a.phone << "183 INVITE a=recvonly"
    b.phone >> b.answer(arrived, 180, b.sdp(said) if said else "", "Require: 100rel", "RSeq: 18")
    prack(b, arrived, 18)
    a.phone << "180 INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp(said) if said else "")
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


def test_a_description_that_was_said_unreliably_is_not_the_answer(scene: Scene) -> None:
    """It is a preview: the answer stands in the 2xx (RFC 3261 §13.2.1), and nowhere where that has none."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)
    b.phone >> b.answer(arrived, 183, b.sdp("inactive"))
    a.phone << "183 INVITE a=inactive"
    b.phone >> b.answer(arrived, 200)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE no-body")
    hang_up(a, b)


def test_an_offer_in_a_reliable_provisional_response_is_not_acknowledged(scene: Scene) -> None:
    """The re-INVITE had none. Its answer would stand in the PRACK, and the holder, who gets it unreliably, has none for it:
    what is acknowledged without would leave the far phone with an offer for good."""
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 183, b.sdp(), *RELIABLY)
    b.phone.hears_nothing()
    a.phone << "183 INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp())
    b.phone << "ACK a=sendrecv"
    hang_up(a, b)


@pytest.mark.parametrize("status", [200, 488])
def test_4_5_an_update_within_the_reinvite_moves_who_was_asked(scene: Scene, status: int) -> None:
    """Who may send a request moves by that and not by a response (§4.8); whatever becomes of the re-INVITE."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    arrived = pending_hold(a, b)
    home, b.phone.contact = b.phone.contact, moved(b)
    b.phone >> b.request("UPDATE")
    b.phone << "200 UPDATE no-body"
    a.phone >> a.request("INFO")
    info = b.phone << "INFO"
    assert target(info) == "sip:elsewhere"
    b.phone >> b.answer(info, 200)
    a.phone << "200 INFO"
    b.phone >> b.answer(arrived, status, b.sdp("recvonly") if status == 200 else "")
    b.phone << "ACK"
    b.phone.contact = home
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    bye_to(a, b, "sip:elsewhere")


@pytest.mark.parametrize("status", [200, 488])
def test_4_8_an_update_is_newer_than_the_reinvite_that_it_stands_in(scene: Scene, status: int) -> None:
    """The holder moves while its re-INVITE is open: what that says, with the lower CSeq, must not move it back."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    arrived = pending_hold(a, b)
    a.phone.contact = moved(a)
    a.phone >> a.request("UPDATE")
    a.phone << "200 UPDATE no-body"
    b.phone >> b.answer(arrived, status, b.sdp("recvonly") if status == 200 else "")
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << f"{status} INVITE")
    bye_to(b, a, "sip:elsewhere")


def test_4_9_the_2xx_to_the_invite_says_where_the_dialog_goes(scene: Scene) -> None:
    """An early dialog's own Contact serves until then; a second unreliable provisional response does not change it."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    a.learn(alice << "180 INVITE")
    home, bob.contact = bob.contact, "<sip:not-here@192.0.2.12:5060>"
    bob >> b.answer(arrived, 183)
    alice << "183 INVITE"
    alice >> a.request("INFO")
    info = bob << "INFO"
    assert target(info) == "sip:6002"
    bob >> b.answer(info, 200)
    alice << "200 INFO"
    bob.contact = moved(b)
    bob >> b.answer(arrived, 200, b.sdp())
    ack = bob << "ACK"
    assert target(ack) == "sip:elsewhere"
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob.contact = home
    bye_to(a, b, "sip:elsewhere")


def bye_to(call: ScriptCall, far: ScriptCall, user: str) -> None:
    """The one hangs up; the other's BYE is for this target."""
    call.phone >> call.request("BYE")
    call.phone << "200 BYE"
    bye = far.phone << "BYE"
    assert target(bye) == user
    far.phone >> far.answer(bye, 200)
