"""What the observer measures of whole calls, registrations and lamps, on the clock of the scenario."""

from __future__ import annotations

import pytest

from b2bua.observer import Histogram
from tests.scenarios.scene import (
    Scene,
    answered,
    called,
    hang_up,
    hold,
    invite,
    is_gone,
    pending_hold,
    reinvite,
    resume,
    send_offer,
    talk,
    watch,
)


def seconds(scene: Scene, name: str, label: str = "") -> tuple[int, float]:
    """How often something was measured, and the sum to a tenth of a second."""
    histogram = scene.server.observer.histograms[name].get(label) or Histogram(())
    return sum(histogram.counts), round(histogram.total, 1)


def attempts(scene: Scene) -> dict[str, int]:
    return {code: number for (code,), number in scene.server.observer.counts["call_attempts"].items()}


# ---- calls


def test_a_call(scene: Scene) -> None:
    """INVITE, 2 s, 180, 4 s, 200, 10 s, BYE."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 100)
    scene.advance(2)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    assert (seconds(scene, "post_dial_delay_seconds"), seconds(scene, "call_setup_seconds")) == ((1, 2.0), (0, 0.0))
    scene.advance(1)
    bob >> b.answer(arrived, 183)
    alice << "183 INVITE"
    scene.advance(3)
    answered(a, b, arrived)
    assert (seconds(scene, "post_dial_delay_seconds"), seconds(scene, "call_setup_seconds")) == ((1, 2.0), (1, 6.0))
    scene.advance(10)
    assert seconds(scene, "call_duration_seconds") == (0, 0.0)
    hang_up(a, b)
    assert seconds(scene, "call_duration_seconds") == (1, 10.0)
    assert attempts(scene) == {"200": 1}
    # The challenged INVITE does not count; the other one waited for its answer.
    # Over a network the link's two count as well.
    times = 1 if scene.server.options.link == "memory" else 3
    assert seconds(scene, "transaction_seconds", "INVITE") == (times, times * 6.0)
    assert seconds(scene, "transaction_seconds", "BYE") == (times, 0.0)


def test_a_call_that_never_rings(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 100)
    scene.advance(3)
    answered(a, b, arrived)
    assert (seconds(scene, "post_dial_delay_seconds"), seconds(scene, "call_setup_seconds")) == ((1, 3.0), (1, 3.0))
    hang_up(a, b)


@pytest.mark.parametrize("status", [302, 404, 480, 486, 603])
def test_a_refused_call_is_an_attempt_and_no_setup(scene: Scene, status: int) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, status)
    bob << "ACK"
    alice >> a.ack(alice << f"{status} INVITE")
    scene.advance(1)
    assert attempts(scene) == {str(status): 1}
    names = ("post_dial_delay_seconds", "call_setup_seconds", "call_duration_seconds")
    assert [seconds(scene, name) for name in names] == [(0, 0.0)] * 3


def test_a_call_to_nobody(scene: Scene) -> None:
    alice = scene.phone("6001")
    scene.phone("6002", registered=False)
    a = called(alice, "sip:6002@example.com")
    alice >> a.ack(alice << "480 INVITE")
    assert attempts(scene) == {"480": 1}


def test_a_cancelled_call(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 180)
    alice << "180 INVITE"
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    bob >> b.answer(bob << "CANCEL", 200)
    bob >> b.answer(arrived, 487)
    bob << "ACK"
    assert attempts(scene) == {"487": 1}


def test_a_hold_is_no_attempt(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(a, b)
    resume(a, b)
    hang_up(a, b)
    assert attempts(scene) == {"200": 1}
    assert seconds(scene, "call_setup_seconds")[0] == 1


# ---- held calls


def held(scene: Scene) -> tuple[int, float]:
    """Calls held, and the seconds of the longest."""
    b2bua = scene.server.b2bua
    return b2bua.calls()["held"], round(b2bua.longest_hold(), 1)


def test_how_long_a_call_is_held(scene: Scene) -> None:
    alice, bob, carol, dave = (scene.phone(user) for user in ("6001", "6002", "6003", "6004"))
    a, b = talk(alice, bob)
    c, d = talk(carol, dave)
    assert held(scene) == (0, 0.0)
    hold(a, b)
    scene.advance(60)
    hold(d, c)
    scene.advance(30)
    assert held(scene) == (2, 90.0)
    resume(a, b)
    assert held(scene) == (1, 30.0)
    hang_up(c, d)
    assert held(scene) == (0, 0.0)
    hold(b, a)
    scene.advance(5)
    assert held(scene) == (1, 5.0)
    hang_up(a, b)
    assert held(scene) == (0, 0.0)


def test_when_both_hold_the_first_one_counts(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(a, b)
    scene.advance(10)
    reinvite(b, a, "inactive", "inactive")
    scene.advance(10)
    assert held(scene) == (1, 20.0)
    hang_up(a, b)


def test_a_refused_hold_is_none(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    arrived = pending_hold(a, b)
    bob >> b.answer(arrived, 488)
    bob << "ACK"
    alice >> a.ack(alice << "488 INVITE")
    scene.advance(10)
    assert held(scene) == (0, 0.0)
    hang_up(a, b)


def test_a_call_whose_held_phone_is_gone_is_held_no_more(scene: Scene) -> None:
    """481 to the resume ends the call."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    hold(a, b)
    send_offer(a, a.sdp("sendrecv"))
    bob >> b.answer(bob << "INVITE", 481)
    bob << "ACK"
    alice >> a.ack(alice << "481 INVITE")
    is_gone(a)
    is_gone(b)
    assert held(scene) == (0, 0.0)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 0}


# ---- re-INVITEs by kind


def test_a_repeated_description_is_a_refresh(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    send_offer(a, a.sdp())
    alice >> a.ack(alice << "200 INVITE")
    assert scene.count("reinvites", "refresh", "ok") == 1
    hang_up(a, b)


def test_a_new_contact_alone_is_a_new_target(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob)
    alice.contact = "<sip:moved@192.0.2.11:5060>"
    send_offer(a, a.sdp())
    alice >> a.ack(alice << "200 INVITE")
    assert (scene.count("reinvites", "target", "ok"), scene.count("reinvites", "refresh", "ok")) == (1, 0)
    hang_up(a, b)


# ---- the rest


def test_a_registration_is_measured_without_its_challenge(scene: Scene) -> None:
    scene.phone("6001")
    assert seconds(scene, "register_seconds") == (1, 0.0)
    assert seconds(scene, "transaction_seconds", "REGISTER") == (1, 0.0)


def test_a_lamp_from_the_change_to_the_answer(scene: Scene) -> None:
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    watch(carol, alice)
    scene.advance(2)
    before = seconds(scene, "notify_latency_seconds", "dialog")
    assert before == (0, 0.0)  # the document that follows a SUBSCRIBE tells no change
    a, b = talk(alice, bob)
    first, sofar = seconds(scene, "notify_latency_seconds", "dialog")
    assert (first, sofar) == (1, 0.0)
    # What came within the second is folded: it waited since its first change.
    scene.advance(1.1)
    second, sofar = seconds(scene, "notify_latency_seconds", "dialog")
    assert second == 2 and 0.9 <= sofar <= 1.1
    hang_up(a, b)
    scene.advance(5)
