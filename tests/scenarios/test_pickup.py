"""Pickup (RFC 5359 §2.16) and Replaces (RFC 3891): a newcomer answers where another phone rings, or takes over a call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.sip.message import Message
from tests.scenarios.forwarded_call import has_set
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    called,
    hang_up,
    hold,
    invite,
    is_gone,
    renderings,
    resume,
    talk,
    watch,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import lamp_of, settle

FEATURES = ("hold", "lamps", "pickup")


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    made = make_scene(features=FEATURES)
    for user in ("6002", "6003"):
        has_set(made, user, pickup_group="kitchen")
    return made


def replaces_text(call: ScriptCall, turned: bool = False, only: str = "") -> str:
    """The Replaces header that names the dialog of this phone: as its peer knows it, or turned as some phones do it."""
    one, other = (call.tag, call.remote_tag) if turned else (call.remote_tag, call.tag)
    return f"Replaces: {call.call_id};to-tag={one};from-tag={other}{only}"


def ringing(scene: Scene) -> tuple[ScriptCall, ScriptCall, Message]:
    """Alice calls, Bob rings; Carol is in his group. Everybody's lamps are seen."""
    phones = [scene.phone(user) for user in ("6001", "6002", "6003")]
    for phone in phones:
        watch(phone, phone)
    scene.advance(1.1)
    a, b, arrived = invite(phones[0], phones[1])
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    return a, b, arrived


def by_replaces(scene: Scene, b: ScriptCall, body: str | None = None) -> ScriptCall:
    return called(scene.phones[2], b.phone.aor, replaces_text(b), "Require: replaces", body=body)


def by_code(scene: Scene, b: ScriptCall, body: str | None = None) -> ScriptCall:
    return called(scene.phones[2], "sip:*20@example.com", body=body)


def by_code_and_number(scene: Scene, b: ScriptCall, body: str | None = None) -> ScriptCall:
    return called(scene.phones[2], "sip:*206002@example.com", body=body)


WAYS = pytest.mark.parametrize("way", [by_replaces, by_code, by_code_and_number])
Way = Callable[..., ScriptCall]


def stops_ringing(b: ScriptCall, arrived: Message) -> None:
    cancel = b.phone << "CANCEL"
    assert "elsewhere" in (cancel.get("Reason") or "")
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"


def answers(c: ScriptCall) -> Message:
    """The newcomer hears 200, with a session in which nothing flows, and then the caller's offer."""
    answer = c.phone << "200 INVITE a=inactive"
    c.learn(answer)
    c.phone >> c.ack(answer)
    return c.phone << "INVITE a=sendrecv"


