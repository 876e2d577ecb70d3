"""Blind transfer (RFC 5359 §2.4, RFC 5589 §6): REFER, answered by Communication Manager, and a new call to the target."""

from __future__ import annotations

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message, Request
from tests.scenarios.forwarded_call import has_set
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    called,
    hang_up,
    hold,
    invite,
    is_gone,
    reinvite,
    resume,
    talk,
    watch,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import FEATURES, Talk, aor, lamp_of, refer, refer_text, reports, settle


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    return make_scene(features=FEATURES)


ROLES = pytest.mark.parametrize("transferor_is_caller", [True, False], ids=["caller", "callee"])


def in_call(scene: Scene, transferor_is_caller: bool) -> Talk:
    """The transferor's call and the transferee's; a third phone is there."""
    a, b = watched_call(scene)
    carol = scene.phone("6003")
    watch(carol, carol)
    scene.advance(1.1)
    return (a, b) if transferor_is_caller else (b, a)


def target_rings(scene: Scene) -> tuple[ScriptCall, Message]:
    """The new INVITE at the target, which rings."""
    carol = scene.phones[2]
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 180)
    return c, arrived


def target_answers(c: ScriptCall, arrived: Message, stays: ScriptCall) -> None:
    """The target picks up; the transferee's media are re-negotiated, and the legs between end."""
    c.phone >> c.answer(arrived, 200, c.sdp())
    offered = stays.phone << "INVITE a=sendrecv"
    stays.phone >> stays.answer(offered, 200, stays.sdp())
    stays.phone << "ACK no-body"
    c.phone << "ACK a=sendrecv"


@ROLES
def test_blind_transfer(scene: Scene, transferor_is_caller: bool) -> None:
    a, b = in_call(scene, transferor_is_caller)
    hold(a, b)
    answer = refer(a, aor("6003"))
    assert answer.contact() is not None
    assert reports(a) == ["100 Trying active"]
    c, arrived = target_rings(scene)
    assert isinstance(arrived, Request)
    assert arrived.get("Referred-By") == f"<{a.phone.aor}>"
    assert arrived.from_.uri == b.phone.aor
    settle(scene)
    assert reports(a)[-1] == "180 Whatever active"
    assert lamp_of(c) == [("early", b.phone.aor)]
    assert lamp_of(b) == [("confirmed", a.phone.aor)]
    target_answers(c, arrived, b)
    assert reports(a)[-1] == "200 OK terminated"
    is_gone(a)
    settle(scene)
    assert lamp_of(a) == [("terminated", "")]
    assert lamp_of(b) == [("confirmed", c.phone.aor)]
    assert lamp_of(c) == [("confirmed", b.phone.aor)]
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 1, "held": 0}
    for one, other in ((b, c), (c, b)):
        hold(one, other)
        resume(one, other)
    hang_up(c, b)
    settle(scene)
    assert lamp_of(b) == lamp_of(c) == [("terminated", "")]


@ROLES
@pytest.mark.parametrize("status", [486, 404, 603])
def test_target_says_no(scene: Scene, transferor_is_caller: bool, status: int) -> None:
    """The old call stands, held as it was (RFC 5589 §6.3)."""
    a, b = in_call(scene, transferor_is_caller)
    hold(a, b)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, status)
    c.phone << "ACK"
    assert reports(a)[-1] == f"{status} Whatever terminated"
    settle(scene)
    assert lamp_of(c) == [("terminated", "")]
    assert lamp_of(a) == [("confirmed", b.phone.aor)]
    resume(a, b)
    hang_up(b, a)


@pytest.mark.parametrize(
    ("target", "status"),
    [("sip:6009@example.com", "404"), ("sip:6004@example.com", "480"), ("sip:bob@elsewhere.example", "403")],
)
def test_target_that_cannot_be_reached(scene: Scene, target: str, status: str) -> None:
    """No such user, nobody registered, a domain that is not ours."""
    a, b = in_call(scene, True)
    refer(a, target)
    scene.advance(0.1)
    assert reports(a)[-1].split()[0] == status
    hang_up(a, b)


