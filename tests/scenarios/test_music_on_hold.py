"""Music on hold (RFC 5359 §2.3, RFC 7088): the hold first, then the held party is asked to listen; and whatever gets between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message
from b2bua.sip.sdp import parse_origin
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import (
    MakeScene,
    Scene,
    hang_up,
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
from tests.scenarios.transfer_scene import join, refer, replaces
from tests.scenarios.virtual_media import VirtualStream

MusicScene = Callable[..., Scene]
FEATURES = ("hold", "music_on_hold", "lamps")
MELODY = {"music_on_hold": "melody"}


@pytest.fixture
def with_music(make_scene: MakeScene) -> MusicScene:
    return lambda **options: make_scene(**{"features": FEATURES, "user_defaults": MELODY, **options})


def stream_of(scene: Scene) -> VirtualStream:
    """The only one that is open."""
    (stream,) = scene.server.media.open_streams
    return stream


def offered(scene: Scene, held: ScriptCall) -> Message:
    """The held party is asked to listen."""
    scene.wait(held.phone, 1)
    return held.phone << "INVITE a=sendonly"


def takes(scene: Scene, held: ScriptCall, arrived: Message) -> None:
    """It listens, from then on."""
    held.phone >> held.answer(arrived, 200, held.sdp("recvonly"))
    held.phone << "ACK"
    stream = stream_of(scene)
    assert f"m=audio {stream.address[1]} RTP/AVP 0 8" in arrived.body.decode()
    assert stream.to == ("192.0.2.200", 40_000)


def hold(a: ScriptCall, b: ScriptCall) -> None:
    """The holder is told to send nothing: what it sent would come to the same port as the music."""
    reinvite(a, b, "sendonly", "recvonly", "inactive")


def held_with_music(scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    takes(scene, b, offered(scene, b))
    return a, b


def version(message: Message) -> int:
    return parse_origin(message.body).version


def silent(scene: Scene) -> bool:
    return not scene.server.media.open_streams


# -- the ladder


def test_rfc7088_the_held_party_hears_music_and_the_holder_nothing_of_it(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    send_offer(a, a.sdp("sendonly"))
    plain = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(plain, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=inactive")
    arrived = offered(scene, b)
    assert version(arrived) == version(plain) + 1
    takes(scene, b, arrived)
    assert stream_of(scene).source == "melody"
    scene.advance(30)
    assert not silent(scene)
    resume(a, b)
    assert silent(scene)
    hang_up(a, b)


def test_the_callee_holds_and_the_caller_hears_it(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(b, a)
    takes(scene, a, offered(scene, a))
    resume(b, a)
    assert silent(scene)
    hang_up(b, a)


def test_the_lamps_show_the_hold_and_nothing_of_the_music(with_music):
    scene = with_music()
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    takes(scene, b, b.phone << "INVITE a=sendonly")
    scene.advance(1.1)
    assert renderings(a.phone)[0] == "no" and renderings(b.phone)[1] == "no"
    shown = len(a.phone.notified)
    scene.advance(5)
    assert len(a.phone.notified) == shown
    resume(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_music_is_off_unless_somebody_wants_it(with_music):
    scene = with_music(user_defaults={})
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    reinvite(a, b, "sendonly", "recvonly")
    scene.advance(2)
    assert not scene.server.media.streams
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize(("setting", "source"), [("tone:500", "tone:500"), ("off", "")])
def test_each_user_has_music_of_ones_own(with_music, setting, source):
    scene = with_music()
    scene.server.user_settings.put("6001", "music_on_hold", setting)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    reinvite(a, b, "sendonly", "recvonly", "inactive" if source else "recvonly")
    if source:
        takes(scene, b, offered(scene, b))
        assert stream_of(scene).source == source
    scene.advance(2)
    resume(a, b)
    scene.server.user_settings.put("6001", "music_on_hold", "")
    hang_up(a, b)


def test_hold_twice_and_resume_again(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    for _ in range(3):
        resume(a, b)
        assert silent(scene)
        hold(a, b)
        takes(scene, b, offered(scene, b))
    resume(a, b)
    hang_up(a, b)


def test_every_description_to_the_held_party_is_one_version_up(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    seen = []
    for _ in range(2):
        send_offer(a, a.sdp("sendonly"))
        arrived = b.phone << "INVITE a=sendonly"
        seen.append(version(arrived))
        b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE a=inactive")
        music = offered(scene, b)
        seen.append(version(music))
        takes(scene, b, music)
        send_offer(a, a.sdp("sendrecv"))
        arrived = b.phone << "INVITE a=sendrecv"
        seen.append(version(arrived))
        b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    assert seen == list(range(seen[0], seen[0] + 6))
    hang_up(a, b)


# -- refused


@pytest.mark.parametrize("status", [488, 500, 603, 415])
def test_a_party_that_will_not_listen_stays_on_plain_hold(with_music, status):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    b.phone >> b.answer(offered(scene, b), status)
    b.phone << "ACK"
    assert silent(scene)
    scene.advance(20)
    resume(a, b)
    hold(a, b)
    takes(scene, b, offered(scene, b))  # asked anew with a new hold
    hang_up(a, b)


@pytest.mark.parametrize("body", ["", "v=0\r\nm=audio\r\n", "what?"])
def test_an_answer_that_is_none(with_music, body):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    b.phone >> b.answer(offered(scene, b), 200, body)
    b.phone << "ACK"
    assert silent(scene)
    resume(a, b)
    hang_up(a, b)


@pytest.mark.parametrize("status", [408, 481])
def test_a_party_that_is_gone_ends_the_call(with_music, status):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    b.phone >> b.answer(offered(scene, b), status)
    b.phone << "ACK"
    is_gone(a)
    is_gone(b)
    assert silent(scene)


def test_no_answer_at_all_ends_the_call(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    offered(scene, b)
    scene.advance(33)
    is_gone(a)
    bye = b.phone << "BYE"
    b.phone >> b.answer(bye, 200)
    assert silent(scene)


def test_no_port_or_no_codec_is_plain_hold(with_music):
    scene = with_music()
    scene.server.media.ports = 0
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    scene.advance(2)
    resume(a, b)
    hang_up(a, b)
    scene.server.media.ports = 100
    one, other = talk_in("9", scene)
    send_offer(one, one.sdp("sendonly").replace("RTP/AVP 0", "RTP/AVP 9"))
    other.phone >> other.answer(other.phone << "INVITE a=sendonly", 200, other.sdp("recvonly").replace("RTP/AVP 0", "RTP/AVP 9"))
    other.phone << "ACK"
    one.phone >> one.ack(one.phone << "200 INVITE a=inactive")
    scene.advance(2)
    assert silent(scene)
    hang_up(one, other)


def talk_in(payload_type: str, scene: Scene) -> tuple[ScriptCall, ScriptCall]:
    """A call in another codec."""
    alice, bob = scene.phones
    body = ScriptCall(alice, bob.aor).sdp().replace("RTP/AVP 0", f"RTP/AVP {payload_type}")
    a, b, arrived = invite(alice, bob, body)
    bob >> b.answer(arrived, 200, b.sdp().replace("RTP/AVP 0", f"RTP/AVP {payload_type}"))
    answer = alice << "200 INVITE"
    a.learn(answer)
    alice >> a.ack(answer)
    bob << "ACK"
    return a, b


# -- collisions


def test_resume_while_the_music_is_being_offered_waits_for_its_answer(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    send_offer(a, a.sdp("sendrecv"))
    b.phone.hears_nothing()
    b.phone >> b.answer(music, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    arrived = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    assert silent(scene)
    hang_up(a, b)


def test_resume_while_the_music_is_being_offered_and_then_refused(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    send_offer(a, a.sdp("sendrecv"))
    b.phone >> b.answer(music, 488)
    b.phone << "ACK"
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    assert silent(scene)
    hang_up(a, b)


def test_a_resume_that_waits_is_cancelled(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    send_offer(a, a.sdp("sendrecv"))
    a.phone >> a.cancel()
    a.phone << "200 CANCEL"
    a.phone >> a.ack(a.phone << "487 INVITE")
    takes(scene, b, music)
    hang_up(a, b)


@pytest.mark.parametrize("who", ["holder", "held"])
def test_bye_while_the_music_is_being_offered(with_music, who):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    one, other = (a, b) if who == "holder" else (b, a)
    one.phone >> one.request("BYE")
    one.phone << "200 BYE"
    other.phone >> other.answer(other.phone << "BYE", 200)
    assert silent(scene)
    b.phone >> b.answer(music, 487)
    b.phone << "ACK"


@pytest.mark.parametrize("who", ["holder", "held"])
def test_bye_while_it_plays(with_music, who):
    scene = with_music()
    a, b = held_with_music(scene)
    hang_up(*((a, b) if who == "holder" else (b, a)))
    assert silent(scene)


def test_glare_with_the_held_party(with_music):
    """Both re-INVITEs get 491; ours comes again in the band of that leg, and its own is passed on meanwhile."""
    scene = with_music(uniform=lambda low, high: high)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    send_offer(b, b.sdp("sendonly"))
    b.phone >> b.ack(b.phone << "491 INVITE")
    b.version, b._direction = 2, "recvonly"
    b.phone >> b.answer(music, 491)
    b.phone << "ACK"
    assert 2.0 < scene.wait(b.phone, 5) < 4.1
    takes(scene, b, b.phone << "INVITE a=sendonly")
    resume(a, b)
    hang_up(a, b)


def test_the_holder_resumes_while_we_wait_after_a_491(with_music):
    scene = with_music(uniform=lambda low, high: high)
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    b.phone >> b.answer(offered(scene, b), 491)
    b.phone << "ACK"
    resume(a, b)
    assert silent(scene)
    scene.advance(10)
    hang_up(a, b)


def test_the_held_party_keeps_answering_491(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    for _ in range(3):
        scene.wait(b.phone, 5)
        b.phone >> b.answer(b.phone << "INVITE a=sendonly", 491)
        b.phone << "ACK"
    scene.advance(10)
    assert silent(scene)
    resume(a, b)
    hang_up(a, b)


def test_a_refused_resume_leaves_the_music_on(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    send_offer(a, a.sdp("sendrecv"))
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 488)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "488 INVITE")
    assert stream_of(scene).to == ("192.0.2.200", 40_000)
    hang_up(a, b)


def test_the_held_party_holds_too_and_who_resumes_first_hears_music(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    reinvite(b, a, "sendonly", "inactive")
    assert silent(scene)
    send_offer(a, a.sdp("sendrecv"))
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendonly")
    takes(scene, a, offered(scene, a))
    reinvite(b, a, "sendrecv", "sendrecv")
    assert silent(scene)
    hang_up(a, b)


def test_the_held_party_moves_and_is_asked_again(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    b.media = "IN IP4 192.0.2.201"
    send_offer(b, b.sdp("sendrecv"))
    a.phone >> a.answer(a.phone << "INVITE a=sendrecv", 200, a.sdp("sendonly"))
    a.phone << "ACK"
    b.phone >> b.ack(b.phone << "200 INVITE a=sendonly")
    music = offered(scene, b)
    b.phone >> b.answer(music, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    assert stream_of(scene).to == ("192.0.2.201", 40_000)
    resume(a, b)
    hang_up(a, b)


def test_a_refresh_of_the_held_party_is_answered_with_the_music(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    port = stream_of(scene).address[1]
    send_offer(b, b.sdp("recvonly"))
    answer = b.phone << "200 INVITE a=sendonly"
    assert f"m=audio {port} RTP/AVP 0 8" in answer.body.decode()
    b.phone >> b.ack(answer)
    a.phone.hears_nothing()
    assert not silent(scene)
    resume(a, b)
    hang_up(a, b)


def test_a_refresh_of_the_holder_changes_nothing(with_music):
    scene = with_music()
    a, b = held_with_music(scene)
    send_offer(a, a.sdp("sendonly"))
    a.phone >> a.ack(a.phone << "200 INVITE a=inactive")
    b.phone.hears_nothing()
    assert not silent(scene)
    hang_up(a, b)


def test_an_update_holds_as_a_reinvite_does(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    a.phone >> a.request("UPDATE", a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone << "200 UPDATE a=inactive"
    takes(scene, b, offered(scene, b))
    resume(a, b)
    hang_up(a, b)


def test_an_update_that_resumes_waits_for_the_answer_to_the_offer_of_music(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    hold(a, b)
    music = offered(scene, b)
    a.phone >> a.request("UPDATE", a.sdp("sendrecv"))
    b.phone.hears_nothing()
    b.phone >> b.answer(music, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone << "200 UPDATE a=sendrecv"
    assert silent(scene)
    hang_up(a, b)


def test_the_session_of_who_hears_music_is_refreshed_with_it(with_music):
    scene = with_music(limits=CallLimits(session_expires=120))
    a, b = held_with_music(scene)
    port = stream_of(scene).address[1]
    for _ in range(2):
        scene.wait(a.phone, 61)
        refresh = a.phone << "INVITE a=inactive"
        a.phone >> a.answer(refresh, 200, a.sdp("sendonly"))
        a.phone << "ACK"
        scene.wait(b.phone, 61)
        refresh = b.phone << "INVITE a=sendonly"
        assert f"m=audio {port} RTP/AVP 0 8" in refresh.body.decode()
        b.phone >> b.answer(refresh, 200, b.sdp("recvonly"))
        b.phone << "ACK"
    assert not silent(scene)
    resume(a, b)
    hang_up(a, b)


def test_the_music_waits_for_the_ack_of_the_hold(with_music):
    scene = with_music()
    a, b = talk(scene.phone("6001"), scene.phone("6002"))
    send_offer(a, a.sdp("sendonly"))
    b.phone >> b.answer(b.phone << "INVITE a=sendonly", 200, b.sdp("recvonly"))
    b.phone << "ACK"
    answer = a.phone << "200 INVITE a=inactive"
    scene.advance(5)
    b.phone.hears_nothing()
    a.phone >> a.ack(answer)
    takes(scene, b, offered(scene, b))
    hang_up(a, b)


# -- with other features


@pytest.mark.parametrize("status", [200, 486])
def test_who_hears_music_is_transferred(with_music, status):
    """The target's answer takes the music's place; when it says no, the music goes on."""
    scene = with_music(features=("hold", "music_on_hold", "transfer", "lamps"))
    a, b = held_with_music(scene)
    carol = scene.phone("6003")
    refer(a, carol.aor)
    arrived = carol << "INVITE no-body"
    c = ScriptCall.of(carol, arrived)
    if status == 486:
        carol >> c.answer(arrived, 486)
        carol << "ACK"
        assert stream_of(scene).to
        resume(a, b)
        hang_up(a, b)
        return
    carol >> c.answer(arrived, 200, c.sdp())
    b.phone >> b.answer(b.phone << "INVITE a=sendrecv", 200, b.sdp("sendrecv"))
    b.phone << "ACK no-body"
    carol << "ACK a=sendrecv"
    is_gone(a)
    assert silent(scene)
    hold(c, b)
    takes(scene, b, offered(scene, b))
    resume(c, b)
    assert silent(scene)
    hang_up(b, c)


@pytest.mark.parametrize("refuses", [False, True])
def test_who_hears_music_is_joined_with_the_consulted_party(with_music, refuses):
    """Attended transfer: what the parties agree on takes the music's place; when it fails the music is heard on."""
    scene = with_music(features=("hold", "music_on_hold", "transfer", "lamps"))
    a, b = held_with_music(scene)
    carol = scene.phone("6003")
    a2, c = talk(a.phone, carol)
    refer(a, carol.aor + replaces(a2))
    if refuses:
        b.phone >> b.answer(b.phone << "INVITE no-body", 488)
        b.phone << "ACK"
        assert stream_of(scene).to
        hang_up(a2, c)
        resume(a, b)
        hang_up(a, b)
        return
    join(b, c)
    for _ in range(2):
        bye = a.phone << "BYE"
        a.phone >> (a if bye.call_id == a.call_id else a2).answer(bye, 200)
    assert silent(scene)
    hold(b, c)
    takes(scene, c, offered(scene, c))
    resume(b, c)
    hang_up(b, c)


def test_after_a_restart_the_music_plays_again():
    scene = Scene(Options(features=FEATURES, user_defaults=MELODY, records=KeptRecords()))
    a, b = held_with_music(scene)
    scene.advance(1)
    scene.restart()
    music = offered(scene, b)
    takes(scene, b, music)
    resume(a, b)
    assert silent(scene)
    hang_up(a, b)
    scene.quiet()


def test_after_a_restart_without_the_feature_the_resume_brings_both_together():
    options = Options(features=FEATURES, user_defaults=MELODY, records=KeptRecords())
    scene = Scene(options)
    a, b = held_with_music(scene)
    scene.advance(1)
    object.__setattr__(scene.server.options, "features", ("hold", "lamps"))
    object.__setattr__(scene.server.options, "user_defaults", {})
    scene.restart()
    scene.advance(2)
    resume(a, b)
    hang_up(a, b)
    scene.quiet()
