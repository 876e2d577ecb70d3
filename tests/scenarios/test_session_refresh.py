"""A session refresh of Communication Manager that is refused, or that meets a re-INVITE (RFC 4028 §10, RFC 3261 §14)."""

from __future__ import annotations

import pytest

from b2bua.feature_server.contract import CallLimits
from tests.scenarios.scene import TIMEOUT, MakeScene, as_it_was, hang_up, hold, idle, is_gone, renderings, resume, send_offer
from tests.scenarios.timed_call import (
    HALF,
    LIMITS,
    SUPPORTED,
    UPDATES,
    ends_with,
    gone,
    only_b_is_refreshed,
    refreshed_by_phone,
    refreshes_itself,
    take,
    timed_call,
)

# ---- a refresh of ours that fails


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("lost_is_caller", [True, False])
def test_a_phone_that_does_not_answer_ends_the_call(make_scene: MakeScene, lost_is_caller: bool, method: str) -> None:
    """Refresh at 45 s, its time-out 32 s later, BYE to both."""
    scene = make_scene(limits=LIMITS)
    allow = (UPDATES,) if method == "UPDATE" else ()
    stays = 3600
    a, b = timed_call(
        scene, allow if lost_is_caller else (*refreshes_itself(stays), f"Min-SE: {stays}"),
        refreshed_by_phone(stays) if lost_is_caller else allow,
    )  # fmt: skip
    lost, other = (a, b) if lost_is_caller else (b, a)
    scene.advance(HALF + 0.1)
    lost.phone << method
    scene.advance(TIMEOUT)
    gone(lost)
    ends_with(other, "SIP;cause=408")
    idle(scene, other)
    assert scene.count("calls", "timed_out") == 1 and scene.count("reinvites", "refresh", "timeout") == 1


def test_the_session_may_expire_before_the_time_out(make_scene: MakeScene) -> None:
    """A short interval: the expiration ends the call, not the transaction's time-out."""
    scene = make_scene(limits=CallLimits(session_expires=20, session_expires_min=10))
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"))
    scene.advance(10.1)
    b.phone << "INVITE a=sendrecv"
    scene.advance(9.8)
    a.phone.hears_nothing()
    scene.advance(0.2)
    gone(b)
    is_gone(a)
    assert scene.count("calls", "timed_out") == 1 and scene.count("reinvites", "refresh", "timeout") == 1


@pytest.mark.parametrize(("method", "status"), [("INVITE", 408), ("INVITE", 481), ("UPDATE", 481)])
def test_a_dialog_that_is_unknown_ends_the_call(make_scene: MakeScene, method: str, status: int) -> None:
    """408 to an UPDATE never comes through Session Manager (RFC 4320): that is the time-out above."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"), (UPDATES,) if method == "UPDATE" else ())
    scene.advance(HALF + 0.1)
    b.phone >> b.answer(b.phone << method, status)
    if method == "INVITE":
        b.phone << "ACK"
    is_gone(b)
    is_gone(a)
    assert scene.count("calls", "timed_out") == 1


@pytest.mark.parametrize("status", [405, 501])
def test_update_that_is_refused_becomes_a_reinvite(make_scene: MakeScene, status: int) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"), (UPDATES,))
    scene.advance(HALF + 0.1)
    b.phone >> b.answer(b.phone << "UPDATE", status)
    scene.advance(0.1)
    take(b, b.phone << "INVITE a=sendrecv")
    assert scene.wait(b.phone, HALF + 0.1) > HALF - 0.1
    take(b, b.phone << "INVITE a=sendrecv")
    hang_up(a, b)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_422_to_a_refresh_is_tried_again_with_more(make_scene: MakeScene, method: str) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"), (UPDATES,) if method == "UPDATE" else ())
    scene.advance(HALF + 0.1)
    b.phone >> b.answer(b.phone << method, 422, "", "Min-SE: 200")
    if method == "INVITE":
        b.phone << "ACK"
    scene.advance(0.1)
    again = b.phone << method
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("200;refresher=uac", "200")
    take(b, again, SUPPORTED, "Session-Expires: 200;refresher=uac")
    scene.advance(99)
    b.phone.hears_nothing()
    scene.advance(1.2)
    take(b, b.phone << method, SUPPORTED, "Session-Expires: 200;refresher=uac")
    hang_up(a, b)


def test_491_to_a_refresh_is_tried_again_in_the_band_of_the_leg(make_scene: MakeScene) -> None:
    """2.1 to 4 s on the callee's leg, whose Call-ID is ours (RFC 3261 §14.1)."""
    bands = []

    def uniform(low: float, high: float) -> float:
        bands.append((low, high))
        return low

    scene = make_scene(limits=LIMITS, uniform=uniform)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"))
    scene.advance(HALF + 0.1)
    b.phone >> b.answer(b.phone << "INVITE", 491)
    b.phone << "ACK"
    assert bands == [(2.1, 4.0)]
    scene.advance(2.0)
    b.phone.hears_nothing()
    scene.advance(0.2)
    take(b, b.phone << "INVITE a=sendrecv")
    assert scene.count("reinvites", "refresh", "glare") == 1
    hang_up(a, b)