def test_target_does_not_answer(scene: Scene) -> None:
    """It rings until Session Manager gives up; the transferor hears so, and takes the party back."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    scene.advance(200)
    cancel = c.phone << "CANCEL"
    c.phone >> c.answer(cancel, 200)
    c.phone >> c.answer(arrived, 487)
    c.phone << "ACK"
    assert reports(a)[-1].split()[0] in ("408", "480", "487")
    assert reports(a)[-1].endswith("terminated")
    hang_up(a, b)


@ROLES
def test_transferee_refuses_the_new_media(scene: Scene, transferor_is_caller: bool) -> None:
    """The target, who has answered, hears BYE; the old call stands."""
    a, b = in_call(scene, transferor_is_caller)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    assert reports(a)[-1] == "488 Whatever terminated"
    c.phone << "ACK"
    is_gone(c)
    settle(scene)
    assert lamp_of(c) == [("terminated", "")]
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_transferee_that_is_gone_ends_both_calls(scene: Scene) -> None:
    """481 to the re-INVITE: there is no dialog with it any more (RFC 3261 §14.1)."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 481)
    b.phone << "ACK"
    assert reports(a)[-1] == "481 Whatever terminated"
    c.phone << "ACK"
    for call in (c, a, b):
        is_gone(call)


def test_target_without_an_offer(scene: Scene) -> None:
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200)
    assert reports(a)[-1].startswith("488")
    c.phone << "ACK"
    is_gone(c)
    hang_up(a, b)


@ROLES
def test_transferor_hangs_up_early(scene: Scene, transferor_is_caller: bool) -> None:
    """Most phones do so on the 202 already: the transferee waits for the target."""
    a, b = in_call(scene, transferor_is_caller)
    hold(a, b)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    b.phone.hears_nothing()
    settle(scene)
    assert lamp_of(a) == [("terminated", b.phone.aor)]
    assert lamp_of(b) == [("confirmed", a.phone.aor)]
    target_answers(c, arrived, b)
    a.phone.hears_nothing()
    assert reports(a)[-1] == "200 OK terminated"
    settle(scene)
    assert lamp_of(a) == [("terminated", "")]
    assert lamp_of(b) == [("confirmed", c.phone.aor)]
    assert scene.server.b2bua.calls()["confirmed"] == 1
    hold(b, c)
    resume(b, c)
    hang_up(b, c)


@ROLES
def test_transferor_has_gone_and_the_target_says_no(scene: Scene, transferor_is_caller: bool) -> None:
    """There is nobody to take the transferee back."""
    a, b = in_call(scene, transferor_is_caller)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    c.phone >> c.answer(arrived, 486)
    c.phone << "ACK"
    assert reports(a)[-1] == "486 Whatever terminated"
    is_gone(b)


