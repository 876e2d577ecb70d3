"""A media relay that is started anew under standing calls: it knows none of them, and they are set up again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.sip.message import Message
from b2bua.sip.sdp import parse_origin
from tests.scenarios.scene import MakeScene, Scene, hang_up, hold, resume, send_offer, talk
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.virtual_relay import AGAIN, VirtualRelay

LOOK = 2.1
MUSIC = ("hold", "music_on_hold", "lamps", "media_relay")
PLAIN = ("echo_test", "hold", "lamps", "media_relay")
RelayScene = Callable[..., Scene]


@pytest.fixture
def with_relay(make_scene: MakeScene) -> RelayScene:
    return lambda **options: make_scene(**{"features": PLAIN, "relay": "pass", **options})


def relay(scene: Scene) -> VirtualRelay:
    return scene.server.relay


def goes_to(message: Message, address: str) -> bool:
    return f"c=IN IP4 {address}" in message.body.decode()


def asked(call: ScriptCall, answer: str = "sendrecv") -> Message:
    """The party's re-INVITE with the relay's new address, answered."""
    arrived = call.phone << f"INVITE a={answer}"
    assert goes_to(arrived, AGAIN)
    call.phone >> call.answer(arrived, 200, call.sdp(answer))
    call.phone << "ACK no-body"
    return arrived


def test_both_parties_are_told_where_their_media_go_now(with_relay: RelayScene) -> None:
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    scene.advance(LOOK)
    for call in (a, b):
        call.phone.hears_nothing()
    relay(scene).restart()
    scene.advance(LOOK)
    asked(b)
    asked(a)
    scene.advance(3 * LOOK)
    for call in (a, b):
        call.phone.hears_nothing()
    assert relay(scene).calls
    hold(a, b)
    resume(a, b)
    hang_up(b, a)
    assert not relay(scene).calls


def test_each_call_is_set_up_again_soon(with_relay: RelayScene) -> None:
    scene = with_relay()
    calls = [talk(scene.phone("6001"), scene.phone("6002")), talk(scene.phone("6003"), scene.phone("6004"))]
    relay(scene).restart()
    scene.advance(LOOK + 0.1)
    for a, b in calls:
        asked(b)
        asked(a)
    for a, b in calls:
        hang_up(a, b)


def test_the_description_counts_on(with_relay: RelayScene) -> None:
    """RFC 3264 §8: the o= line stays, its version goes up by one."""
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    send_offer(a, a.sdp("sendonly"))
    before = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(before, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    resume(a, b)
    relay(scene).restart()
    scene.advance(LOOK)
    now = asked(b)
    assert parse_origin(now.body).version == parse_origin(before.body).version + 2
    asked(a)
    hang_up(a, b)


@pytest.mark.parametrize("holder_is_caller", [True, False])
@pytest.mark.parametrize("features", [MUSIC, PLAIN], ids=["music", "plain"])
def test_on_hold_nobody_is_asked_and_the_resume_sets_it_right(
    with_relay: RelayScene, holder_is_caller: bool, features: tuple[str, ...]
) -> None:
    music = {"music_on_hold": "melody"} if features == MUSIC else {}
    scene = with_relay(features=features, user_defaults=music)
    calls = talk(scene.phone("6001"), scene.phone("6002"))
    call, far = calls if holder_is_caller else calls[::-1]
    send_offer(call, call.sdp("sendonly"))
    held = far.phone << "INVITE"
    far.phone >> far.answer(held, 200, far.sdp("recvonly"))
    far.phone << "ACK"
    call.phone >> call.ack(call.phone << "200 INVITE")
    scene.advance(0.5)
    if features == MUSIC:
        listen = far.phone << "INVITE a=sendonly"
        far.phone >> far.answer(listen, 200, far.sdp("recvonly"))
        far.phone << "ACK"
    relay(scene).restart()
    scene.advance(3 * LOOK)
    for each in calls:
        each.phone.hears_nothing()
    send_offer(call, call.sdp("sendrecv"))
    resumed = far.phone << "INVITE a=sendrecv"
    assert goes_to(resumed, AGAIN)
    far.phone >> far.answer(resumed, 200, far.sdp("sendrecv"))
    far.phone << "ACK"
    final = call.phone << "200 INVITE a=sendrecv"
    assert goes_to(final, AGAIN)
    call.phone >> call.ack(final)
    scene.advance(2 * LOOK)
    hang_up(call, far)


def test_a_hold_that_comes_while_the_callee_is_asked_waits(with_relay: RelayScene) -> None:
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).restart()
    scene.advance(LOOK)
    arrived = b.phone << "INVITE a=sendrecv"
    send_offer(a, a.sdp("sendonly"))
    b.phone.hears_nothing()
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    held = b.phone << "INVITE a=sendonly"
    assert goes_to(held, AGAIN)
    b.phone >> b.answer(held, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    final = a.phone << "200 INVITE a=recvonly"
    assert goes_to(final, AGAIN)
    a.phone >> a.ack(final)
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("status", [488, 500])
def test_a_party_that_refuses_is_asked_once(with_relay: RelayScene, status: int) -> None:
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).restart()
    scene.advance(LOOK)
    b.phone >> b.answer(b.phone << "INVITE", status)
    b.phone << "ACK"
    scene.advance(3 * LOOK)
    a.phone.hears_nothing()
    hold(a, b)
    hang_up(a, b)


def test_a_call_that_ends_while_it_is_asked(with_relay: RelayScene) -> None:
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).restart()
    scene.advance(LOOK)
    arrived = b.phone << "INVITE"
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"
    bye = b.phone << "BYE"
    b.phone >> b.answer(arrived, 487)
    b.phone << "ACK"
    b.phone >> b.answer(bye, 200)


def test_a_call_that_ends_before_it_is_asked_again(with_relay: RelayScene) -> None:
    """Its 491 had to be waited for (RFC 3261 §14.1): nothing follows the BYE."""
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).restart()
    scene.advance(LOOK)
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 491)
    b.phone << "ACK"
    hang_up(a, b)
    scene.advance(5)
    a.phone.hears_nothing()
    b.phone.hears_nothing()


def test_while_it_is_down_nobody_is_asked(with_relay: RelayScene) -> None:
    scene = with_relay()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).up = False
    relay(scene).restart()
    scene.advance(5 * LOOK)
    for call in (a, b):
        call.phone.hears_nothing()
    relay(scene).up = True
    scene.advance(LOOK)
    asked(b)
    asked(a)
    hang_up(a, b)


def test_a_call_that_never_passed_it_is_left_alone(with_relay: RelayScene) -> None:
    scene = with_relay()
    relay(scene).up = False
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    relay(scene).up = True
    scene.advance(5 * LOOK)
    for call in (a, b):
        call.phone.hears_nothing()
    hold(a, b)  # passes it: from here on it is a call like others
    resume(a, b)
    relay(scene).restart()
    scene.advance(LOOK)
    asked(b)
    asked(a)
    hang_up(a, b)


def test_our_own_media_are_left_alone(with_relay: RelayScene) -> None:
    scene = with_relay()
    alice = scene.phone("6001")
    a = ScriptCall(alice, "sip:*43@example.com")
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    relay(scene).restart()
    scene.advance(3 * LOOK)
    alice.hears_nothing()
    alice >> a.request("BYE")
    alice << "200 BYE"
