"""Session timers on each leg (RFC 4028): what is asked for, who refreshes, and how a call ends that nobody refreshes."""

from __future__ import annotations

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Response
from tests.scenarios.scene import MakeScene, called, hang_up, hold, idle, invite, renderings, resume, send_offer
from tests.scenarios.timed_call import (
    HALF,
    LIMITS,
    SUPPORTED,
    UPDATES,
    ends_with,
    gone,
    last_description,
    refreshed_by_phone,
    refreshes_itself,
    take,
    timed_call,
)

# ---- what is asked for


def test_the_callee_is_asked_and_a_caller_without_timers_hears_nothing(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    assert (arrived.get("Supported"), arrived.get("Session-Expires"), arrived.get("Min-SE")) == ("timer", "90", None)
    bob >> b.answer(arrived, 200, b.sdp())
    bob << "ACK"
    answer = alice << "200 INVITE"
    assert not any(answer.has(name) for name in ("Supported", "Require", "Session-Expires", "Min-SE"))
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)


def test_a_caller_with_timers_is_told_to_refresh(make_scene: MakeScene) -> None:
    """Table 2 leaves it open who does; whoever can, does. Nothing of it crosses to the other leg."""
    scene = make_scene(limits=LIMITS)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, SUPPORTED, "Session-Expires: 300", "Min-SE: 200")
    assert (arrived.get("Session-Expires"), arrived.get("Min-SE")) == ("90", None)
    bob >> b.answer(arrived, 200, b.sdp(), *refreshed_by_phone())
    bob << "ACK"
    answer = alice << "200 INVITE"
    assert answer.get("Session-Expires") == "200;refresher=uac"
    assert answer.get("Require") == answer.get("Supported") == "timer"
    a.learn(answer)
    alice >> a.ack(answer)
    hang_up(a, b)


def test_require_timer_is_met(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(), "Require: timer"), refreshed_by_phone())
    hang_up(a, b)


def test_no_timers_at_all(make_scene: MakeScene) -> None:
    """session_expires = 0: nothing is asked for or answered, and `Require: timer` is refused."""
    scene = make_scene(limits=CallLimits(session_expires=0))
    alice, bob = scene.phone("6001"), scene.phone("6002")
    refused = called(alice, bob.aor, "Require: timer")
    refusal = alice << "420 INVITE"
    assert refusal.get("Unsupported") == "timer"
    alice >> refused.ack(refusal)
    a, b, arrived = invite(alice, bob, None, *refreshes_itself(30))
    assert not any(arrived.has(name) for name in ("Supported", "Session-Expires", "Min-SE"))
    bob >> b.answer(arrived, 200, b.sdp(), *refreshed_by_phone())
    bob << "ACK"
    answer = alice << "200 INVITE"
    assert not answer.has("Session-Expires")
    a.learn(answer)
    alice >> a.ack(answer)
    scene.advance(2000)
    alice.hears_nothing()
    bob.hears_nothing()
    hang_up(a, b)


# ---- Communication Manager refreshes


def test_refresh_by_reinvite_changes_nothing(make_scene: MakeScene) -> None:
    """Phones without timers: at half the interval each gets the description that it has, byte for byte, o= version too."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene)
    known = {call: last_description(scene, call) for call in (a, b)}
    for _ in range(3):
        scene.advance(HALF - 5)
        a.phone.hears_nothing()
        b.phone.hears_nothing()
        for call in (b, a):  # one at a time: the other leg's waits for its turn
            scene.wait(call.phone, 6)
            refresh = call.phone << "INVITE a=sendrecv"
            assert refresh.body == known[call]
            assert refresh.get("Session-Expires") == "90;refresher=uac" and refresh.get("Supported") == "timer"
            take(call, refresh)
    assert scene.count("reinvites", "refresh", "ok") == 6
    assert renderings(a.phone) == renderings(b.phone) == ("yes", "yes")
    hang_up(a, b)


def test_a_reliable_progress_of_a_refresh_is_acknowledged(make_scene: MakeScene) -> None:
    """Nobody asked for it; without a PRACK the phone would refuse the refresh. The answer in it stands for that of the 2xx."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene)
    scene.wait(b.phone, HALF + 1)
    refresh = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(refresh, 183, b.sdp(), "Require: 100rel", "RSeq: 17")
    prack = b.phone << "PRACK no-body"
    assert prack.get("RAck") == f"17 {refresh.cseq} INVITE"
    b.phone >> b.answer(prack, 200)
    b.phone >> b.answer(refresh, 200)
    b.phone << "ACK"
    assert scene.count("reinvites", "refresh", "ok") == 1
    hang_up(a, b)


@pytest.mark.parametrize("holder_is_caller", [True, False])
def test_refresh_while_on_hold_leaves_the_hold(make_scene: MakeScene, holder_is_caller: bool) -> None:
    scene = make_scene(limits=LIMITS)
    calls = timed_call(scene)
    call, far = calls if holder_is_caller else calls[::-1]
    hold(call, far)
    scene.advance(HALF + 0.2)
    legs = {call: "recvonly", far: "sendonly"}
    for _ in range(2):
        each = call if call.phone.inbox else far
        refresh = each.phone << f"INVITE a={legs.pop(each)}"
        assert refresh.body == last_description(scene, each)
        take(each, refresh)
        scene.advance(1.1)
    assert renderings(call.phone) == ("no", "") and renderings(far.phone) == ("", "no")
    resume(call, far)
    hang_up(call, far)


