"""The race flows of RFC 5407, each with this server in between; more of §3.3.1, crossing re-INVITEs, is in test_glare.py."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import (
    TIMEOUT,
    MakeScene,
    Scene,
    as_it_was,
    hang_up,
    hold,
    invite,
    is_gone,
    lamps_are_back,
    pending_hold,
    renderings,
    resume,
    send_offer,
    talk,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.virtual_network import perfect


def test_3_1_4_reinvite_overtakes_the_ack(scene: Scene) -> None:
    """The offer of the INVITE is answered: the re-INVITE goes on, the late ACK changes nothing."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    ack = a.ack(answer)
    hold(a, b)
    alice >> ack
    scene.advance(5)
    assert not alice.repeated
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("offer", ["sendonly", ""])
@pytest.mark.parametrize("asks_caller", [True, False])
def test_3_1_4_the_ack_arrives_while_the_reinvite_is_open(scene: Scene, offer: str, asks_caller: bool) -> None:
    """It is for the 2xx of before: the far phone is sent no ACK for it, and no answer."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    ack = a.ack(answer)
    call, far = (a, b) if asks_caller else (b, a)
    send_offer(call, call.sdp(offer) if offer else "")
    arrived = far.phone << ("INVITE a=sendonly" if offer else "INVITE no-body")
    if offer:
        alice >> ack
        far.phone.hears_nothing()
    far.phone >> far.answer(arrived, 200, far.sdp("recvonly" if offer else "sendrecv"))
    if offer:
        far.phone << "ACK no-body"
    final = call.phone << "200 INVITE"
    if not offer:
        alice >> ack
        far.phone.hears_nothing()
    call.phone >> call.ack(final, "" if offer else call.sdp())
    if not offer:
        far.phone << "ACK a=sendrecv"
    hang_up(a, b)


def test_3_1_5_reinvite_overtakes_the_ack_with_the_answer(scene: Scene) -> None:
    """The offer of the 2xx is not answered yet: 491, and after the ACK the re-INVITE goes."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    offer = alice << "200 INVITE"
    a.learn(offer)
    ack = a.ack(offer, a.sdp())
    send_offer(a, a.sdp("sendonly"))
    alice >> a.ack(alice << "491 INVITE")
    bob.hears_nothing()
    alice >> ack
    bob << "ACK a=sendrecv"
    a.version, a._direction = 1, "sendrecv"
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_3_2_2_reinvite_crosses_with_bye(scene: Scene) -> None:
    """481 to the re-INVITE, 200 to the BYE; nothing more."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice >> a.request("BYE")
    alice << "200 BYE"
    bye = bob << "BYE"
    send_offer(b, b.sdp("sendonly"))
    bob >> b.ack(bob << "481 INVITE")
    bob >> b.answer(bye, 200)
    alice.hears_nothing()


def test_3_3_1_reinvite_crossover(scene: Scene) -> None:
    """A hold and a session refresh cross: 491 to both. The one who did not make the Call-ID comes back within 2 s and is
    answered, the other after 2.1 to 4 s. In between stands Communication Manager, which holds its answer to Alice back until
    Bob, its callee, comes back."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)  # F5
    send_offer(b, b.sdp("sendrecv"))  # F6
    b.phone >> b.ack(b.phone << "491 INVITE")  # F7, F10
    b.phone >> b.answer(arrived, 491)  # F8
    b.phone << "ACK"  # F9
    scene.advance(0.8)
    a.phone.hears_nothing()
    send_offer(b, b.sdp("sendrecv"))  # F11
    a.phone >> a.ack(a.phone << "491 INVITE")
    b.phone >> b.ack(b.phone << "200 INVITE a=sendrecv")  # F12, F13
    lamps_are_back(scene, a, b)
    scene.advance(3.0)
    b.phone.hears_nothing()
    as_it_was(a)
    hold(a, b)  # F14 to F16
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def held_by_update(call: ScriptCall, far: ScriptCall) -> None:
    """The phone's UPDATE goes on as a re-INVITE, since the far phone may know no UPDATE; its answer comes back in the 200."""
    call.phone >> call.request("UPDATE", call.sdp("sendonly"))
    arrived = far.phone << "INVITE a=sendonly"
    far.phone >> far.answer(arrived, 200, far.sdp("recvonly"))
    far.phone << "ACK"
    call.phone << "200 UPDATE a=recvonly"