@pytest.mark.parametrize("status", [401, 407, 422, 488, 500, 603])
def test_a_refusal_by_a_phone_without_timers_shows_that_it_lives(make_scene: MakeScene, status: int) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"))
    for _ in range(4):
        scene.advance(HALF + 0.1)
        b.phone >> b.answer(b.phone << "INVITE", status)
        b.phone << "ACK"
    hang_up(a, b)


@pytest.mark.parametrize("allow", [(), (UPDATES,)], ids=["INVITE", "UPDATE"])
@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_refresh_survives_loss(make_scene: MakeScene, allow: tuple[str, ...], lost: str) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"), allow)
    method = "UPDATE" if allow else "INVITE"
    start = f"{method} sip:6002@192" if lost == "request" else "SIP/2.0 200"
    dropped: list[bytes] = []

    def rule(index: int, data: bytes) -> tuple[float, ...]:
        if data.startswith(start.encode()) and f" {method}\r\n".encode() in data and not dropped:
            dropped.append(data)
            return ()
        return (0.0,)

    scene.network.rule = rule
    scene.wait(b.phone, HALF + 1)
    refresh = b.phone << method
    if lost == "request":
        take(b, refresh)
    else:
        answer = b.answer(refresh, 200, "" if allow else b.sdp())
        b.phone >> answer
        scene.advance(0.6)
        b.phone >> answer
        if not allow:
            b.phone << "ACK"
    assert dropped and scene.count("reinvites", "refresh", "ok") == 1
    scene.wait(b.phone, HALF + 1)
    take(b, b.phone << method)
    hang_up(a, b)


@pytest.mark.parametrize("status", [404, 430, 480])
def test_a_phone_that_is_not_reached_is_not_alive(make_scene: MakeScene, status: int) -> None:
    """Another try after ten seconds; at the end of the interval the call ends."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"))
    scene.advance(HALF + 0.1)
    for _ in range(2):
        b.phone >> b.answer(b.phone << "INVITE", status)
        b.phone << "ACK"
        scene.advance(10.1)
    b.phone.hears_nothing()
    scene.advance(25)
    is_gone(b)
    is_gone(a)
    assert scene.count("calls", "timed_out") == 1


def test_a_refusal_by_a_phone_with_timers_is_tried_once_more_and_does_not_move_the_end(make_scene: MakeScene) -> None:
    """§10: only a 2xx extends the session; no endless tries at the same error. Retry-After is waited for."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(
        scene, (*refreshes_itself(3600), "Min-SE: 3600"), (SUPPORTED, "Session-Expires: 90;refresher=uac", UPDATES)
    )
    scene.advance(HALF + 0.1)
    b.phone >> b.answer(b.phone << "UPDATE", 500, "", "Retry-After: 4 (in a meeting)")
    scene.advance(3.9)
    b.phone.hears_nothing()
    scene.advance(0.2)
    b.phone >> b.answer(b.phone << "UPDATE", 500)
    scene.advance(40.6)
    b.phone.hears_nothing()
    scene.advance(0.5)
    is_gone(b)
    is_gone(a)
    assert scene.count("calls", "timed_out") == 1 and scene.count("reinvites", "refresh", "refused") == 2


# ---- refresh and re-INVITE


@pytest.mark.row(7)
@pytest.mark.parametrize("allow", [(), (UPDATES,)], ids=["INVITE", "UPDATE"])
def test_a_hold_of_the_other_phone_waits_for_the_refresh(make_scene: MakeScene, allow: tuple[str, ...]) -> None:
    """Serialised, not refused: many phones never come back after a 491."""
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene, *allow)
    refresh = b.phone << ("UPDATE" if allow else "INVITE")
    send_offer(a, a.sdp("sendonly"))
    a.phone << "100 INVITE"
    b.phone.hears_nothing()
    take(b, refresh)
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


@pytest.mark.parametrize("allow", [(), (UPDATES,)], ids=["INVITE", "UPDATE"])
def test_a_hold_by_update_of_the_other_phone_waits_too(make_scene: MakeScene, allow: tuple[str, ...]) -> None:
    """Our offer, if there is one, is of another dialog than its own: RFC 3311 §5.2 wants no 491 for that."""
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene, *allow)
    refresh = b.phone << ("UPDATE" if allow else "INVITE")
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    send_offer(b, b.sdp("sendonly"))  # one may wait
    b.phone >> b.ack(b.phone << "491 INVITE")
    as_it_was(b)
    a.phone.hears_nothing()
    take(b, refresh)
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 UPDATE a=recvonly"
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


