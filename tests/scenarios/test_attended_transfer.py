"""Attended transfer (RFC 5359 §2.5, RFC 5589 §7): two calls of one party become one of the other two, by REFER with Replaces."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, is_gone, renderings, resume, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import FEATURES, Talk, aor, asked, join, lamp_of, refer, replaces, reports, settle


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


ROLES = pytest.mark.parametrize(
    ("first_is_caller", "second_is_caller"),
    [(True, True), (True, False), (False, True), (False, False)],
    ids=["calls-both", "calls-the-first", "calls-the-second", "is-called-by-both"],
)


def two_calls(scene: Scene, first_is_caller: bool = True, second_is_caller: bool = True) -> tuple[Talk, Talk]:
    """Alice's call with Bob, which she holds, and her call with Carol; each pair with Alice's side first."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    for phone in (alice, bob, carol):
        watch(phone, phone)
    a, b = talk(alice, bob) if first_is_caller else talk(bob, alice)[::-1]
    hold(a, b)
    a2, c = talk(alice, carol) if second_is_caller else talk(carol, alice)[::-1]
    scene.advance(3)
    return (a, b), (a2, c)


def transferred(scene: Scene, a: ScriptCall, b: ScriptCall, a2: ScriptCall, c: ScriptCall) -> None:
    """The two others talk, and are alone."""
    assert reports(a) == ["100 Trying active", "200 OK terminated"]
    settle(scene)
    assert lamp_of(a) == [("terminated", "")]
    assert lamp_of(b) == [("confirmed", c.phone.aor)]
    assert lamp_of(c) == [("confirmed", b.phone.aor)]
    assert renderings(b.phone) == renderings(c.phone) == ("yes", "yes")
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}


def both_end(*calls: ScriptCall) -> None:
    for call in calls:
        is_gone(call)


@ROLES
def test_attended_transfer(scene: Scene, first_is_caller: bool, second_is_caller: bool) -> None:
    (a, b), (a2, c) = two_calls(scene, first_is_caller, second_is_caller)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    both_end(*sorted((a, a2), key=lambda call: call.phone.inbox[0].call_id != call.call_id))
    transferred(scene, a, b, a2, c)
    for one, other in ((b, c), (c, b)):
        hold(one, other)
        settle(scene)
        assert renderings(one.phone) == ("no", "")
        resume(one, other)
    hang_up(b, c)
    settle(scene)
    assert lamp_of(b) == lamp_of(c) == [("terminated", "")]


def test_the_consulted_party_is_given_the_held_one(scene: Scene) -> None:
    """The REFER goes to the second call: what it asks for is the same."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a2, b.phone.aor + replaces(a))
    join(c, b)
    both_end(a2, a)
    transferred(scene, a2, b, a, c)
    hang_up(c, b)


def test_both_calls_are_held(scene: Scene) -> None:
    """As most phones do it: the one who comes is held, too, and talks at once."""
    (a, b), (a2, c) = two_calls(scene)
    hold(a2, c)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    both_end(a, a2)
    transferred(scene, a, b, a2, c)
    hang_up(b, c)


def test_tags_in_the_other_order(scene: Scene) -> None:
    """Some phones name the dialog as they see it, not as the target does."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, f"{c.phone.aor}?Replaces={a2.call_id}%3Bto-tag%3D{a2.tag}%3Bfrom-tag%3D{a2.remote_tag}")
    join(b, c)
    both_end(a, a2)
    hang_up(b, c)


def test_consultation_hold(scene: Scene) -> None:
    """RFC 5359 §2.2: Alice holds Bob, asks Carol, and goes back to Bob."""
    (a, b), (a2, c) = two_calls(scene, first_is_caller=False)
    settle(scene)
    assert sorted(lamp_of(a)) == [("confirmed", b.phone.aor), ("confirmed", c.phone.aor)]
    hang_up(a2, c)
    settle(scene)
    assert lamp_of(a) == [("confirmed", b.phone.aor)]
    assert lamp_of(c) == [("terminated", "")]
    resume(a, b)
    hang_up(a, b)


