"""The race flows of RFC 5407, each with this server in between; more of §3.3.1, crossing re-INVITEs, is in test_glare.py."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import (
    TIMEOUT,
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


def test_3_3_2_update_crosses_with_a_reinvite(scene: Scene) -> None:
    """An offer while ours is open on that dialog: 491 (RFC 3311 §5.2); the hold goes on."""
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    b.phone << "491 UPDATE"
    b.version, b._direction = 1, "sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
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
