"""Communication Manager as an end of the call itself: echo, tones and announcements, and what a phone may do to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.feature_server.contract import CallLimits
from b2bua.sip.message import Message
from tests.scenarios.kept_records import KeptRecords
from tests.scenarios.options import Options
from tests.scenarios.scene import MakeScene, Scene, called, idle, is_gone, renderings, send_offer, watch
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone

EndScene = Callable[..., Scene]
THERE = ("192.0.2.200", 40_000)
"""Where a scripted phone wants its media."""


@pytest.fixture
def with_media(make_scene: MakeScene) -> EndScene:
    return lambda **options: make_scene(features=("echo_test", "tone", "hold", "lamps"), **options)


def dial(phone: ScriptPhone, code: str = "*43", body: str | None = None, *lines: str) -> tuple[ScriptCall, Message]:
    """The code is dialled and answered by the server itself, and the answer acknowledged."""
    a = called(phone, f"sip:{code}@example.com", *lines, body=body)
    answer = phone << "200 INVITE"
    a.learn(answer)
    phone >> a.ack(answer)
    return a, answer


def hang_up(a: ScriptCall) -> None:
    a.phone >> a.request("BYE")
    a.phone << "200 BYE"


def lines(message: Message) -> list[str]:
    return message.body.decode().splitlines()


def offer(*media: str, direction: str = "sendrecv") -> str:
    session = ["v=0", "o=6001 7 1 IN IP4 192.0.2.200", "s=-", "c=IN IP4 192.0.2.200", "t=0 0"]
    return "\r\n".join([*session, *media, f"a={direction}", ""])


def test_the_caller_hears_an_echo(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, answer = dial(alice)
    (stream,) = scene.server.media.open_streams
    assert stream.source == "echo"
    assert stream.to == THERE and stream.payload_type == 0
    host, port = stream.address
    assert {f"c=IN IP4 {host}", f"m=audio {port} RTP/AVP 0", "a=sendrecv"} <= set(lines(answer))
    assert host == "192.0.2.1"
    hang_up(a)
    assert not scene.server.media.open_streams


def test_its_lamp_shows_the_call_and_nobody_elses_does(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    watch(alice, alice)
    a, _ = dial(alice)
    scene.advance(1.1)
    (dialog,) = alice.lamp.dialogs
    assert (dialog.state, dialog.direction) == ("confirmed", "initiator")
    assert "*43" in dialog.remote.identity
    assert scene.count("publish", "dialog", "404") == 0
    hang_up(a)
    idle(scene, a)


def test_the_server_ends_with_the_phone_alone_and_repeats_its_200(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com")
    answer = alice << "200 INVITE"
    scene.advance(3)
    assert len(alice.repeated) >= 2
    a.learn(answer)
    alice >> a.ack(answer)
    repeated = len(alice.repeated)
    scene.advance(10)
    assert len(alice.repeated) == repeated
    hang_up(a)


def test_nobody_acknowledges_the_200(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com")
    a.learn(alice << "200 INVITE")
    scene.advance(33)
    is_gone(a)
    assert not scene.server.media.open_streams


def test_an_invite_without_an_offer_gets_ours(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com", body="")
    answer = alice << "200 INVITE"
    (stream,) = scene.server.media.open_streams
    assert f"m=audio {stream.address[1]} RTP/AVP 0 8" in lines(answer)
    assert stream.to is None
    a.learn(answer)
    alice >> a.ack(answer, offer("m=audio 40000 RTP/AVP 8"))
    assert stream.to == THERE and stream.payload_type == 8
    hang_up(a)


def test_an_ack_without_the_answer_leaves_it_silent(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice, body="")
    (stream,) = scene.server.media.open_streams
    assert stream.to is None
    hang_up(a)


@pytest.mark.parametrize(
    ("media", "answered", "payload_type"),
    [
        (("m=audio 40000 RTP/AVP 8 0 101",), ["m=audio {} RTP/AVP 8"], 8),
        (("m=audio 40000 RTP/AVP 96 0", "a=rtpmap:96 opus/48000/2"), ["m=audio {} RTP/AVP 0"], 0),
        (
            ("m=video 40002 RTP/AVP 96", "m=audio 40000 RTP/AVP 0", "m=audio 40004 RTP/AVP 0"),
            ["m=video 0 RTP/AVP 96", "m=audio {} RTP/AVP 0", "m=audio 0 RTP/AVP 0"],
            0,
        ),
        (("m=audio 0 RTP/AVP 0", "m=audio 40000 RTP/AVP 0"), ["m=audio 0 RTP/AVP 0", "m=audio {} RTP/AVP 0"], 0),
    ],
)
def test_any_legal_offer_is_answered(with_media, media, answered, payload_type):
    scene = with_media()
    alice = scene.phone("6001")
    a, answer = dial(alice, body=offer(*media))
    (stream,) = scene.server.media.open_streams
    assert [line for line in lines(answer) if line.startswith("m=")] == [line.format(stream.address[1]) for line in answered]
    assert stream.to == THERE and stream.payload_type == payload_type
    hang_up(a)


@pytest.mark.parametrize(
    "media", [("m=audio 40000 RTP/AVP 9 18",), ("m=video 40000 RTP/AVP 96",), ("m=audio 40000 RTP/SAVP 0",)]
)
def test_an_offer_of_nothing_that_we_speak_is_refused(with_media, media):
    scene = with_media()
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com", body=offer(*media))
    alice >> a.ack(alice << "488 INVITE")
    assert not scene.server.media.open_streams


def test_a_phone_on_ipv6_is_told_an_address_of_its_own_family(with_media):
    scene = with_media(ipv6=True)
    alice = scene.ipv6_phone("6001")
    a, answer = dial(alice)
    assert "c=IN IP6 2001:db8::1" in lines(answer)
    hang_up(a)


def test_where_no_port_is_free_the_caller_hears_so(with_media):
    scene = with_media()
    scene.server.media.ports = 0
    alice = scene.phone("6001")
    a = called(alice, "sip:*43@example.com")
    final = alice << "480 INVITE"
    assert final.reason == "No Media Port"
    alice >> a.ack(final)


def test_the_phone_holds_and_resumes(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    watch(alice, alice)
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    scene.advance(3)
    send_offer(a, a.sdp("sendonly"))
    alice >> a.ack(alice << "200 INVITE a=recvonly")
    assert stream.to is None
    scene.advance(1.1)
    assert renderings(alice)[0] == "no"
    send_offer(a, a.sdp("sendrecv"))
    alice >> a.ack(alice << "200 INVITE a=sendrecv")
    assert stream.to == THERE
    scene.advance(1.1)
    assert renderings(alice)[0] == "yes"
    hang_up(a)


def test_the_old_hold_by_address_stops_the_stream(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    send_offer(a, a.sdp().replace("c=IN IP4 192.0.2.200", "c=IN IP4 0.0.0.0").replace("6001 7 1", "6001 7 2"))
    alice >> a.ack(alice << "200 INVITE")
    assert stream.to is None
    hang_up(a)


def test_a_reinvite_moves_the_media(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    send_offer(a, a.sdp().replace("192.0.2.200", "192.0.2.201").replace("6001 7 1", "6001 7 2"))
    alice >> a.ack(alice << "200 INVITE")
    assert stream.to == ("192.0.2.201", 40_000)
    hang_up(a)


def test_a_reinvite_without_an_offer(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    send_offer(a, "")
    again = alice << "200 INVITE a=sendrecv"
    alice >> a.ack(again, a.sdp("sendonly"))
    assert stream.to is None
    hang_up(a)


def test_a_refused_offer_changes_nothing(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    send_offer(a, a.sdp().replace("RTP/AVP 0", "RTP/AVP 18").replace("6001 7 1", "6001 7 2"))
    alice >> a.ack(alice << "488 INVITE")
    assert stream.to == THERE
    hang_up(a)


def test_an_update_is_answered_as_a_reinvite_is(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice)
    (stream,) = scene.server.media.open_streams
    alice >> a.request("UPDATE", a.sdp("sendonly"))
    alice << "200 UPDATE a=recvonly"
    assert stream.to is None
    alice >> a.request("UPDATE")
    alice << "200 UPDATE no-body"
    hang_up(a)


def test_requests_that_have_nobody_to_go_to(with_media):
    scene = with_media(challenge={"OPTIONS": "none", "MESSAGE": "none"})
    alice = scene.phone("6001")
    a, _ = dial(alice)
    for method, status in (("INFO", 200), ("OPTIONS", 200), ("MESSAGE", 405)):
        alice >> a.request(method)
        alice << f"{status} {method}"
    hang_up(a)


def test_the_session_is_refreshed_and_ends_with_a_phone_that_vanished(with_media):
    scene = with_media(limits=CallLimits(session_expires=120))
    alice = scene.phone("6001")
    a, _ = dial(alice)
    scene.advance(61)
    refresh = alice << "INVITE a=sendrecv"
    alice >> a.answer(refresh, 200, a.sdp())
    alice << "ACK"
    scene.advance(61)
    refresh = alice << "INVITE"
    scene.advance(33)
    is_gone(a)
    assert not scene.server.media.open_streams


def test_reliable_responses_that_the_caller_insists_on_are_not_missed(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    a, _ = dial(alice, "*43", None, "Require: 100rel")
    hang_up(a)


def test_a_call_that_is_too_long(with_media):
    scene = with_media(limits=CallLimits(call_length_max=60))
    alice = scene.phone("6001")
    a, _ = dial(alice)
    scene.advance(61)
    is_gone(a)


def test_a_tone_of_any_pitch(with_media):
    scene = with_media()
    alice = scene.phone("6001")
    for code, source in (("*44", "tone:440"), ("*441000", "tone:1000")):
        a, _ = dial(alice, code)
        (stream,) = scene.server.media.open_streams
        assert stream.source == source
        hang_up(a)
    none = "No Such Tone"
    for code, status, reason in (("*4499", 484, none), ("*449999", 484, none), ("*45", 404, "Nothing To Play")):
        a = called(alice, f"sip:{code}@example.com")
        refusal = alice << f"{status} INVITE"
        assert refusal.reason == reason, "phones show it"
        alice >> a.ack(refusal)


def test_an_announcement_of_ones_own(with_media):
    scene = with_media(user_defaults={"announcement": "melody"})
    alice, bob = scene.phone("6001"), scene.phone("6002")
    scene.server.user_settings.put("6002", "announcement", "file:welcome.wav")
    for phone, source in ((alice, "melody"), (bob, "file:welcome.wav")):
        a, _ = dial(phone, "*45")
        (stream,) = scene.server.media.open_streams
        assert stream.source == source
        hang_up(a)
    scene.server.user_settings.put("6002", "announcement", "")


def test_after_a_restart_the_call_ends():
    scene = Scene(Options(features=("echo_test", "hold", "lamps"), records=KeptRecords()))
    alice = scene.phone("6001")
    a, _ = dial(alice)
    scene.restart()
    bye = alice << "BYE"
    assert 'text="Media lost"' in (bye.get("Reason") or "")
    alice >> a.answer(bye, 200)
    assert not scene.server.media.streams
    scene.quiet()