def test_transferee_that_waits_holds_and_asks_in_vain(scene: Scene) -> None:
    """Its transferor has gone, the target has not answered: what it wants may come again."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    b.phone >> b.offer("sendonly")
    challenge = b.phone << "407 INVITE"
    b.phone >> b.ack(challenge)
    b.phone >> b.with_credentials(challenge)
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.phone >> b.request("INFO")
    b.phone << "500 INFO"
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    b.phone << "491 UPDATE"
    b.phone >> b.request("UPDATE")
    b.phone << "200 UPDATE"
    assert scene.server.b2bua.calls() == {"early": 1, "confirmed": 1, "held": 0}
    b.sdp()  # as it was: nothing came of it
    target_answers(c, arrived, b)
    hang_up(b, c)


@pytest.mark.parametrize("transferor_has_gone", [False, True])
def test_transferee_hangs_up_while_the_target_rings(scene: Scene, transferor_has_gone: bool) -> None:
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    if transferor_has_gone:
        a.phone >> a.request("BYE")
        a.phone << "200 BYE"
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    if not transferor_has_gone:
        is_gone(a)
    cancel = c.phone << "CANCEL"
    c.phone >> c.answer(cancel, 200)
    c.phone >> c.answer(arrived, 487)
    c.phone << "ACK"
    assert reports(a)[-1] == "487 Request Terminated terminated"
    settle(scene)
    assert lamp_of(c) == [("terminated", "")]


def test_target_hangs_up_right_after_its_answer(scene: Scene) -> None:
    """The transferee's re-INVITE is under way: it hears of the old session again."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    offered = b.phone << "INVITE a=sendrecv"
    c.phone >> c.request("BYE")
    c.phone << "200 BYE"
    assert reports(a)[-1] == "487 Request Terminated terminated"
    b.phone >> b.answer(offered, 200, b.sdp())
    b.phone << "ACK"
    again = b.phone << "INVITE"
    assert b"192.0.2.200" in again.body
    b.phone >> b.answer(again, 200, b.sdp())
    b.phone << "ACK"
    hold(a, b)
    resume(a, b)
    hang_up(a, b)


def test_both_old_parties_go_on_while_the_target_rings(scene: Scene) -> None:
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    hold(a, b)
    resume(a, b)
    hold(b, a)
    resume(b, a)
    target_answers(c, arrived, b)
    is_gone(a)
    hang_up(b, c)


def test_a_hold_of_the_transferee_is_kept(scene: Scene) -> None:
    """What it answers the target is what its user wants."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    offered = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(offered, 200, b.sdp("sendonly"))
    b.phone << "ACK"
    c.phone << "ACK a=sendonly"
    is_gone(a)
    settle(scene)
    (dialog,) = b.phone.lamp.dialogs
    assert (dialog.local.rendering, dialog.remote.rendering) == ("no", "")
    assert scene.server.b2bua.calls()["held"] == 1
    resume(b, c)
    hang_up(c, b)


def test_glare_with_the_transferee(scene: Scene) -> None:
    """Its own re-INVITE crosses ours: 491, and ours comes again in its band (RFC 3261 §14.1)."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 491)
    b.phone << "ACK"
    took = scene.wait(b.phone, 4.2)
    assert 2.0 <= took <= 4.1
    offered = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(offered, 200, b.sdp())
    b.phone << "ACK"
    c.phone << "ACK a=sendrecv"
    is_gone(a)
    hang_up(b, c)


@pytest.mark.row(7)
def test_a_hold_that_is_under_way_comes_first(scene: Scene) -> None:
    """The REFER comes while the transferee's answer to the hold is still out."""
    a, b = in_call(scene, True)
    a.phone >> a.offer("sendonly")
    challenge = a.phone << "407 INVITE"
    a.phone >> a.ack(challenge)
    a.phone >> a.with_credentials(challenge)
    held = b.phone << "INVITE a=sendonly"
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 200, c.sdp())
    b.phone.hears_nothing()
    b.phone >> b.answer(held, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(0.3)
    offered = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(offered, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    c.phone << "ACK a=sendrecv"
    is_gone(a)
    hang_up(b, c)


# ---- REFERs that are not taken


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Refer-To: <sip:6003@example.com;method=SUBSCRIBE>"], 603),
        (["Refer-To: <sip:6003@example.com;method=BYE>"], 603),
        (["Refer-To: <tel:+15551234>"], 603),
        (["Refer-To: <https://www.example.com/>"], 603),
        (["Refer-To: sip:6003@example.com?Replaces=x"], 400),
        (["Refer-To: <sip:6003@example.com?Replaces=nonsense>"], 400),
        (["Refer-To: <sip:6003@example.com>", "Refer-To: <sip:6004@example.com>"], 400),
        (["Refer-To: <sip:6003@example.com>, <sip:6004@example.com>"], 400),
        ([], 400),
        (["Refer-To: <sip:6003@example.com>", "Require: nothing-known"], 420),
    ],
)
def test_what_is_no_transfer(scene: Scene, lines: list[str], status: int) -> None:
    """RFC 3515 §2.4.2: not one Refer-To, 400; what we do not do, 603. The call is as it was."""
    a, b = in_call(scene, True)
    a.phone >> a.request("REFER", "", *lines)
    answer = a.phone.inbox[0]
    if answer.has("Proxy-Authenticate"):
        challenge = a.phone << "407 REFER"
        a.phone >> a.request("REFER", "", *lines, a.phone.credentials(challenge, "REFER", a.target))
    a.phone << f"{status} REFER"
    assert reports(a) == []
    hang_up(a, b)


