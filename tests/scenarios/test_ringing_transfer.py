"""Attended transfer while the second call still rings: REFER with Replaces to a dialog that is not answered (RFC 5589 §7)."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, invite, is_gone, renderings, resume, talk, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import FEATURES, asked, join, lamp_of, refer, replaces, reports, settle


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


Stage = tuple[ScriptCall, ScriptCall, ScriptCall, ScriptCall, Message]

ROLES = pytest.mark.parametrize("first_is_caller", [True, False], ids=["calls-the-first", "is-called-by-the-first"])


def ringing(scene: Scene, first_is_caller: bool = True, rings: bool = True) -> Stage:
    """Alice holds Bob and calls Carol, whose phone rings: both sides of either call, Alice's first, and the INVITE there."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    for phone in (alice, bob, carol):
        watch(phone, phone)
    a, b = talk(alice, bob) if first_is_caller else talk(bob, alice)[::-1]
    hold(a, b)
    scene.advance(3)
    a2, c, arrived = invite(alice, carol)
    if rings:
        carol >> c.answer(arrived, 180)
        a2.learn(alice << "180 INVITE")
    scene.advance(3)
    return a, b, a2, c, arrived


def picks_up(c: ScriptCall, arrived: Message) -> None:
    c.phone >> c.answer(arrived, 200, c.sdp())
    c.phone << "ACK"


def gives_up(a2: ScriptCall) -> None:
    """Alice hangs up on the call that rings: she is done with it, and Carol hears nothing."""
    a2.phone >> a2.cancel()
    a2.phone << "200 CANCEL"
    a2.phone >> a2.ack(a2.phone << "487 INVITE")


def joined(scene: Scene, b: ScriptCall, c: ScriptCall) -> None:
    """The two others talk, and are alone."""
    settle(scene)
    assert lamp_of(b) == [("confirmed", c.phone.aor)]
    assert lamp_of(c) == [("confirmed", b.phone.aor)]
    assert renderings(b.phone) == renderings(c.phone) == ("yes", "yes")
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    for one, other in ((b, c), (c, b)):
        hold(one, other)
        settle(scene)
        assert renderings(one.phone) == ("no", "")
        resume(one, other)
    hang_up(c, b)
    settle(scene)
    assert lamp_of(b) == lamp_of(c) == [("terminated", "")]


@ROLES
def test_transferor_stays_until_the_target_answers(scene: Scene, first_is_caller: bool) -> None:
    a, b, a2, c, arrived = ringing(scene, first_is_caller)
    refer(a, c.phone.aor + replaces(a2))
    assert reports(a) == ["100 Trying active", "180 Ringing active"]
    c.phone >> c.answer(arrived, 200, c.sdp())
    c.phone << "ACK"
    a.phone >> a2.ack(a.phone << "200 INVITE a=sendrecv")
    scene.advance(0.2)
    join(b, c)
    is_gone(a)
    is_gone(a2)
    assert reports(a)[-1] == "200 OK terminated"
    joined(scene, b, c)


@ROLES
def test_transferor_gives_the_second_call_up(scene: Scene, first_is_caller: bool) -> None:
    """As phones do it that have been told 202: the target rings on, for whoever is held."""
    a, b, a2, c, arrived = ringing(scene, first_is_caller)
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    settle(scene)
    assert lamp_of(a) == [("confirmed", b.phone.aor)]
    assert lamp_of(c) == [("early", b.phone.aor)]
    picks_up(c, arrived)
    join(b, c)
    is_gone(a)
    assert reports(a)[-1] == "200 OK terminated"
    joined(scene, b, c)


def test_transferor_hangs_up_on_both(scene: Scene) -> None:
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    b.phone.hears_nothing()
    picks_up(c, arrived)
    join(b, c)
    joined(scene, b, c)


def test_target_does_not_ring_yet(scene: Scene) -> None:
    """It has been asked, and has said nothing: there is a dialog for Alice's phone only once it rings."""
    a, b, a2, c, arrived = ringing(scene, rings=False)
    refer(a, f"{c.phone.aor}?Replaces={a2.call_id}%3Bto-tag%3D0%3Bfrom-tag%3D{a2.tag}")
    assert reports(a)[-1].startswith("481")
    c.phone >> c.answer(arrived, 180)
    a2.learn(a2.phone << "180 INVITE")
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    picks_up(c, arrived)
    join(b, c)
    is_gone(a)
    joined(scene, b, c)


@pytest.mark.parametrize("status", [486, 603, 480])
def test_target_refuses(scene: Scene, status: int) -> None:
    """Alice hears it on both calls, and has Bob on hold as before."""
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    c.phone >> c.answer(arrived, status)
    c.phone << "ACK"
    a.phone >> a2.ack(a.phone << f"{status} INVITE")
    assert reports(a)[-1].startswith(f"{status} ") and reports(a)[-1].endswith(" terminated")
    settle(scene)
    assert lamp_of(a) == [("confirmed", b.phone.aor)]
    resume(a, b)
    hang_up(a, b)