def test_who_stays_refuses(scene: Scene) -> None:
    """Both calls are what they were."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    b.phone >> b.answer(asked(b), 488)
    b.phone << "ACK"
    assert reports(a)[-1] == "488 Whatever terminated"
    hang_up(a2, c)
    resume(a, b)
    hang_up(a, b)


def test_who_comes_refuses(scene: Scene) -> None:
    """The one who stays hears in its ACK what stood before: the hold."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    b.phone >> b.answer(asked(b), 200, b.sdp("sendrecv"))
    c.phone >> c.answer(c.phone << "INVITE a=sendrecv", 488)
    c.phone << "ACK"
    b.phone << "ACK a=sendonly"
    assert reports(a)[-1] == "488 Whatever terminated"
    settle(scene)
    assert [state for state, _ in lamp_of(a)] == ["confirmed", "confirmed"]
    hold(a2, c)
    resume(a2, c)
    hang_up(a2, c)
    resume(a, b)
    hang_up(b, a)


def test_who_comes_is_gone(scene: Scene) -> None:
    """481: the second call ends, the first stands."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    b.phone >> b.answer(asked(b), 200, b.sdp("sendrecv"))
    c.phone >> c.answer(c.phone << "INVITE a=sendrecv", 481)
    c.phone << "ACK"
    b.phone << "ACK a=sendonly"
    assert reports(a)[-1] == "481 Whatever terminated"
    both_end(c, a2)
    resume(a, b)
    hang_up(a, b)


def test_who_comes_never_answers(scene: Scene) -> None:
    """As 408: the second call is lost, the first stands."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    answer = b.answer(asked(b), 200, b.sdp("sendrecv"))
    b.phone >> answer
    c.phone << "INVITE a=sendrecv"
    scene.advance(33)
    b.phone << "ACK a=sendonly"
    assert reports(a)[-1].startswith("408")
    both_end(c, a2)
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("stage", [1, 2])
def test_who_stays_hangs_up(scene: Scene, stage: int) -> None:
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    arrived = asked(b)
    if stage == 2:
        b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
        offered = c.phone << "INVITE a=sendrecv"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    if stage == 1:
        b.phone >> b.answer(arrived, 487)
        b.phone << "ACK"
    else:
        c.phone >> c.answer(offered, 200, c.sdp())
        c.phone << "ACK"
        again = c.phone << "INVITE"
        c.phone >> c.answer(again, 200, c.sdp())
        c.phone << "ACK"
    is_gone(a)
    assert reports(a)[-1] == "487 Request Terminated terminated"
    hold(a2, c)
    resume(a2, c)
    hang_up(a2, c)


@pytest.mark.parametrize("stage", [1, 2])
def test_who_comes_hangs_up(scene: Scene, stage: int) -> None:
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    arrived = asked(b)
    if stage == 2:
        b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
        offered = c.phone << "INVITE a=sendrecv"
    c.phone >> c.request("BYE")
    c.phone << "200 BYE"
    if stage == 2:
        c.phone >> c.answer(offered, 487)
        c.phone << "ACK"
    else:
        b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK a=sendonly"
    is_gone(a2)
    assert reports(a)[-1] == "487 Request Terminated terminated"
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("first", [True, False])
def test_transferor_hangs_up_meanwhile(scene: Scene, first: bool) -> None:
    """Either of its calls, or both: the two others are joined all the same."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    calls = (a, a2) if first else (a2, a)

    def hang_up_both() -> None:
        for call in calls:
            call.phone >> call.request("BYE")
            call.phone << "200 BYE"

    join(b, c, before=hang_up_both)
    a.phone.hears_nothing()
    transferred(scene, a, b, a2, c)
    hang_up(c, b)


def test_transferor_has_gone_and_it_fails(scene: Scene) -> None:
    """Nobody is left to take them back: both calls end."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    arrived = asked(b)
    for call in (a, a2):
        call.phone >> call.request("BYE")
        call.phone << "200 BYE"
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    both_end(b, c)
    assert reports(a)[-1] == "488 Whatever terminated"