def test_second_refer_while_one_is_under_way(scene: Scene) -> None:
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    refer(a, aor("6004"), status=491)
    refer(b, aor("6004"), status=491)
    c.phone >> c.answer(arrived, 486)
    c.phone << "ACK"
    refer(a, aor("6004"))
    assert reports(a)[-1].split()[0] == "480"
    hang_up(a, b)


def test_each_refer_has_a_subscription_of_its_own(scene: Scene) -> None:
    """RFC 3515 §2.4.6: the id is the CSeq of its REFER."""
    a, b = in_call(scene, True)
    cseqs = []
    for _ in range(2):
        answer = refer(a, aor("6004"))
        cseqs.append(answer.cseq)
        scene.advance(0.1)
    events = [notify.get("Event") for notify in a.phone.notified if (notify.get("Event") or "").startswith("refer")]
    assert events == [f"refer;id={cseqs[0]}"] * 2 + [f"refer;id={cseqs[1]}"] * 2
    hang_up(a, b)


def test_refer_before_the_call_is_answered(scene: Scene) -> None:
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a = ScriptCall(alice, bob.aor)
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 180)
    a.learn(alice << "180 INVITE")
    refused = refer(a, aor("6003"), status=500)
    assert refused.get("Retry-After") == "1"
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


def test_refer_is_challenged_and_never_reaches_the_other_phone(scene: Scene) -> None:
    a, b = in_call(scene, True)
    a.phone >> refer_text(a, aor("6003"))
    a.phone << "407 REFER"
    b.phone.hears_nothing()
    hang_up(a, b)


def test_without_the_feature_refer_is_405(make_scene: MakeScene) -> None:
    scene = make_scene()
    a, b = in_call(scene, True)
    refused = refer(a, aor("6003"), status=405)
    assert "REFER" not in (refused.get("Allow") or "")
    hang_up(a, b)


def test_refer_is_in_allow() -> None:
    scene = Scene(Options(features=FEATURES))
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    invite = next(message for message in scene.linked("CM", "SM", "INVITE") if isinstance(message, Request))
    assert "REFER" in invite.elements("Allow")
    assert "norefersub" in invite.tokens("Supported")
    hang_up(a, b)
    scene.quiet()


# ---- the subscription


def test_no_subscription_where_none_is_wanted(scene: Scene) -> None:
    """RFC 4488."""
    a, b = in_call(scene, True)
    answer = refer(a, aor("6003"), "Refer-Sub: false", "Supported: norefersub")
    assert answer.get("Refer-Sub") == "false"
    c, arrived = target_rings(scene)
    target_answers(c, arrived, b)
    is_gone(a)
    assert reports(a) == []
    hang_up(b, c)


def test_notify_that_is_refused_ends_the_subscription_and_not_the_transfer(scene: Scene) -> None:
    a, b = in_call(scene, True)
    a.phone.notify_status = 481
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    assert reports(a) == ["100 Trying active"]
    target_answers(c, arrived, b)
    assert reports(a) == ["100 Trying active"]
    is_gone(a)
    hang_up(b, c)