@pytest.mark.parametrize("allow", [(), (UPDATES,)], ids=["INVITE", "UPDATE"])
def test_a_hold_by_update_of_the_refreshed_phone(make_scene: MakeScene, allow: tuple[str, ...]) -> None:
    """491 where our offer to it has no answer (RFC 3311 §5.2), as for a re-INVITE; our UPDATE offers nothing: it waits."""
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene, *allow)
    refresh = b.phone << ("UPDATE" if allow else "INVITE")
    b.phone >> b.request("UPDATE", b.sdp("sendonly"))
    if not allow:
        b.phone << "491 UPDATE"
        as_it_was(b)
        take(b, refresh)
        a.phone.hears_nothing()
    else:
        b.phone.hears_nothing()
        take(b, refresh)
        arrived = a.phone << "INVITE a=sendonly"
        a.phone >> a.answer(arrived, 200, a.sdp("recvonly"))
        a.phone << "ACK"
        b.phone << "200 UPDATE a=recvonly"
    hang_up(a, b)


def test_a_hold_by_update_that_waits_is_answered_in_time(make_scene: MakeScene) -> None:
    """504 while its sender waits still (RFC 4320 §4); the refresh that ends after that begins nothing."""
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    b.phone >> b.answer(refresh, 100)
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    scene.advance(27.9)
    a.phone.hears_nothing()
    scene.advance(0.3)
    a.phone << "504 UPDATE"
    as_it_was(a)
    take(b, refresh)
    b.phone.hears_nothing()
    hold(a, b)
    hang_up(a, b)


def test_a_hold_by_update_that_waits_ends_with_the_call(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    b.phone >> b.answer(refresh, 481)
    b.phone << "ACK"
    a.phone << "487 UPDATE"
    is_gone(a)
    is_gone(b)


def test_a_hold_that_waits_may_be_cancelled(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    take(b, refresh)
    b.phone.hears_nothing()
    hang_up(a, b)


def test_a_hold_that_waits_ends_with_the_call(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    send_offer(a, a.sdp("sendonly"))
    b.phone >> b.answer(refresh, 481)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(a)
    is_gone(b)


def test_a_second_one_that_waits_is_refused(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene, UPDATES)
    refresh = b.phone << "UPDATE"
    send_offer(a, a.sdp("sendonly"))
    first = a.again()
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.version, b._direction = 1, "sendrecv"
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "500 INVITE")
    a._sent = first
    take(b, refresh)
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_a_hold_of_the_refreshed_phone_crosses_the_refresh(make_scene: MakeScene) -> None:
    """491 both ways (RFC 3261 §14.2). The phone comes back first, and its hold has refreshed the session."""
    scene = make_scene(limits=LIMITS, uniform=lambda low, high: low)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.phone >> b.answer(refresh, 491)
    b.phone << "ACK"
    scene.advance(1)
    send_offer(b, b.sdp("sendonly"))
    arrived = a.phone << "INVITE a=sendonly"
    a.phone >> a.answer(arrived, 200, a.sdp("recvonly"), *refreshed_by_phone(3600))
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "200 INVITE a=recvonly")
    assert scene.wait(b.phone, HALF + 0.1) > HALF - 0.1
    take(b, b.phone << "INVITE a=recvonly")
    scene.advance(1.1)
    assert renderings(b.phone) == ("no", "")
    resume(b, a)
    hang_up(a, b)


@pytest.mark.row(7)
def test_a_refresh_waits_for_a_hold(make_scene: MakeScene) -> None:
    """What is under way refreshes both legs when it is done: no refresh of its own follows."""
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene)
    scene.advance(HALF - 1)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(5)
    a.phone.hears_nothing()
    b.phone.hears_nothing()
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    scene.advance(HALF - 1)
    a.phone.hears_nothing()
    hang_up(a, b)


def test_a_refresh_that_waited_for_a_refused_hold_leaves_after_it(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = timed_call(scene, (*refreshes_itself(3600), "Min-SE: 3600"))
    scene.advance(HALF - 1)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    scene.advance(5)
    b.phone >> b.answer(arrived, 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    a.version, a._direction = 1, "sendrecv"
    scene.advance(1.1)
    take(b, b.phone << "INVITE a=sendrecv")
    hang_up(a, b)


@pytest.mark.parametrize("who", ["refreshed", "other"])
def test_bye_during_a_refresh(make_scene: MakeScene, who: str) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    first, second = (b, a) if who == "refreshed" else (a, b)
    first.phone >> first.request("BYE")
    first.phone << "200 BYE"
    is_gone(second)
    b.phone >> b.answer(refresh, 487)
    b.phone << "ACK"
    assert scene.count("reinvites", "refresh", "ended") == 1 and scene.count("calls", "answered") == 1


def test_a_refresh_answered_across_a_bye_is_acknowledged(make_scene: MakeScene) -> None:
    scene = make_scene(limits=LIMITS)
    a, b = only_b_is_refreshed(scene)
    refresh = b.phone << "INVITE"
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    b.phone >> b.answer(refresh, 200, b.sdp())
    b.phone << "ACK"
    b.phone >> b.answer(bye, 200)