def test_a_phone_that_takes_update_gets_update(make_scene: MakeScene) -> None:
    """§7.4 recommends it, and without an offer."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (UPDATES,), (UPDATES,))
    scene.advance(HALF + 0.1)
    for call in (b, a):
        refresh = call.phone << "UPDATE no-body"
        assert refresh.get("Session-Expires") == "90;refresher=uac" and refresh.get("Supported") == "timer"
        assert refresh.has("Contact") and refresh.has("Allow")
        take(call, refresh)
        scene.advance(1.1)
    a.phone.hears_nothing()
    assert scene.count("reinvites", "refresh", "ok") == 2
    for call in (b, a):
        scene.wait(call.phone, HALF)
        take(call, call.phone << "UPDATE no-body")
    hang_up(a, b)


def test_who_asked_us_to_refresh_is_refreshed(make_scene: MakeScene) -> None:
    """refresher=uas of the caller, refresher=uac of the callee: both mean us."""
    scene = make_scene(limits=LIMITS)
    callee = (SUPPORTED, "Session-Expires: 90;refresher=uac", UPDATES)
    a, b = timed_call(scene, (SUPPORTED, "Session-Expires: 90;refresher=uas", UPDATES), callee)
    scene.advance(HALF + 0.1)
    for call in (b, a):
        take(call, call.phone << "UPDATE no-body", SUPPORTED, "Session-Expires: 90;refresher=uac")
        scene.advance(1.1)
    hang_up(a, b)


def test_a_hold_is_a_refresh_too(make_scene: MakeScene) -> None:
    """§7.2: any re-INVITE begins both legs' intervals anew."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene)
    scene.advance(HALF - 5)
    hold(a, b)
    scene.advance(HALF - 5)
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    resume(a, b)
    hang_up(a, b)


def test_the_forwarded_hold_carries_interval_and_role(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    send_offer(a, a.sdp("sendonly"), *refreshes_itself())
    arrived = b.phone << "INVITE a=sendonly"
    assert arrived.get("Session-Expires") == "90;refresher=uas"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"), *refreshed_by_phone())
    b.phone << "ACK"
    answer = a.phone << "200 INVITE a=recvonly"
    assert answer.get("Session-Expires") == "90;refresher=uac" and answer.get("Require") == "timer"
    a.phone >> a.ack(answer)
    hang_up(a, b)


# ---- the phone refreshes


def test_refresh_by_the_phones_update(make_scene: MakeScene) -> None:
    """Answered on its own leg; the other phone hears nothing. Neither is challenged."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone())
    for _ in range(3):
        scene.advance(HALF)
        for call in (a, b):
            call.phone >> call.request("UPDATE", "", *refreshes_itself())
            answer = call.phone << "200 UPDATE no-body"
            assert answer.get("Session-Expires") == "90;refresher=uac" and answer.get("Require") == "timer"
            assert answer.has("Contact") and "UPDATE" in (answer.get("Allow") or "")
    assert scene.count("reinvites", "refresh", "ok") == 6
    hang_up(a, b)


def test_refresh_by_the_phones_reinvite(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, refreshes_itself(), refreshed_by_phone(3600))
    for _ in range(2):
        scene.advance(HALF)
        send_offer(a, a.sdp(), *refreshes_itself())
        answer = a.phone << "200 INVITE a=sendrecv"
        assert answer.get("Session-Expires") == "90;refresher=uac"
        a.phone >> a.ack(answer)
    b.phone.hears_nothing()
    hang_up(a, b)


@pytest.mark.parametrize("lost_is_caller", [True, False])
def test_a_phone_that_stops_refreshing_ends_the_call(make_scene: MakeScene, lost_is_caller: bool) -> None:
    """SE − min(32, SE / 3) = 60 s after the last refresh; BYE to both, the lamps go out, nothing is left (§10)."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(
        scene, refreshes_itself(90 if lost_is_caller else 3600) + (() if lost_is_caller else ("Min-SE: 3600",)),
        refreshed_by_phone(3600 if lost_is_caller else 90),
    )  # fmt: skip
    lost, other = (a, b) if lost_is_caller else (b, a)
    scene.advance(59.8)
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    scene.advance(0.4)
    gone(lost)
    ends_with(other, 'SIP;cause=408;text="Session expired"')
    idle(scene, other)
    assert scene.server.b2bua.calls() == {"early": 0, "confirmed": 0, "held": 0}
    assert scene.count("calls", "timed_out") == 1


def test_table_1(make_scene: MakeScene) -> None:
    """RFC 4028 table 1: where Session-Expires and Min-SE may stand; not in an ACK, a BYE, a 1xx or any other response."""
    scene = make_scene(limits=CallLimits(session_expires=120, session_expires_min=100))
    a, b = timed_call(scene, (SUPPORTED, UPDATES), (SUPPORTED, "Session-Expires: 120;refresher=uac", UPDATES))
    hold(a, b)
    scene.wait(b.phone, 61)
    take(b, b.phone << "UPDATE no-body")
    a.phone >> a.request("UPDATE", "", *refreshes_itself(99))
    a.phone << "422 UPDATE"
    a.phone >> a.request("UPDATE", "", *refreshes_itself(120))
    a.phone << "200 UPDATE"
    hang_up(a, b)
    found: dict[str, set[str]] = {"Session-Expires": set(), "Min-SE": set()}
    for step in scene.network.ladder:
        message = step.message
        if message is not None and "CM" in (step.source, step.destination):
            status = f" {message.status}" if isinstance(message, Response) else ""
            for name in found:
                found[name] |= {f"{message.cseq_method}{status}"} if message.has(name) else set()
    assert found == {
        "Session-Expires": {"INVITE", "INVITE 200", "UPDATE", "UPDATE 200"},
        "Min-SE": {"INVITE", "UPDATE", "UPDATE 422"},
    }