def test_one_notify_at_a_time(scene: Scene) -> None:
    """While the first has no answer nothing overtakes it; then comes the newest state."""
    a, b = in_call(scene, True)
    a.phone.notify_status = None
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    c.phone >> c.answer(arrived, 183)
    assert reports(a) == ["100 Trying active"]
    a.phone.notify_status = 200
    scene.advance(0.6)
    assert reports(a) == ["100 Trying active", "183 Whatever active"]
    target_answers(c, arrived, b)
    is_gone(a)
    hang_up(b, c)


@pytest.mark.parametrize("answers", [True, False])
def test_bye_comes_behind_the_last_notify(scene: Scene, answers: bool) -> None:
    """A phone that has BYE first would never know what became of its transfer; one that answers no NOTIFY is not waited for any
    longer than that transaction lives. Its own re-INVITE and REFER find nobody any more."""
    a, b = in_call(scene, True)
    a.phone.notify_status = None
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    target_answers(c, arrived, b)
    a.phone.hears_nothing()
    assert reports(a) == ["100 Trying active"]
    hold(b, c)
    resume(b, c)
    refer(a, aor("6004"), status=491)
    a.phone >> a.offer("sendonly")
    challenge = a.phone << "407 INVITE"
    a.phone >> a.ack(challenge)
    a.phone >> a.with_credentials(challenge)
    a.phone >> a.ack(a.phone << "491 INVITE")
    if answers:
        a.phone.notify_status = 200
        scene.advance(4)
        assert reports(a) == ["100 Trying active", "200 OK terminated"]
    else:
        scene.advance(33)
    is_gone(a)
    hang_up(b, c)


def test_subscription_is_renewed_and_ended_by_subscribe(scene: Scene) -> None:
    """RFC 3515 §2.4.4: the transfer goes on without it."""
    a, b = in_call(scene, True)
    answer = refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    number = answer.cseq
    for expires, event in ((60, f"refer;id={number}"), (0, "refer")):
        lines = [f"Event: {event}", f"Expires: {expires}"]
        a.phone >> a.request("SUBSCRIBE", "", *lines)
        if a.phone.inbox[0].has("Proxy-Authenticate") or a.phone.inbox[0].has("WWW-Authenticate"):
            challenge = a.phone.inbox.popleft()
            a.phone >> a.request("SUBSCRIBE", "", *lines, a.phone.credentials(challenge, "SUBSCRIBE", a.target))
        granted = a.phone << "200 SUBSCRIBE"
        assert granted.get("Expires") == str(expires)
    assert reports(a)[-2:] == ["180 Whatever active", "180 Whatever terminated"]
    target_answers(c, arrived, b)
    is_gone(a)
    assert reports(a)[-1] == "180 Whatever terminated"
    hang_up(b, c)


@pytest.mark.parametrize("event", ["refer;ID=999", "refer; id = 999", 'refer;x="a;id=999";id=999'])
def test_another_subscription_is_none_however_its_id_is_written(scene: Scene, event: str) -> None:
    """RFC 6665 §8.2.1: parameters have their names in any case, with blanks around."""
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    lines = [f"Event: {event}", "Expires: 60"]
    a.phone >> a.request("SUBSCRIBE", "", *lines)
    if a.phone.inbox[0].has("Proxy-Authenticate") or a.phone.inbox[0].has("WWW-Authenticate"):
        challenge = a.phone.inbox.popleft()
        a.phone >> a.request("SUBSCRIBE", "", *lines, a.phone.credentials(challenge, "SUBSCRIBE", a.target))
    a.phone << "481 SUBSCRIBE"
    target_answers(c, arrived, b)
    is_gone(a)
    hang_up(b, c)