def test_3_3_2_update_and_reinvite_crossover(scene: Scene) -> None:
    """A hold by UPDATE and a session refresh cross: 491 to both, and each comes back in its band. Communication Manager holds
    its answer to Alice back until Bob, who did not make the Call-ID, comes back."""
    a, b = watched_call(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))  # F5
    arrived = b.phone << "INVITE a=sendonly"
    send_offer(b, b.sdp())  # F6
    b.phone >> b.ack(b.phone << "491 INVITE")  # F8, F9
    b.phone >> b.answer(arrived, 491)  # F7
    b.phone << "ACK"
    scene.advance(1.2)
    a.phone.hears_nothing()
    send_offer(b, b.sdp())  # F10
    b.phone >> b.ack(b.phone << "200 INVITE a=sendrecv")  # F11, F12
    a.phone << "491 UPDATE"
    as_it_was(a)
    lamps_are_back(scene, a, b)
    scene.advance(2.0)
    b.phone.hears_nothing()
    held_by_update(a, b)  # F13, F14
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "") and renderings(b.phone) == ("", "no")
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(4)
@pytest.mark.parametrize("comes_back", [True, False])
def test_3_3_2_the_other_way_about(scene: Scene, comes_back: bool) -> None:
    """Alice's re-INVITE, Bob's UPDATE. Bob comes back within 2 s: his goes first, as a re-INVITE of his does, and Alice hears
    491. Where he wants it no more, Communication Manager's own retry is what he answers."""
    a, b = watched_call(scene)
    arrived = pending_hold(a, b)  # F6
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))  # F5
    b.phone << "491 UPDATE"  # F7
    as_it_was(b)
    b.phone >> b.answer(arrived, 491)  # F8
    b.phone << "ACK"  # F9
    assert renderings(a.phone) == ("no", "")
    if not comes_back:
        scene.wait(b.phone, 4.1)
        again = b.phone << "INVITE a=sendonly"
        b.phone >> b.answer(again, 200, b.sdp("recvonly"))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
        hang_up(a, b)
        return
    scene.advance(1.2)
    a.phone.hears_nothing()
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))  # F13
    a.phone >> a.ack(a.phone << "491 INVITE")
    as_it_was(a)
    arrived = a.phone << "INVITE a=sendonly"
    a.phone >> a.answer(arrived, 200, a.sdp("recvonly"))
    a.phone << "ACK"
    b.phone << "200 UPDATE a=recvonly"  # F14
    assert scene.count("glare", "yielded") == 1
    scene.advance(1.1)
    assert renderings(a.phone) == ("", "no") and renderings(b.phone) == ("no", "")
    scene.advance(3.0)
    b.phone.hears_nothing()
    send_offer(a, a.sdp("inactive"))  # F10
    arrived = b.phone << "INVITE a=inactive"
    b.phone >> b.answer(arrived, 200, b.sdp("inactive"))  # F11
    b.phone << "ACK"  # F12
    a.phone >> a.ack(a.phone << "200 INVITE a=inactive")
    hang_up(a, b)


@pytest.mark.parametrize("inviter_is_caller", [True, False])
def test_3_3_2_update_without_a_description_crosses_with_a_reinvite(scene: Scene, inviter_is_caller: bool) -> None:
    """Nothing is offered in it: 200 to both."""
    calls = watched_call(scene)
    call, far = calls if inviter_is_caller else calls[::-1]
    arrived = pending_hold(call, far)
    far.phone >> far.request("UPDATE")
    far.phone << "200 UPDATE no-body"
    call.phone >> call.request("UPDATE")
    call.phone << "200 UPDATE no-body"
    far.phone >> far.answer(arrived, 200, far.sdp("recvonly"))
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << "200 INVITE a=recvonly")
    assert scene.server.observer.counts["glare"] == {}
    resume(call, far)
    hang_up(call, far)


def test_3_3_2_updates_cross_and_one_has_no_description(scene: Scene) -> None:
    """The same of two UPDATEs: 200 to both."""
    a, b = watched_call(scene)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.request("UPDATE")
    b.phone << "200 UPDATE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 UPDATE a=recvonly"
    resume(a, b)
    hang_up(a, b)


@pytest.mark.row(4)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_what_was_given_way_waits_for_the_ack_of_the_491(make_scene: MakeScene, method: str) -> None:
    """The ACK of Alice's 491 is lost on the link, and she is back at once: one offer a call, so hers gets 491 again."""
    scene = make_scene()
    if scene.server.options.link != "udp":
        return
    a, b = watched_call(scene)
    b.phone >> b.answer(pending_hold(a, b), 491)
    b.phone << "ACK"
    scene.network.link_rule = lambda index, data: () if data.startswith(b"ACK") else (0.0,)
    if method == "INVITE":
        send_offer(b, b.sdp("sendonly"))
    else:
        b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "491 INVITE")
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "491 INVITE")
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    a.phone << "491 UPDATE"
    if method == "UPDATE":  # nor may who has asked ask for more before that is answered
        send_offer(b, b.sdp("inactive"))
        b.phone >> b.ack(b.phone << "491 INVITE")
    as_it_was(a)
    scene.network.link_rule = perfect
    scene.wait(a.phone, 1.1)
    arrived = a.phone << "INVITE a=sendonly"
    a.phone >> a.answer(arrived, 200, a.sdp("recvonly"))
    a.phone << "ACK"
    answer = b.phone << f"200 {method} a=recvonly"
    if method == "INVITE":
        b.phone >> b.ack(answer)
    hang_up(a, b)