@WAYS
def test_pickup(scene: Scene, way: Way) -> None:
    a, b, arrived = ringing(scene)
    c = way(scene, b)
    offered = answers(c)
    b.phone.hears_nothing()
    a.phone.hears_nothing()
    c.phone >> c.answer(offered, 200, c.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    a.learn(answer)
    a.phone >> a.ack(answer)
    c.phone << "ACK no-body"
    stops_ringing(b, arrived)
    settle(scene)
    assert lamp_of(a) == [("confirmed", c.phone.aor)]
    assert lamp_of(c) == [("confirmed", a.phone.aor)]
    assert lamp_of(b) == [("terminated", "")]
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    for one, other in ((a, c), (c, a)):
        hold(one, other)
        settle(scene)
        assert renderings(one.phone) == ("no", "")
        resume(one, other)
    hang_up(c, a)


@pytest.mark.parametrize("way", [by_replaces, by_code])
def test_newcomer_without_an_offer(scene: Scene, way: Way) -> None:
    """It is given the caller's, and answers in its ACK."""
    a, b, arrived = ringing(scene)
    c = way(scene, b, "")
    answer = c.phone << "200 INVITE a=sendrecv"
    c.learn(answer)
    c.phone >> c.ack(answer, c.sdp())
    taken = a.phone << "200 INVITE a=sendrecv"
    a.learn(taken)
    a.phone >> a.ack(taken)
    stops_ringing(b, arrived)
    hold(a, c)
    resume(a, c)
    hang_up(a, c)


def test_caller_without_an_offer(scene: Scene) -> None:
    """The newcomer is asked for one, and the caller answers it."""
    phones = [scene.phone(user) for user in ("6001", "6002", "6003")]
    a, b, arrived = invite(phones[0], phones[1], "")
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    c = by_replaces(scene, b)
    answer = c.phone << "200 INVITE a=inactive"
    c.learn(answer)
    c.phone >> c.ack(answer)
    c.phone >> c.answer(c.phone << "INVITE no-body", 200, c.sdp("sendrecv"))
    taken = a.phone << "200 INVITE a=sendrecv"
    a.learn(taken)
    a.phone >> a.ack(taken, a.sdp())
    c.phone << "ACK a=sendrecv"
    stops_ringing(b, arrived)
    hang_up(a, c)


def test_nobody_has_offered_anything(scene: Scene) -> None:
    phones = [scene.phone(user) for user in ("6001", "6002", "6003")]
    a, b, arrived = invite(phones[0], phones[1], "")
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    c = by_replaces(scene, b, "")
    c.phone >> c.ack(c.phone << "488 INVITE")
    b.phone >> b.answer(arrived, 200, b.sdp())
    taken = a.phone << "200 INVITE"
    a.learn(taken)
    a.phone >> a.ack(taken, a.sdp())
    b.phone << "ACK"
    hang_up(a, b)


def test_early_media_of_the_one_that_rang(scene: Scene) -> None:
    """Whoever has heard a description takes no other in that dialog (RFC 3261 §13.2.1): the new one comes in its own."""
    phones = [scene.phone(user) for user in ("6001", "6002", "6003")]
    a, b, arrived = invite(phones[0], phones[1])
    b.phone >> b.answer(arrived, 183, b.sdp())
    first = a.phone << "183 INVITE a=sendrecv"
    c = by_replaces(scene, b)
    c.phone >> c.answer(answers(c), 200, c.sdp())
    taken = a.phone << "200 INVITE a=sendrecv"
    assert taken.to.tag != first.to.tag
    a.learn(taken)
    a.phone >> a.ack(taken)
    c.phone << "ACK"
    stops_ringing(b, arrived)
    hold(a, c)
    resume(a, c)
    hang_up(c, a)


def test_the_one_that_rang_answers_first(scene: Scene) -> None:
    """The newcomer's answer comes too late: it hears BYE."""
    a, b, arrived = ringing(scene)
    c = by_replaces(scene, b)
    offered = answers(c)
    b.phone >> b.answer(arrived, 200, b.sdp())
    taken = a.phone << "200 INVITE"
    a.learn(taken)
    a.phone >> a.ack(taken)
    b.phone << "ACK"
    c.phone >> c.answer(offered, 200, c.sdp())
    c.phone << "ACK"
    is_gone(c)
    hang_up(a, b)


def test_the_answer_of_the_one_that_rang_crosses(scene: Scene) -> None:
    """It is acknowledged and given back (RFC 3261 §9.1)."""
    a, b, arrived = ringing(scene)
    c = by_replaces(scene, b)
    c.phone >> c.answer(answers(c), 200, c.sdp())
    taken = a.phone << "200 INVITE"
    a.learn(taken)
    a.phone >> a.ack(taken)
    c.phone << "ACK"
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(arrived, 200, b.sdp())
    b.phone >> b.answer(cancel, 200)
    b.phone << "ACK"
    is_gone(b)
    hang_up(c, a)


def test_the_caller_gives_up_meanwhile(scene: Scene) -> None:
    a, b, arrived = ringing(scene)
    c = by_replaces(scene, b)
    offered = answers(c)
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    cancel = b.phone << "CANCEL"
    b.phone >> b.answer(cancel, 200)
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    c.phone >> c.answer(offered, 200, c.sdp())
    c.phone << "ACK"
    is_gone(c)


@pytest.mark.parametrize("status", [488, 491, 481])
def test_newcomer_refuses_the_callers_offer(scene: Scene, status: int) -> None:
    """The phone rings on as if nobody had come."""
    a, b, arrived = ringing(scene)
    c = by_replaces(scene, b)
    offered = answers(c)
    for _ in range(3 if status == 491 else 1):
        c.phone >> c.answer(offered, status)
        c.phone << "ACK"
        if status == 491 and _ < 2:
            scene.wait(c.phone, 4.2)
            offered = c.phone << "INVITE a=sendrecv"
    is_gone(c)
    b.phone >> b.answer(arrived, 200, b.sdp())
    taken = a.phone << "200 INVITE"
    a.learn(taken)
    a.phone >> a.ack(taken)
    b.phone << "ACK"
    hang_up(a, b)


def test_newcomer_hangs_up(scene: Scene) -> None:
    a, b, arrived = ringing(scene)
    c = by_replaces(scene, b)
    offered = answers(c)
    c.phone >> c.request("BYE")
    c.phone << "200 BYE"
    c.phone >> c.answer(offered, 487)
    c.phone << "ACK"
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


# ---- a call that stands


@pytest.mark.parametrize("owner_is_caller", [True, False])
@pytest.mark.parametrize("offer", [True, False])
def test_a_call_is_taken_over_by_the_users_other_phone(scene: Scene, owner_is_caller: bool, offer: bool) -> None:
    """RFC 3891 §5: it is the same user; the party that stays is asked once, the old phone hears BYE."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b = talk(alice, bob) if owner_is_caller else talk(bob, alice)[::-1]
    hold(a, b)
    desk = scene.phone("6001", device=1)
    watch(bob, bob)
    d = called(desk, bob.aor, replaces_text(a), "Require: replaces", body=None if offer else "")
    if offer:
        b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
        b.phone << "ACK no-body"
    else:
        b.phone >> b.answer(b.phone << "INVITE no-body", 200, b.sdp("sendrecv"))
    answer = d.phone << "200 INVITE a=sendrecv"
    d.learn(answer)
    d.phone >> d.ack(answer, "" if offer else d.sdp())
    if not offer:
        b.phone << "ACK a=sendrecv"
    is_gone(a)
    settle(scene)
    assert lamp_of(b) == [("confirmed", alice.aor)]
    assert renderings(bob) == ("yes", "yes")
    for one, other in ((d, b), (b, d)):
        hold(one, other)
        resume(one, other)
    hang_up(d, b)


def test_who_stays_refuses_the_newcomer(scene: Scene) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    d = called(scene.phone("6001", device=1), b.phone.aor, replaces_text(a))
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    d.phone >> d.ack(d.phone << "488 INVITE")
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_newcomer_gives_up(scene: Scene) -> None:
    """CANCEL while the party that stays is asked: that one hears again what stood."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    d = called(scene.phone("6001", device=1), b.phone.aor, replaces_text(a))
    offered = b.phone << "INVITE a=sendrecv"
    d.phone >> d.cancel()
    d.phone << "200 CANCEL"
    d.phone >> d.ack(d.phone << "487 INVITE")
    b.phone >> b.answer(offered, 200, b.sdp())
    b.phone << "ACK"
    again = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(again, 200, b.sdp())
    b.phone << "ACK"
    hang_up(a, b)


@pytest.mark.parametrize("who", ["replaced", "stays"])
def test_hang_up_while_the_newcomer_comes(scene: Scene, who: str) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    d = called(scene.phone("6001", device=1), b.phone.aor, replaces_text(a))
    offered = b.phone << "INVITE a=sendrecv"
    if who == "replaced":
        a.phone >> a.request("BYE")
        a.phone << "200 BYE"
        b.phone >> b.answer(offered, 200, b.sdp())
        b.phone << "ACK"
        answer = d.phone << "200 INVITE"
        d.learn(answer)
        d.phone >> d.ack(answer)
        hang_up(d, b)
    else:
        b.phone >> b.request("BYE")
        b.phone << "200 BYE"
        b.phone >> b.answer(offered, 487)
        b.phone << "ACK"
        is_gone(a)
        d.phone >> d.ack(d.phone << "487 INVITE")


# ---- who may not, and what cannot be


def test_who_is_not_in_the_group(scene: Scene) -> None:
    """403 by Replaces; by code there is nothing to pick up."""
    a, b, arrived = ringing(scene)
    dave = scene.phone("6004")
    d = called(dave, b.phone.aor, replaces_text(b))
    dave >> d.ack(dave << "403 INVITE")
    d = called(dave, "sip:*206002@example.com")
    dave >> d.ack(dave << "404 INVITE")
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def test_nothing_rings(scene: Scene) -> None:
    carol = scene.phone("6003")
    c = called(carol, "sip:*20@example.com")
    carol >> c.ack(carol << "404 INVITE")


def test_the_group_does_not_take_over_a_call_that_stands(scene: Scene) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    carol = scene.phone("6003")
    c = called(carol, a.phone.aor, replaces_text(b))
    carol >> c.ack(carol << "403 INVITE")
    hang_up(a, b)


@pytest.mark.parametrize(
    ("value", "status"),
    [("nobody;to-tag=1;from-tag=2", 481), ("nobody;to-tag=1", 400), ("x;to-tag=1;to-tag=2;from-tag=3", 400), (";;;", 400)],
)
def test_what_names_no_dialog(scene: Scene, value: str, status: int) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = called(alice, bob.aor, f"Replaces: {value}")
    alice >> a.ack(alice << f"{status} INVITE")


def test_early_only_and_a_call_that_stands_is_486(scene: Scene) -> None:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    d = called(scene.phone("6001", device=1), b.phone.aor, replaces_text(a, only=";early-only"))
    d.phone >> d.ack(d.phone << "486 INVITE")
    hang_up(a, b)


def test_a_call_that_is_ending_is_603(scene: Scene) -> None:
    """Our BYE has no answer yet."""
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    desk = scene.phone("6002", device=1)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    d = called(desk, a.phone.aor, replaces_text(b))
    d.phone >> d.ack(d.phone << "603 INVITE")
    b.phone >> b.answer(bye, 200)


def test_the_callers_own_early_dialog_is_481(scene: Scene) -> None:
    """RFC 3891 §3: only a dialog that this side has asked for can be replaced before it is answered."""
    a, b, arrived = ringing(scene)
    a.remote_tag = _tag_of_180(scene)
    d = called(scene.phone("6001", device=1), b.phone.aor, replaces_text(a))
    d.phone >> d.ack(d.phone << "481 INVITE")
    b.phone >> b.answer(arrived, 486)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "486 INVITE")


def _tag_of_180(scene: Scene) -> str:
    """The To tag that the caller was told."""
    return next(
        step.message.to.tag for step in reversed(scene.network.ladder)
        if (step.source, step.destination) == ("SM", "6001") and str(step.message).startswith("SIP/2.0 180")
    )  # fmt: skip


def test_tags_turned(scene: Scene) -> None:
    a, b, arrived = ringing(scene)
    c = called(scene.phones[2], b.phone.aor, replaces_text(b, turned=True, only=";early-only"))
    c.phone >> c.answer(answers(c), 200, c.sdp())
    taken = a.phone << "200 INVITE"
    a.learn(taken)
    a.phone >> a.ack(taken)
    c.phone << "ACK"
    stops_ringing(b, arrived)
    hang_up(a, c)


def test_without_the_feature_it_is_420_or_an_ordinary_call(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    d = called(scene.phone("6003"), b.phone.aor, replaces_text(a), "Require: replaces")
    d.phone >> d.ack(d.phone << "420 INVITE")
    hang_up(a, b)