def test_reinvite_of_the_new_pair_counts_on(scene: Scene) -> None:
    """o= versions and CSeqs of both legs only rise over a transfer."""
    a, b = in_call(scene, False)
    refer(a, aor("6003"))
    c, arrived = target_rings(scene)
    target_answers(c, arrived, b)
    is_gone(a)
    reinvite(c, b, "sendonly", "recvonly")
    reinvite(c, b, "sendrecv", "sendrecv")
    hang_up(b, c)


def test_too_many_calls(make_scene: MakeScene) -> None:
    scene = make_scene(features=FEATURES, limits=CallLimits(calls_per_user=1))
    a, b = in_call(scene, True)
    refer(a, aor("6003"))
    scene.advance(0.1)
    assert reports(a)[-1] == "480 Too Many Calls terminated"
    hang_up(a, b)


def test_our_own_media_are_sent_to_nobody(make_scene: MakeScene) -> None:
    """603, and the echo test goes on."""
    scene = make_scene(features=("echo_test", *FEATURES))
    a = called(scene.phone("6001"), "sip:*43@example.com")
    answer = a.phone << "200 INVITE"
    a.learn(answer)
    a.phone >> a.ack(answer)
    refer(a, aor("6003"), status=603)
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"


# ---- where the target's call goes


def test_target_has_forwarded_its_calls(make_scene: MakeScene) -> None:
    """The new call passes the features as any other: the transferor hears 181."""
    scene = make_scene(features=("forwarding", *FEATURES))
    a, b = in_call(scene, True)
    has_set(scene, "6003", forward_always="6004")
    dave = scene.phone("6004")
    refer(a, aor("6003"))
    arrived = dave << "INVITE no-body"
    d = ScriptCall.of(dave, arrived)
    scene.advance(0.1)
    assert reports(a)[-1] == "181 Call Is Being Forwarded active"
    target_answers(d, arrived, b)
    is_gone(a)
    hang_up(b, d)


@pytest.mark.parametrize("code", ["*43", "*44"])
def test_target_is_the_server_itself(make_scene: MakeScene, code: str) -> None:
    """The echo test, and a tone."""
    scene = make_scene(features=("echo_test", "tone", *FEATURES))
    a, b = in_call(scene, True)
    refer(a, f"sip:{code}@example.com")
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp())
    b.phone << "ACK no-body"
    is_gone(a)
    (stream,) = scene.server.media.open_streams
    assert stream.to == ("192.0.2.200", 40000)
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    assert not scene.server.media.open_streams


def test_target_is_called_at_two_phones(scene: Scene) -> None:
    """They ring at once, and the second one answers: the first hears CANCEL."""
    a, b = in_call(scene, True)
    other = scene.phone("6003", device=1)
    refer(a, aor("6003"))
    c, first = target_rings(scene)
    arrived = other << "INVITE no-body"
    d = ScriptCall.of(other, arrived)
    other >> d.answer(arrived, 180)
    target_answers(d, arrived, b)
    cancel = c.phone << "CANCEL"
    c.phone >> c.answer(cancel, 200)
    c.phone >> c.answer(first, 487)
    c.phone << "ACK"
    is_gone(a)
    hold(b, d)
    resume(b, d)
    hang_up(b, d)


def test_a_caller_without_a_name_stays_one(scene: Scene) -> None:
    """RFC 3323: neither who is sent on nor who sends on is told where that was asked for."""
    alice, bob, carol = (scene.phone(user) for user in ("6001", "6002", "6003"))
    a, b, arrived = invite(alice, bob, None, "Privacy: user")
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    refer(b, carol.aor)
    arrived = carol << "INVITE no-body"
    assert "6001" not in str(arrived)
    assert arrived.from_.uri == "sip:anonymous@anonymous.invalid"
    c = ScriptCall.of(carol, arrived)
    target_answers(c, arrived, a)
    is_gone(b)
    refer(a, bob.aor)
    again = bob << "INVITE no-body"
    assert not again.has("Referred-By")
    bob >> b.answer(again, 486)
    bob << "ACK"
    hang_up(c, a)
