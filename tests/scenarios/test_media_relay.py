"""The media relay in calls: every offer and answer passes it, and what becomes of that when something gets between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.sip.message import Message
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    called,
    hang_up,
    hold,
    invite,
    is_gone,
    reinvite,
    renderings,
    resume,
    send_offer,
    talk,
    watched_call,
)
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.transfer_scene import refer
from tests.scenarios.virtual_relay import ADDRESS, VirtualRelay

RelayScene = Callable[..., Scene]
FEATURES = ("echo_test", "hold", "lamps", "media_relay")
RELAYED = f"c=IN IP4 {ADDRESS}"
WEB = "UDP/TLS/RTP/SAVPF"


@pytest.fixture
def with_relay(make_scene: MakeScene) -> RelayScene:
    return lambda **options: make_scene(**{"features": FEATURES, "relay": "pass", **options})


def relay(scene: Scene) -> VirtualRelay:
    return scene.server.relay


def is_relayed(message: Message) -> bool:
    return RELAYED in message.body.decode()


def kinds(scene: Scene) -> list[str]:
    return [asked.split()[0] for asked in relay(scene).asked]


def set_up(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    """A call whose descriptions went through the relay."""
    a, b, arrived = invite(scene.phone("6001"), scene.phone("6002"))
    assert is_relayed(arrived)
    b.phone >> b.answer(arrived, 180)
    a.phone << "180 INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp())
    answer = a.phone << "200 INVITE a=sendrecv"
    assert is_relayed(answer)
    a.learn(answer)
    a.phone >> a.ack(answer)
    b.phone << "ACK"
    return a, b


def test_offer_and_answer_pass_it_and_it_forgets_the_call(with_relay):
    scene = with_relay()
    a, b = set_up(scene)
    first, second = relay(scene).asked
    offerer = first.split()[1]
    answerer = second.split()[1]
    assert first == f"offer {offerer} →  RTP/AVP"
    assert second == f"answer {answerer} → {offerer} RTP/AVP"
    assert len(relay(scene).calls) == 1
    assert b"192.0.2.200" in relay(scene).bodies[0]
    hang_up(a, b)
    assert not relay(scene).calls


def test_hold_and_resume_pass_it_with_the_lamps(with_relay):
    scene = with_relay()
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly"))
    arrived = b.phone << "INVITE a=sendonly"
    assert is_relayed(arrived)
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    final = a.phone << "200 INVITE a=recvonly"
    assert is_relayed(final)
    a.phone >> a.ack(final)
    scene.advance(1.1)
    assert renderings(a.phone)[0] == "no"
    resume(a, b)
    hold(b, a)
    resume(b, a)
    assert kinds(scene) == ["offer", "answer"] * 5
    offers = [asked.split()[1:4:2] for asked in relay(scene).asked[2::2]]
    assert offers[0] == offers[1] and offers[2] == offers[3] == offers[0][::-1]
    hang_up(a, b)


def test_a_refresh_of_a_phone_is_answered_as_before_and_passes_nothing(with_relay):
    """What is compared is what the phone said, not what the relay made of it."""
    scene = with_relay()
    a, b = set_up(scene)
    asked = len(relay(scene).asked)
    for one, other in ((a, b), (b, a)):
        send_offer(one, one.sdp())
        answer = one.phone << "200 INVITE a=sendrecv"
        assert is_relayed(answer)
        one.phone >> one.ack(answer)
        other.phone.hears_nothing()
    assert len(relay(scene).asked) == asked
    hang_up(a, b)


def test_it_thinks_for_a_while(with_relay):
    scene = with_relay()
    relay(scene).seconds = 0.3
    a = ScriptCall(scene.phone("6001"), scene.phone("6002").aor)
    alice, bob = scene.phones
    alice >> a.invite(a.sdp())
    challenge = alice << "407 INVITE"
    alice >> a.ack(challenge)
    alice >> a.with_credentials(challenge)
    bob.hears_nothing()
    scene.advance(0.4)
    arrived = bob << "INVITE"
    b = ScriptCall.of(bob, arrived)
    bob >> b.answer(arrived, 200, b.sdp())
    scene.advance(0.4)
    answer = alice << "200 INVITE"
    assert is_relayed(answer)
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    hang_up(a, b)


@pytest.mark.parametrize("where", ["offer", "answer"])
def test_the_caller_gives_up_while_it_thinks(with_relay, where):
    scene = with_relay()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    relay(scene).seconds = 0.3 if where == "offer" else 0.0
    a = called(alice, bob.aor)
    if where == "answer":
        arrived = bob << "INVITE"
        b = ScriptCall.of(bob, arrived)
        relay(scene).seconds = 0.3
        bob >> b.answer(arrived, 200, b.sdp())
    alice >> a.cancel()
    alice << "200 CANCEL"
    alice >> a.ack(alice << "487 INVITE")
    scene.advance(1)
    if where == "answer":
        bob << "ACK"
        is_gone(b)
    bob.hears_nothing()
    assert not relay(scene).calls


def test_bye_while_it_thinks_about_a_hold(with_relay):
    scene = with_relay()
    a, b = set_up(scene)
    relay(scene).seconds = 0.3
    send_offer(a, a.sdp("sendonly"))
    b.phone >> b.request("BYE")
    b.phone << "200 BYE"
    a.phone >> a.ack(a.phone << "487 INVITE")
    is_gone(a)
    scene.advance(1)
    b.phone.hears_nothing()


def test_a_refused_hold_is_taken_back_there_too(with_relay):
    scene = with_relay()
    a, b = set_up(scene)
    send_offer(a, a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    assert kinds(scene) == ["offer", "answer", "offer", "offer", "answer"]
    assert b"a=sendonly" in relay(scene).bodies[2]
    assert b"a=sendrecv" in relay(scene).bodies[3] and b"a=sendrecv" in relay(scene).bodies[4]
    hang_up(a, b)


def test_an_invite_without_an_offer(with_relay):
    scene = with_relay()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, "")
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE a=sendrecv"
    assert is_relayed(answer)
    a.learn(answer)
    alice >> a.ack(answer, a.sdp())
    assert is_relayed(bob << "ACK")
    assert kinds(scene) == ["offer", "answer"]
    send_offer(b, "")
    b_again = alice << "INVITE no-body"
    alice >> a.answer(b_again, 200, a.sdp())
    offered = bob << "200 INVITE"
    assert is_relayed(offered)
    bob >> b.ack(offered, b.sdp())
    assert is_relayed(alice << "ACK")
    assert kinds(scene) == ["offer", "answer"] * 2
    hang_up(a, b)


def test_early_media_and_the_answer(with_relay):
    scene = with_relay()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 183, b.sdp())
    assert is_relayed(alice << "183 INVITE")
    bob >> b.answer(arrived, 200, b.sdp())
    answer = alice << "200 INVITE"
    assert is_relayed(answer)
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    assert kinds(scene) == ["offer", "answer", "answer"]
    reinvite(a, b, "sendonly", "recvonly")
    assert kinds(scene)[3:] == ["offer", "answer"]
    hang_up(a, b)


def test_reliable_early_media(with_relay):
    scene = with_relay()
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob, None, "Supported: 100rel")
    bob >> b.answer(arrived, 183, b.sdp(), "Require: 100rel", "RSeq: 1")
    ringing = alice << "183 INVITE"
    assert is_relayed(ringing)
    a.learn(ringing)
    alice >> a.request("PRACK", "", f"RAck: {ringing.get('RSeq')} {ringing.cseq} INVITE")
    prack = bob << "PRACK"
    bob >> b.answer(prack, 200)
    alice << "200 PRACK"
    bob >> b.answer(arrived, 200)
    answer = alice << "200 INVITE"
    alice >> a.ack(answer)
    bob << "ACK"
    reinvite(a, b, "sendonly", "recvonly")
    assert kinds(scene) == ["offer", "answer", "offer", "answer"]
    hang_up(a, b)


def test_our_own_media_pass_it_too(with_relay):
    scene = with_relay()
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com")
    answer = alice << "200 INVITE"
    assert is_relayed(answer)
    a.learn(answer)
    alice >> a.ack(answer)
    (stream,) = scene.server.media.open_streams
    assert stream.to == (ADDRESS, 40_000)
    alice >> a.request("BYE")
    alice << "200 BYE"


# -- who speaks what


@pytest.mark.parametrize(
    ("offered", "setting", "towards"),
    [
        ("RTP/AVP", "", "RTP/AVP"),
        ("RTP/AVP", "webrtc", WEB),
        ("RTP/AVP", "srtp", "RTP/SAVP"),
        ("RTP/SAVP", "", "RTP/SAVP"),
        ("RTP/SAVP", "rtp", "RTP/AVP"),
        (WEB, "", "RTP/AVP"),
        (WEB, "webrtc", WEB),
    ],
)
def test_each_party_is_spoken_to_in_its_own_profile(with_relay, offered, setting, towards):
    scene = with_relay()
    if setting:
        scene.server.user_settings.put("6002", "media", setting)
    alice, bob = scene.phone("6001"), scene.phone("6002")
    body = ScriptCall(alice, bob.aor).sdp().replace("RTP/AVP", offered)
    a, b, arrived = invite(alice, bob, body)
    assert f" {towards} 0" in arrived.body.decode()
    bob >> b.answer(arrived, 200, b.sdp().replace("RTP/AVP", towards))
    answer = alice << "200 INVITE"
    assert f" {offered} 0" in answer.body.decode()
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    send_offer(b, b.sdp("sendonly").replace("RTP/AVP", towards))
    held = alice << "INVITE a=sendonly"
    assert f" {offered} 0" in held.body.decode()
    alice >> a.answer(held, 200, a.sdp("recvonly").replace("RTP/AVP", offered))
    alice << "ACK"
    final = bob << "200 INVITE a=recvonly"
    assert f" {towards} 0" in final.body.decode()
    bob >> b.ack(final)
    scene.server.user_settings.put("6002", "media", "")
    hang_up(a, b)


# -- with music


def held(scene: Scene, towards: str = "RTP/AVP") -> tuple[ScriptCall, ScriptCall]:
    """A call whose callee, who speaks this profile, is held, and about to be asked to listen."""
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    bob >> b.answer(arrived, 200, b.sdp().replace("RTP/AVP", towards))
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    send_offer(a, a.sdp("sendonly"))
    bob >> b.answer(bob << "INVITE a=sendonly", 200, b.sdp("recvonly").replace("RTP/AVP", towards))
    bob << "ACK"
    alice >> a.ack(alice << "200 INVITE a=inactive")
    return a, b


def with_music(with_relay: RelayScene, **options: object) -> Scene:
    features = ("hold", "music_on_hold", "lamps", "media_relay")
    return with_relay(features=features, user_defaults={"music_on_hold": "melody"}, **options)


@pytest.mark.parametrize("towards", ["RTP/AVP", "RTP/SAVP", WEB])
def test_music_passes_it_too(with_relay, towards):
    scene = with_music(with_relay)
    scene.server.user_settings.put("6002", "media", {"RTP/AVP": "rtp", "RTP/SAVP": "srtp", WEB: "webrtc"}[towards])
    a, b = held(scene, towards)
    scene.wait(b.phone, 1)
    music = b.phone << "INVITE a=sendonly"
    assert is_relayed(music) and f" {towards} 0 8" in music.body.decode()
    b.phone >> b.answer(music, 200, b.sdp("recvonly").replace("RTP/AVP", towards))
    b.phone << "ACK"
    (stream,) = scene.server.media.open_streams
    assert stream.to == (ADDRESS, 40_000)
    assert relay(scene).asked[-2].startswith("offer music-") and relay(scene).asked[-1].startswith("answer ")
    send_offer(a, a.sdp("sendrecv"))
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv").replace("RTP/AVP", towards))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    assert not scene.server.media.open_streams
    scene.server.user_settings.put("6002", "media", "")
    hang_up(a, b)


def test_the_resume_comes_while_it_thinks_about_the_music(with_relay):
    scene = with_music(with_relay)
    relay(scene).seconds, relay(scene).about = 0.5, "music"
    a, b = held(scene)
    scene.advance(0.3)
    b.phone.hears_nothing()
    resume(a, b)
    scene.advance(2)
    b.phone.hears_nothing()
    assert not scene.server.media.open_streams
    hang_up(a, b)


def test_the_call_ends_while_it_thinks_about_the_answer_to_the_music(with_relay):
    scene = with_music(with_relay)
    a, b = held(scene)
    scene.wait(b.phone, 1)
    music = b.phone << "INVITE a=sendonly"
    relay(scene).seconds = 0.5
    b.phone >> b.answer(music, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    hang_up(a, b)
    scene.advance(2)
    assert not scene.server.media.open_streams


def test_without_it_music_comes_from_us(with_relay):
    scene = with_music(with_relay)
    relay(scene).up = False
    a, b = held(scene)
    scene.wait(b.phone, 1)
    music = b.phone << "INVITE a=sendonly"
    assert not is_relayed(music)
    b.phone >> b.answer(music, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    (stream,) = scene.server.media.open_streams
    assert stream.to == ("192.0.2.200", 40_000)
    resume(a, b)
    hang_up(a, b)


# -- with a transfer


def test_who_is_joined_by_a_transfer_hears_the_other_directly_until_the_next_offer(with_relay):
    scene = with_relay(features=("hold", "transfer", "lamps", "media_relay"))
    a, b = set_up(scene)
    hold(a, b)
    carol = scene.phone("6003")
    refer(a, carol.aor)
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    carol >> c.answer(arrived, 200, c.sdp())
    offered = b.phone << "INVITE a=sendrecv"
    assert not is_relayed(offered)
    b.phone >> b.answer(offered, 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"
    assert not is_relayed(carol << "ACK a=sendrecv")
    is_gone(a)
    send_offer(c, c.sdp("sendonly"))
    held = b.phone << "INVITE a=sendonly"
    assert is_relayed(held)
    b.phone >> b.answer(held, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    final = carol << "200 INVITE a=recvonly"
    assert is_relayed(final)
    carol >> c.ack(final)
    hang_up(b, c)


# -- without it


def test_while_it_is_down_calls_go_on_without(with_relay):
    scene = with_relay()
    relay(scene).up = False
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    relay(scene).up = True
    send_offer(a, a.sdp("sendrecv"))
    arrived = b.phone << "INVITE a=sendrecv"
    assert is_relayed(arrived)
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    final = a.phone << "200 INVITE a=sendrecv"
    assert is_relayed(final)
    a.phone >> a.ack(final)
    hang_up(a, b)


def test_while_it_is_down_calls_are_refused_by_setting(with_relay):
    scene = with_relay(relay="refuse")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    relay(scene).up = False
    a = called(alice, bob.aor)
    final = alice << "480 INVITE"
    assert final.reason == "No Media Relay"
    alice >> a.ack(final)
    bob.hears_nothing()


def test_it_goes_down_between_offer_and_answer(with_relay):
    scene = with_relay(relay="refuse")
    alice, bob = scene.phone("6001"), scene.phone("6002")
    a, b, arrived = invite(alice, bob)
    relay(scene).up = False
    bob >> b.answer(arrived, 200, b.sdp())
    alice >> a.ack(alice << "480 INVITE")
    bob << "ACK"
    is_gone(b)


def test_it_goes_down_in_a_call_and_the_hold_is_refused(with_relay):
    scene = with_relay(relay="refuse")
    a, b = set_up(scene)
    relay(scene).up = False
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "480 INVITE")
    b.phone.hears_nothing()
    hang_up(a, b)


def test_without_one_in_the_settings_the_feature_does_nothing(with_relay):
    scene = with_relay(relay="")
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    assert not relay(scene).asked
    hang_up(a, b)