def test_target_refuses_when_the_transferor_has_given_up(scene: Scene) -> None:
    """The old call stands: Bob is not lost."""
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    c.phone >> c.answer(arrived, 486)
    c.phone << "ACK"
    assert reports(a)[-1] == "486 Busy Here terminated"
    settle(scene)
    assert lamp_of(c) == [("terminated", "")]
    resume(a, b)
    hang_up(a, b)


def test_target_refuses_when_the_transferor_has_gone(scene: Scene) -> None:
    """Nobody is left to take Bob back."""
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    c.phone >> c.answer(arrived, 486)
    c.phone << "ACK"
    is_gone(b)


@pytest.mark.parametrize("given_up", [True, False])
def test_who_stays_hangs_up(scene: Scene, given_up: bool) -> None:
    """Nobody is to be had for Carol; Alice's own call to her rings on, unless she has given it up."""
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    if given_up:
        gives_up(a2)
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    is_gone(a)
    assert reports(a)[-1] == "487 Request Terminated terminated"
    if given_up:
        cancel = c.phone << "CANCEL"
        c.phone >> c.answer(cancel, 200)
        c.phone >> c.answer(arrived, 487)
        c.phone << "ACK"
        return
    c.phone >> c.answer(arrived, 200, c.sdp())
    c.phone << "ACK"
    answer = a.phone << "200 INVITE"
    a2.learn(answer)
    a.phone >> a2.ack(answer)
    hang_up(a2, c)


@pytest.mark.parametrize("given_up", [True, False])
def test_who_stays_refuses(scene: Scene, given_up: bool) -> None:
    """The old call stands; the second one goes on with Alice, and ends where nobody is left in it."""
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    if given_up:
        gives_up(a2)
    c.phone >> c.answer(arrived, 200, c.sdp())
    c.phone << "ACK"
    if not given_up:
        answer = a.phone << "200 INVITE"
        a2.learn(answer)
        a.phone >> a2.ack(answer)
    b.phone >> b.answer(asked(b), 488)
    b.phone << "ACK"
    assert reports(a)[-1] == "488 Whatever terminated"
    if given_up:
        is_gone(c)
    else:
        hang_up(a2, c)
    resume(a, b)
    hang_up(a, b)


def test_target_hangs_up_right_after_its_answer(scene: Scene) -> None:
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    gives_up(a2)
    picks_up(c, arrived)
    again = asked(b)
    c.phone >> c.request("BYE")
    c.phone << "200 BYE"
    b.phone >> b.answer(again, 200, b.sdp("sendrecv"))
    b.phone << "ACK a=sendonly"
    assert reports(a)[-1] == "487 Request Terminated terminated"
    resume(a, b)
    hang_up(a, b)


def test_one_at_a_time(scene: Scene) -> None:
    a, b, a2, c, arrived = ringing(scene)
    refer(a, c.phone.aor + replaces(a2))
    refer(a, "sip:6004@example.com", status=491)
    refer(b, "sip:6004@example.com", status=491)
    gives_up(a2)
    picks_up(c, arrived)
    join(b, c)
    is_gone(a)
    joined(scene, b, c)


def test_a_call_that_rings_at_the_transferor(scene: Scene) -> None:
    """481: what nobody has answered is not to be given away (RFC 3891 §3), and it rings on."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    c, a2, arrived = invite(carol, alice)
    alice >> a2.answer(arrived, 180)
    carol << "180 INVITE"
    refer(a, carol.aor + replaces(a2))
    assert reports(a)[-1].startswith("481")
    alice >> a2.answer(arrived, 486)
    alice << "ACK"
    carol >> c.ack(carol << "486 INVITE")
    hang_up(a, b)


def test_only_while_it_rings(scene: Scene) -> None:
    """early-only (RFC 3891 §3): what is answered is not to be taken, 486."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    a2, c = talk(alice, carol)
    refer(a, carol.aor + replaces(a2) + "%3Bearly-only")
    assert reports(a)[-1] == "486 Busy Here terminated"
    hang_up(a2, c)
    hang_up(a, b)


def test_a_reliable_caller_that_gives_up_ends_it(make_scene: MakeScene) -> None:
    """What the target says would belong to early dialogs of a caller who is gone: the transfer fails, the old call stands."""
    scene = make_scene(features=FEATURES)
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b = talk(alice, bob)
    hold(a, b)
    a2, c, arrived = invite(alice, carol, None, "Supported: 100rel")
    carol >> c.answer(arrived, 180, "", "Require: 100rel", "RSeq: 7")
    ringing_there = alice << "180 INVITE"
    a2.learn(ringing_there)
    rack = f"RAck: {ringing_there.get('RSeq')} {ringing_there.cseq} INVITE"
    alice >> a2.request("PRACK", "", rack)
    alice << "200 PRACK"
    prack = carol << "PRACK"
    carol >> c.answer(prack, 200)
    refer(a, carol.aor + replaces(a2))
    gives_up(a2)
    cancel = carol << "CANCEL"
    carol >> c.answer(cancel, 200)
    carol >> c.answer(arrived, 487)
    carol << "ACK"
    assert reports(a)[-1] == "487 Request Terminated terminated"
    resume(a, b)
    hang_up(a, b)