def test_replaces_of_nothing_known(scene: Scene) -> None:
    (a, b), (a2, c) = two_calls(scene)
    refer(a, f"{c.phone.aor}?Replaces=nobody%3Bto-tag%3D1%3Bfrom-tag%3D2")
    assert reports(a) == ["481 Call/Transaction Does Not Exist terminated"] or reports(a)[-1].startswith("481")
    hang_up(a2, c)
    hang_up(a, b)


def test_replaces_of_the_same_call(scene: Scene) -> None:
    (a, b), (a2, c) = two_calls(scene)
    refer(a, b.phone.aor + replaces(a))
    assert reports(a)[-1].startswith("481")
    hang_up(a2, c)
    hang_up(a, b)


def test_replaces_of_somebody_elses_call(scene: Scene) -> None:
    """603, and that call hears nothing of it."""
    (a, b), (a2, c) = two_calls(scene)
    dave = scene.phone("6004")
    d, b2 = talk(dave, b.phone)
    refer(d, c.phone.aor + replaces(a2), status=603)
    hang_up(d, b2)
    hang_up(a2, c)
    hang_up(a, b)


def test_both_refer_at_once(scene: Scene) -> None:
    """One at a time for each call."""
    (a, b), (a2, c) = two_calls(scene)
    refer(a, c.phone.aor + replaces(a2))
    refer(a2, b.phone.aor + replaces(a), status=491)
    refer(c, aor("6004"), status=491)
    join(b, c)
    both_end(a, a2)
    transferred(scene, a, b, a2, c)
    hang_up(b, c)


def test_more_streams_on_one_side(scene: Scene) -> None:
    """The one who comes had video once: its m= line stays, refused, and the other one never hears of it (RFC 3264 §8)."""
    (a, b), (a2, c) = two_calls(scene)
    video = "m=video 40002 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
    c.phone >> c.invite(c.sdp() + video)
    challenge = c.phone << "407 INVITE"
    c.phone >> c.ack(challenge)
    c.phone >> c.with_credentials(challenge)
    arrived = a2.phone << "INVITE"
    a2.phone >> a2.answer(arrived, 200, a2.sdp() + "m=video 0 RTP/AVP 31\r\n")
    a2.phone << "ACK"
    c.phone >> c.ack(c.phone << "200 INVITE")
    refer(a, c.phone.aor + replaces(a2))
    b.phone >> b.answer(asked(b), 200, b.sdp("sendrecv"))
    offered = c.phone << "INVITE a=sendrecv"
    assert [line for line in offered.body.decode().splitlines() if line.startswith("m=")] == [
        "m=audio 40000 RTP/AVP 0", "m=video 0 RTP/AVP 31",
    ]  # fmt: skip
    c.phone >> c.answer(offered, 200, c.sdp() + "m=video 0 RTP/AVP 31\r\n")
    c.phone << "ACK"
    answer = b.phone << "ACK a=sendrecv"
    assert b"m=video" not in answer.body
    both_end(a, a2)
    hang_up(b, c)


def test_a_joined_call_is_transferred_again(scene: Scene) -> None:
    """Bob and Carol, whom Alice has joined; then Carol gives Bob to Dave."""
    (a, b), (a2, c) = two_calls(scene, False, False)
    refer(a, c.phone.aor + replaces(a2))
    join(b, c)
    both_end(a, a2)
    dave = scene.phone("6004")
    refer(c, dave.aor)
    arrived = dave << "INVITE no-body"
    d = ScriptCall.of(dave, arrived)
    dave >> d.answer(arrived, 200, d.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp())
    b.phone << "ACK no-body"
    dave << "ACK a=sendrecv"
    is_gone(c)
    hang_up(b, d)