@pytest.mark.row(6)
def test_what_was_given_way_may_be_cancelled_before_the_ack_of_the_491(make_scene: MakeScene) -> None:
    """Bob has his 100 and may (RFC 3261 §9.1): 487, and Alice never hears of it, nor when the ACK has come."""
    scene = make_scene()
    if scene.server.options.link != "udp":
        return
    a, b = watched_call(scene)
    b.phone >> b.answer(pending_hold(a, b), 491)
    b.phone << "ACK"
    scene.network.link_rule = lambda index, data: () if data.startswith(b"ACK") else (0.0,)
    send_offer(b, b.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "491 INVITE")
    b.phone >> b.cancel()
    b.phone << "200 CANCEL"
    b.phone >> b.ack(b.phone << "487 INVITE")
    as_it_was(a)
    as_it_was(b)
    scene.network.link_rule = perfect
    scene.advance(5)
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    lamps_are_back(scene, a, b)
    hold(a, b)
    hang_up(a, b)


def test_an_update_that_was_given_way_is_answered_though_the_ack_never_comes(make_scene: MakeScene) -> None:
    """504 while its sender waits still; the call stands."""
    scene = make_scene()
    if scene.server.options.link != "udp":
        return
    a, b = watched_call(scene)
    b.phone >> b.answer(pending_hold(a, b), 491)
    b.phone << "ACK"
    scene.network.link_rule = lambda index, data: () if data.startswith(b"ACK") else (0.0,)
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "491 INVITE")
    as_it_was(a)
    scene.advance(27.9)
    b.phone.hears_nothing()
    scene.advance(0.3)
    b.phone << "504 UPDATE"
    as_it_was(b)
    scene.advance(5)
    a.phone.hears_nothing()
    scene.network.link_rule = perfect
    hold(b, a)
    hang_up(a, b)


def test_callee_holds_before_the_callers_ack(scene: Scene) -> None:
    """CM acknowledged the callee at once, so it may hold while the caller's ACK is still on its way."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    hold(b, a)
    alice >> a.request("ACK", cseq=answer.cseq)
    scene.advance(5)
    resume(b, a)
    hang_up(a, b)


def callee_ends_before_the_ack(scene: Scene) -> tuple[ScriptCall, Message]:
    """The caller's call, and the 200 that it has not acknowledged yet."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE"
    a.learn(answer)
    bob >> b.request("BYE")
    bob << "200 BYE"
    # A BYE now might overtake the 200, and find no dialog (RFC 3261 §15).
    alice.hears_nothing()
    return a, answer


def test_callee_ends_before_the_callers_ack(scene: Scene) -> None:
    a, answer = callee_ends_before_the_ack(scene)
    a.phone >> a.ack(answer)
    is_gone(a)


def test_callee_ends_and_the_callers_ack_never_comes(scene: Scene) -> None:
    a, _ = callee_ends_before_the_ack(scene)
    scene.advance(TIMEOUT)
    is_gone(a)


def test_callee_ends_and_the_caller_too_before_its_ack_arrives(scene: Scene) -> None:
    a, _ = callee_ends_before_the_ack(scene)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"


def test_far_reinvite_while_the_offerless_one_waits_for_its_answer(scene: Scene) -> None:
    """Serialised per call up to the ACK that carries the answer."""
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE"
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.version, b._direction = 1, "sendrecv"
    a.phone >> a.ack(offer, a.sdp())
    b.phone << "ACK a=sendrecv"
    hold(b, a)
    scene.advance(1.1)
    assert renderings(b.phone) == ("no", "")
    resume(b, a)
    hang_up(a, b)


@pytest.mark.parametrize("method", ["INFO", "BYE"])
def test_requests_while_the_far_phone_is_silent(scene: Scene, method: str) -> None:
    """What does not concern the session is not held up by a pending re-INVITE."""
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(3)
    a.phone >> a.request(method)
    far = b.phone << method
    b.phone >> b.answer(far, 200)
    a.phone << f"200 {method}"
    if method == "BYE":
        a.phone >> a.ack(a.phone << "487 INVITE")
        b.phone >> b.answer(arrived, 487)
        b.phone << "ACK"
        return
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    hang_up(a, b)
