"""Every way in which a session description says hold, and what becomes of it on the other leg."""

from __future__ import annotations

import pytest

from b2bua.sip import sdp
from tests.scenarios.scene import (
    Scene,
    hang_up,
    hold,
    renderings,
    resume,
    send_offer,
    watched_call,
)
from tests.sip.origin import without_origin


def test_resume_without_a_direction_line(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(a, a.sdp("sendrecv").replace("a=sendrecv\r\n", ""))
    arrived = b.phone << "INVITE"
    assert b"a=send" not in arrived.body
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


@pytest.mark.bug("diago 125")
def test_emiago_diago_125_direction_on_the_last_line_without_crlf(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, a.sdp("sendonly").removesuffix("\r\n"))
    arrived = b.phone << "INVITE a=sendonly"
    assert arrived.body.endswith(b"a=sendonly")
    assert renderings(a.phone) == ("no", "")
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


def test_legacy_hold_by_address(scene: Scene) -> None:
    """`c=0.0.0.0` without a= is carried as it is, only the lamp says held; the answer follows a= (RFC 6337 §5.4)."""
    a, b = watched_call(scene)
    a.version += 1
    body = a.sdp("sendrecv").replace("c=IN IP4 192.0.2.200", "c=IN IP4 0.0.0.0").replace("a=sendrecv\r\n", "")
    send_offer(a, body)
    arrived = b.phone << "INVITE"
    assert without_origin(arrived.body) == without_origin(body.encode())
    assert renderings(a.phone) == ("no", "")
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    a.version += 1
    resume(a, b)
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_legacy_hold_over_ipv6(scene: Scene) -> None:
    a, b = watched_call(scene)
    a.version += 1
    send_offer(a, a.sdp("sendrecv").replace("c=IN IP4 192.0.2.200", "c=IN IP6 ::"))
    assert renderings(a.phone) == ("no", "")
    arrived = b.phone << "INVITE a=sendrecv"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=sendrecv")
    a.version += 1
    resume(a, b)
    hang_up(a, b)


def test_direction_at_session_level(scene: Scene) -> None:
    a, b = watched_call(scene)
    body = a.sdp("sendonly").replace("a=sendonly\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n")
    send_offer(a, body)
    assert renderings(a.phone) == ("no", "")
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    resume(a, b)
    hang_up(a, b)


VIDEO = "m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na={direction}\r\n"


@pytest.mark.parametrize(
    ("audio", "video", "port", "held"),
    [
        ("sendonly", "sendonly", 50000, True),
        ("sendonly", "inactive", 50000, True),
        ("sendonly", "sendrecv", 50000, False),
        ("sendrecv", "sendonly", 50000, False),
        ("sendonly", "sendrecv", 0, True),
    ],
)
def test_several_streams(scene: Scene, audio: str, video: str, port: int, held: bool) -> None:
    """Held is who wants no stream at all; a stream with port 0 does not count."""
    a, b = watched_call(scene)
    a.version += 1
    body = a.sdp(audio) + VIDEO.format(port=port, direction=video)
    send_offer(a, body)
    assert (renderings(a.phone) == ("no", "")) is held
    arrived = b.phone << f"INVITE a={audio} a={video}"
    answer = b.sdp("recvonly") + VIDEO.format(port=port, direction="recvonly")
    b.phone >> b.answer(arrived, 200, answer)
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    hang_up(a, b)


def test_streams_never_vanish(scene: Scene) -> None:
    """An offer with fewer m= lines than the session has is no offer (RFC 3264 §8): 488, and nothing has changed."""
    a, b = watched_call(scene)
    a.version += 1
    both = a.sdp() + VIDEO.format(port=50000, direction="sendrecv")
    send_offer(a, both)
    arrived = b.phone << "INVITE"
    b.phone >> b.answer(arrived, 200, b.sdp() + VIDEO.format(port=50000, direction="sendrecv"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE")
    send_offer(a, a.sdp("sendonly"))
    refusal = a.phone << "488 INVITE"
    a.phone >> a.ack(refusal)
    b.phone.hears_nothing()
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


def test_body_that_is_no_description(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, "this is no SDP")
    a.phone >> a.ack(a.phone << "488 INVITE")
    b.phone.hears_nothing()
    hang_up(a, b)


def test_same_version_with_another_body_counts_as_changed(scene: Scene) -> None:
    a, b = watched_call(scene)
    body = a.sdp("sendonly").replace("o=6001 7 2 ", "o=6001 7 1 ")
    send_offer(a, body)
    arrived = b.phone << "INVITE a=sendonly"
    b.phone >> b.answer(arrived, 200, b.sdp("recvonly"))
    b.phone << "ACK"
    a.phone >> a.ack(a.phone << "200 INVITE a=recvonly")
    assert renderings(a.phone) == ("no", "")
    hang_up(a, b)


def test_our_version_rises_by_one_per_change_and_leg(scene: Scene) -> None:
    """Whatever jumps the phone makes with its own."""
    a, b = watched_call(scene)
    versions = []
    for direction, answer in (("sendonly", "recvonly"), ("sendrecv", "sendrecv"), ("sendonly", "recvonly")):
        a.version += 40
        send_offer(a, a.sdp(direction))
        arrived = b.phone << "INVITE"
        versions.append(sdp.parse_origin(arrived.body).version)
        b.phone >> b.answer(arrived, 200, b.sdp(answer))
        b.phone << "ACK"
        a.phone >> a.ack(a.phone << "200 INVITE")
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]
    hang_up(a, b)


@pytest.mark.bug("JsSIP 612")
def test_jssip_612_offerless_reinvite_goes_on_offerless(scene: Scene) -> None:
    """The far phone offers from its own state; the answer stands in the holder's ACK and reaches it in CM's."""
    a, b = watched_call(scene)
    hold(a, b)
    scene.advance(1.1)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    offer = a.phone << "200 INVITE a=sendrecv"
    b.phone.hears_nothing()
    a.phone >> a.ack(offer, a.sdp("sendrecv"))
    b.phone << "ACK a=sendrecv"
    scene.advance(1.1)
    assert renderings(a.phone) == ("yes", "yes")
    hang_up(a, b)


@pytest.mark.bug("FreeSWITCH 1091")
def test_freeswitch_1091_holder_answers_an_offerless_reinvite_with_its_hold(scene: Scene) -> None:
    a, b = watched_call(scene)
    hold(a, b)
    send_offer(b, "")
    arrived = a.phone << "INVITE no-body"
    a.phone >> a.answer(arrived, 200, a.sdp("sendonly"))
    offer = b.phone << "200 INVITE a=sendonly"
    b.phone >> b.ack(offer, b.sdp("recvonly"))
    a.phone << "ACK a=recvonly"
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_offerless_reinvite_answered_with_a_hold_in_the_ack(scene: Scene) -> None:
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.phone >> b.answer(arrived, 200, b.sdp("sendrecv"))
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp("sendonly"))
    b.phone << "ACK a=sendonly"
    scene.advance(1.1)
    assert renderings(a.phone) == ("no", "")
    resume(a, b)
    hang_up(a, b)


def test_what_an_offerless_reinvite_has_agreed_on_is_what_a_refresh_repeats(scene: Scene) -> None:
    """Offer in the 2xx, answer in the ACK (RFC 3264 §4): whoever says it once more has what it heard then (§8), and the other
    phone is not asked."""
    a, b = watched_call(scene)
    send_offer(a, "")
    arrived = b.phone << "INVITE no-body"
    b.version += 1
    b.phone >> b.answer(arrived, 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp("sendonly"))
    ack = b.phone << "ACK a=sendonly"
    assert ack.get("Content-Type") == "application/sdp"
    for call, far, heard in ((a, b, offer), (b, a, ack)):
        send_offer(call, call.sdp(call._direction))
        again = call.phone << "200 INVITE"
        assert again.body == heard.body
        call.phone >> call.ack(again)
        far.phone.hears_nothing()
    hang_up(a, b)


def test_an_answer_whose_ack_does_not_say_what_it_is_goes_on_as_it_came(scene: Scene) -> None:
    """Its sender must say (RFC 3261 §20.15): we do not guess, and what was agreed before counts for refreshes."""
    a, b = watched_call(scene)
    before = a.sdp()
    send_offer(a, "")
    b.phone >> b.answer(b.phone << "INVITE no-body", 200, b.sdp())
    offer = a.phone << "200 INVITE a=sendrecv"
    a.phone >> a.ack(offer, a.sdp("inactive")).replace("Content-Type: application/sdp\r\n", "")
    ack = b.phone << "ACK a=inactive"
    assert not ack.has("Content-Type")
    send_offer(a, before)
    a.phone >> a.ack(a.phone << "200 INVITE")
    b.phone.hears_nothing()
    hang_up(a, b)
